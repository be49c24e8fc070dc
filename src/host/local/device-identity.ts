/**
 * What a disk of this machine is called, so that the next run knows it again: the host and what the kernel says about
 * the device, not its name (docs/design/sync-protocol.md, "Identity").
 */
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { readFile } from "node:fs/promises";

export type DiskFacts = { readonly stats: BigIntStats; readonly sizeBytes: number };

/** SHA-256, 32 bytes. */
export async function diskIdentity({ stats, sizeBytes }: DiskFacts): Promise<Uint8Array> {
  const parts = [
    "domus disk 1",
    await hostId(),
    ...(stats.isFile() ? fileParts(stats) : await deviceParts(stats.rdev)),
    String(sizeBytes),
  ];
  // Each with its length: no two lists look the same one after the other.
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}\n`);
  return hash.digest();
}

/** An inode's number is given to the next file when a file is deleted; when it was born tells them apart. */
function fileParts({ dev, ino, birthtimeNs }: BigIntStats): string[] {
  return ["file", String(dev), String(ino), String(birthtimeNs)];
}

/** Linux's makedev() of 64 bits, in glibc's layout. */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

async function deviceParts(rdev: bigint): Promise<string[]> {
  const sys = `/sys/dev/block/${deviceNumber(rdev)}`;
  const mapped = await text(`${sys}/dm/uuid`);
  if (mapped) return ["dm", mapped];
  const sequence = await text(`${sys}/diskseq`);
  const boot = await text("/proc/sys/kernel/random/boot_id");
  return ["attached", boot ?? "", deviceNumber(rdev), sequence ?? ""];
}

/** Of this installation (machine-id(5)). */
async function hostId(): Promise<string> {
  return (await text("/etc/machine-id")) ?? (await text("/var/lib/dbus/machine-id")) ?? "";
}

async function text(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim() || undefined;
  } catch {
    return undefined;
  }
}

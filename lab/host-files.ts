/** Where a lab host's files are, what is remembered of it, and which hosts there are. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir } from "./debian.ts";
import { MAX_HOSTS } from "./dom0.ts";
import { isLabRelease, type LabRelease } from "./releases.ts";

export type HostRecord = {
  readonly name: string;
  readonly release: LabRelease;
  /** 1 to MAX_HOSTS: decides its address on the lab's network. */
  readonly number: number;
  readonly sshPort: number;
  /** The image's directory: a host keeps its image when a newer one is built. */
  readonly image: string;
};

export function hostDirectory(name: string): string {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(
      `a lab host's name has a-z, 0-9 and -, at most 31: not ${JSON.stringify(name)}`,
    );
  }
  return cacheDir("lab", "hosts", name);
}

/** A short directory for sockets, whose paths the kernel limits to 107 bytes. Nobody else may enter it. */
export function socketPath(name: string): string {
  const key = createHash("sha256").update(cacheDir("lab")).digest("hex").slice(0, 8);
  const dir = join(tmpdir(), `domus-lab-${process.getuid?.() ?? 0}-${key}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const made = statSync(dir);
  if (made.uid !== process.getuid?.() || (made.mode & 0o077) !== 0) {
    throw new Error(`${dir} is not ours alone: remove it`);
  }
  return join(dir, name);
}

/** The multicast port of this cache's lab network: labs of other caches do not hear it. */
export function networkPort(): number {
  const digest = createHash("sha256").update(cacheDir("lab")).digest();
  return 20_000 + (digest.readUInt16BE(0) % 10_000);
}

export function readRecord(name: string): HostRecord | undefined {
  const file = join(hostDirectory(name), "host.json");
  if (!existsSync(file)) return undefined;
  const record = JSON.parse(readFileSync(file, "utf8")) as HostRecord;
  return isLabRelease(record.release) ? record : undefined;
}

export function writeRecord(record: HostRecord): void {
  writeFileSync(join(hostDirectory(record.name), "host.json"), JSON.stringify(record));
}

/** The hosts that were made and not removed, whether they run or not. */
export function listRecords(): HostRecord[] {
  const names = readdirSync(cacheDir("lab", "hosts")).toSorted();
  return names.flatMap((name) => readRecord(name) ?? []);
}

/** Images of older recipes are kept this long, for somebody may be about to make a host of one. */
const OLD_IMAGE_MS = 3_600_000;

/** Removes the images of that release that are neither `current` nor any host's, and not of the last hour. */
export function pruneImages(release: LabRelease, current: string): void {
  const used = new Set([current, ...listRecords().map((one) => one.image)]);
  const images = cacheDir("lab", "images");
  for (const name of readdirSync(images)) {
    const dir = join(images, name);
    if (!name.startsWith(`${release}-`) || name.endsWith(".work") || used.has(dir)) continue;
    if (Date.now() - statSync(dir).mtimeMs > OLD_IMAGE_MS) rmSync(dir, { recursive: true });
  }
}

/** The lowest number that no other host has. */
export function freeNumber(name: string): number {
  const taken = new Set(listRecords().flatMap((one) => (one.name === name ? [] : one.number)));
  for (let number = 1; number <= MAX_HOSTS; number++) if (!taken.has(number)) return number;
  throw new Error(`there are ${MAX_HOSTS} lab hosts already: remove some (npm run lab -- down)`);
}

/** A TCP port of 127.0.0.1 that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Sizes of the raw disks: fixed, as a saved machine remembers its disks' sizes. The files are sparse. */
export const PROGRAMS_BYTES = 512 * 1024 ** 2;
export const MAILBOX_BYTES = 4 * 1024 ** 3;

/** A file of that size without contents. */
export function makeSparse(file: string, sizeBytes: number): void {
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
}

/** A new qcow2 file that holds what differs from `backing`. */
export function makeOverlay(file: string, backing: string, format: "raw" | "qcow2"): void {
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", format, "-b", backing, file]);
}

/** The end of a log, for a message about a failure. */
export function lastLines(file: string, count = 25): string {
  if (!existsSync(file)) return "(nothing)";
  const lines = readFileSync(file, "latin1").trimEnd().split(/\r?\n/);
  return lines.slice(-count).join("\n");
}

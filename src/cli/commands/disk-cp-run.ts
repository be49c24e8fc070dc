/** `domus disk cp`: the one command that writes to this host what a guest's disk holds. */
import { constants } from "node:fs";
import { lstat, mkdir, open, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { attempt, corrupt, ioFailure, misuse, unsupported } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { countText, MIB, sizeText } from "../../base/units.ts";
import { encodeText } from "../../bytes/text.ts";
import type { FileSystem, Inode } from "../../disk/fs/filesystem.ts";
import type { Resolved } from "../../disk/fs/resolve.ts";
import { walk } from "../../disk/fs/walk.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import { errnoOf } from "../../host/local/errno.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { DiskCpFlags } from "./disk-run.ts";

const CHUNK_BYTES = 4 * MIB;

type Copied = {
  files: number;
  bytes: number;
  links: number;
  passedOver: string[];
  /** The file that is being written. */
  begun?: string;
};

type Job = {
  readonly fs: FileSystem;
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly copied: Copied;
};

export const cp = failing(async function (
  this: Context,
  flags: DiskCpFlags,
  ...[name, path, dest]: [string, string, string]
) {
  const { out, signal } = this;
  await using target = await openTarget(this.openHost(flags.root), name, signal);
  const { volume, device, resolved } = await chooseFile(target, path);
  const copied: Copied = { files: 0, bytes: 0, links: 0, passedOver: [] };
  const job: Job = { fs: volume.fs, force: flags.force, signal, copied };
  const to = await destination(dest, resolved.path);
  if (resolved.inode.kind === "directory" && !flags.recursive) {
    throw misuse(`${printable(path)} is a directory.`, "Copy it with --recursive.");
  }
  try {
    await copy(job, resolved, to);
  } catch (error) {
    // Whatever it was that ended it: what is there now has to be said.
    if (copied.files > 0 || copied.begun) {
      const rest = copied.begun ? `, and ${printable(copied.begun)} is incomplete` : "";
      out.say(
        `The copy was cut off: ${copiedText(copied)} arrived whole in ${printable(to)}${rest}.`,
      );
      out.say("Remove what is there, or copy again with --force.");
    }
    throw error;
  }
  if (flags.json)
    out.json({ target: target.name, volume: device, path: resolved.path, dest: to, ...copied });
  else {
    out.say(`Copied ${copiedText(copied)} to ${printable(to)}.`);
    for (const one of copied.passedOver) out.say(`Passed over ${printable(one)}`);
  }
  return EXIT.done;
});

async function copy(job: Job, { inode, path }: Resolved, to: string): Promise<void> {
  if (inode.kind === "directory") await copyTree(job, path, to);
  else if (inode.kind === "file") await copyFile(job, inode, to);
  else throw unsupported([...job.fs.where, path], `copying a ${inode.kind}`);
}

function copiedText({ files, bytes }: Copied): string {
  return `${countText(files, "file")} (${sizeText(bytes)})`;
}

/** As cp does: into DEST when that is a directory, else to DEST itself. */
async function destination(dest: string, path: string): Promise<string> {
  const found = await lstat(dest).catch(() => undefined);
  const name = basename(path);
  return found?.isDirectory() && name !== "" ? join(dest, safeName(name)) : dest;
}

/** A name from the guest as one component of a path of ours; what cannot be one is a failure. */
function safeName(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw corrupt([name], "a name that is no file name", "a single path component");
  }
  return name;
}

/** Never through a link, never over what exists unless --force; the mode is ours, owners are not taken over. */
async function copyFile(job: Job, inode: Inode, to: string): Promise<void> {
  const flags =
    constants.O_WRONLY |
    constants.O_CREAT |
    constants.O_NOFOLLOW |
    (job.force ? constants.O_TRUNC : constants.O_EXCL);
  // Bytes, so that a name that is not UTF-8 arrives as it is.
  const path = Buffer.from(encodeText(to));
  const file = await open(path, flags, inode.mode & 0o755 & ~0o022).catch((error) => {
    const errno = errnoOf(error);
    throw ioFailure(
      [to],
      errno === "EEXIST" ? "create (it exists: --force overwrites)" : "create",
      errno,
      error,
    );
  });
  job.copied.begun = to;
  try {
    for (let at = 0; at < inode.size; at += CHUNK_BYTES) {
      job.signal.throwIfAborted();
      const bytes = await job.fs.read(
        inode,
        at,
        Math.min(CHUNK_BYTES, inode.size - at),
        job.signal,
      );
      // Zeroes are left out: a sparse file stays sparse.
      if (bytes.some((byte) => byte !== 0)) {
        await file.write(bytes, 0, bytes.length, at).catch((error) => {
          throw ioFailure([to], "write", errnoOf(error), error);
        });
      }
    }
    await file.truncate(inode.size);
  } finally {
    await file.close();
  }
  delete job.copied.begun;
  job.copied.files += 1;
  job.copied.bytes += inode.size;
}

async function copyTree(job: Job, from: string, to: string): Promise<void> {
  const links: { at: string; target: string }[] = [];
  await makeDirectory(to);
  const depth = from.split("/").filter((part) => part !== "").length;
  for await (const { path, inode } of walk(job.fs, { from, sorted: true, signal: job.signal })) {
    const parts = path
      .split("/")
      .filter((part) => part !== "")
      .slice(depth);
    const at = join(to, ...parts.map(safeName));
    if (inode.kind === "directory") await makeDirectory(at);
    else if (inode.kind === "file") await copyFile(job, inode, at);
    else if (inode.kind === "symlink") links.push({ at, target: await job.fs.readLink(inode) });
    else job.copied.passedOver.push(`${path} (${inode.kind})`);
  }
  // Last, so that no file of the guest is ever written through a link of the guest.
  for (const { at, target } of links) {
    const made = await attempt(() =>
      symlink(Buffer.from(encodeText(target)), Buffer.from(encodeText(at))).catch((error) => {
        throw ioFailure([at], "link", errnoOf(error), error);
      }),
    );
    if (made.ok) job.copied.links += 1;
    else job.copied.passedOver.push(`${at} (link: it exists)`);
  }
}

async function makeDirectory(path: string): Promise<void> {
  const bytes = Buffer.from(encodeText(path));
  await mkdir(bytes).catch(async (error) => {
    const found = await lstat(bytes).catch(() => undefined);
    if (found?.isDirectory()) return;
    throw ioFailure([path], "make the directory", errnoOf(error), error);
  });
}

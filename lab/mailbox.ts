/**
 * How files get into dom0 and out of it: as a tar archive on a disk that both sides see. This machine writes it into the raw image,
 * dom0 reads the block device. ssh would decrypt every byte on an emulated processor, twenty times as slowly.
 */
import { spawnSync } from "node:child_process";
import { basename, dirname, resolve } from "node:path";
import { withLock } from "./lock.ts";

/** sh in dom0: what it has cached of the disk is of an earlier letter. */
const FORGET = "blockdev --flushbufs /dev/vdd";
/** tar reads one MiB at a time and stops at the archive's end. */
const READ = "tar -x -b 2048 --no-same-owner -f /dev/vdd";

/** A line of sh for dom0 that unpacks the archive into `directory`, a word that sh reads as it is. */
export function unpackInto(directory: string): string {
  return `set -e; ${FORGET}; mkdir -p ${directory}; ${READ} -C ${directory}`;
}

/** A line of sh for dom0 that writes the archive's one file over the device `to`, holes as zeros. */
export function unpackOver(to: string): string {
  return `set -e; ${FORGET}; ${READ} -O | dd of=${to} bs=1M iflag=fullblock status=none`;
}

/** The same into a file of the right size that is all hole, and keeps its holes. */
export function unpackSparse(to: string): string {
  return `${unpackOver(to)} conv=sparse,notrunc`;
}

/** A line of sh for dom0 that puts one of its files into the mailbox; both words as sh reads them. */
export function packUp(directory: string, name: string): string {
  return `set -e; ${FORGET}
    tar -cS -b 2048 -C ${directory} ${name} | dd of=/dev/vdd bs=1M iflag=fullblock oflag=direct status=none`;
}

/** Lets `send` put one file into the mailbox, and writes its bytes to the file `to`. */
export async function collect(
  mailbox: string,
  to: string,
  send: () => Promise<void>,
): Promise<void> {
  await withLock(`${mailbox}.lock`, async () => {
    try {
      await send();
      const script = 'tar -xO -f "$1" > "$2"';
      const read = spawnSync("sh", ["-c", script, "sh", mailbox, to]);
      if (read.status !== 0) throw new Error(`${to}: ${read.stderr.toString()}`);
    } finally {
      empty(mailbox);
    }
  });
}

function empty(mailbox: string): void {
  spawnSync("fallocate", ["--punch-hole", "--offset", "0", "--length", "4GiB", mailbox]);
}

/** Puts the files into the mailbox, lets `receive` fetch them, and empties it. One letter at a time. */
export async function post(
  mailbox: string,
  files: readonly string[],
  receive: () => Promise<void>,
): Promise<void> {
  const sources = files.flatMap((file) => {
    const path = resolve(file);
    return ["-C", dirname(path), basename(path)];
  });
  await withLock(`${mailbox}.lock`, async () => {
    // into the file that QEMU has open: it is neither replaced nor cut
    const script =
      'to="$1"; shift; tar -cS -b 2048 "$@" | dd of="$to" conv=notrunc bs=1M iflag=fullblock status=none';
    const wrote = spawnSync("bash", ["-o", "pipefail", "-c", script, "bash", mailbox, ...sources]);
    if (wrote.status !== 0) {
      throw new Error(`${files.join(" ")} cannot be copied: ${wrote.stderr.toString()}`);
    }
    try {
      await receive();
    } finally {
      empty(mailbox);
    }
  });
}

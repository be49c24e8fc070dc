/**
 * How files get into dom0 and out of it: as a tar archive on a disk that both sides see. This machine writes it into the
 * raw image, dom0 reads the block device. ssh would decrypt every byte on an emulated processor, twenty times as slowly.
 * A guest's disk lies there as it is, and dom0 is told where in it there is anything: zeros cost it nothing.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
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

const MIB = 1 << 20;

/** Runs of MiB, from the start of a disk image, that are not all zeros. */
export type DataRun = { readonly startMib: number; readonly countMib: number };

const ZEROS = Buffer.alloc(MIB);

/** Puts the runs of the image into the mailbox, one after the other, and says which they are. */
function writeImage(mailbox: string, image: string): DataRun[] {
  const source = openSync(image, "r");
  const target = openSync(mailbox, "r+");
  const runs: { startMib: number; countMib: number }[] = [];
  try {
    const chunk = Buffer.alloc(MIB);
    let put = 0;
    for (let at = 0; ; at++) {
      const length = readSync(source, chunk, 0, MIB, at * MIB);
      if (length === 0) return runs;
      const bytes = chunk.subarray(0, length);
      if (bytes.equals(ZEROS.subarray(0, length))) continue;
      writeSync(target, bytes, 0, length, put++ * MIB);
      const last = runs.at(-1);
      if (last && last.startMib + last.countMib === at) last.countMib++;
      else runs.push({ startMib: at, countMib: 1 });
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** A line of sh for dom0 that copies the runs to the same places of `to`, which reads as zeros before. */
export function copyRuns(runs: readonly DataRun[], to: string): string {
  const list = runs.map(({ startMib, countMib }) => `${startMib} ${countMib}\n`).join("");
  return `set -e; ${FORGET}; from=0
    while read start count; do
      dd if=/dev/vdd of=${to} bs=1M skip=$from seek=$start count=$count conv=notrunc iflag=direct oflag=direct status=none
      from=$((from + count))
    done <<END\n${list}END`;
}

/** Puts a disk image into the mailbox, lets `receive` copy what is in it, and empties the mailbox. */
export async function postImage(
  mailbox: string,
  image: string,
  receive: (runs: readonly DataRun[]) => Promise<void>,
): Promise<void> {
  await withLock(`${mailbox}.lock`, async () => {
    try {
      await receive(writeImage(mailbox, image));
    } finally {
      empty(mailbox);
    }
  });
}

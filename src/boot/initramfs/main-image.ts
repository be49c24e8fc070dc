/**
 * The cheap look at an initramfs: where its first compressed image begins, behind the plain archives (microcode) that
 * may come first. Only those are read through.
 */
import { Budget } from "../../base/budget.ts";
import { attempt } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { CpioReader } from "./cpio.ts";
import type { CpioSink } from "./cpio.ts";

export type MainImage = {
  /** In the file, in bytes. */
  readonly offset: number;
  /** Its first bytes, at most 64 KiB: enough for the headers of every format. */
  readonly head: Uint8Array;
};

/** Reads from the file; less at its end. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

const STEP_BYTES = MIB;
const HEAD_BYTES = 64 * 1024;
/** Microcode of all processors has some 15 MiB in a few hundred entries. What is larger is the initramfs itself. */
const MAX_LEAD_BYTES = 64 * MIB;
const MAX_LEAD_ENTRIES = 5000;

const NOWHERE: CpioSink = { entry: () => false, content: () => {} };

/**
 * `undefined` when there is no compressed image, or none within the first 64 MiB: then the kernel needs no decompressor
 * for it. I/O failures stay failures.
 */
export async function findMainImage(
  read: ReadAt,
  sizeBytes: number,
  where: Where,
): Promise<MainImage | undefined> {
  const budget = new Budget(
    MAX_LEAD_ENTRIES,
    where,
    "the number of entries before the first image",
  );
  const reader = new CpioReader(NOWHERE, where, { budget });
  const end = Math.min(sizeBytes, MAX_LEAD_BYTES);
  let stepBytes = HEAD_BYTES;
  for (let offset = 0; offset < end;) {
    const chunk = await read(offset, Math.min(stepBytes, end - offset));
    if (chunk.length === 0) return undefined;
    const taken = await attempt(() => reader.push(chunk));
    // A damaged or endless archive: the kernel comes no further either.
    if (!taken.ok) return undefined;
    if (taken.value < chunk.length) {
      const at = offset + taken.value;
      return { offset: at, head: await read(at, HEAD_BYTES) };
    }
    offset += chunk.length;
    stepBytes = STEP_BYTES;
  }
  return undefined;
}

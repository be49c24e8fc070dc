/** Checksums of what is below filesystems: GPT, LVM2, md, VHD; and of the frames of xz. */
import { crc32, crc32Update } from "../../../src/bytes/crc32.ts";
import { sum as mdSum } from "../../../test/support/md.ts";
import { hasText, numberBytes, simpleSeal, viewOf } from "./seal.ts";
import type { Seal } from "./seal.ts";

const SECTOR = 512;
const LVM_INITIAL_CRC = 0xf597a6cf;

/** Bytes of a range with four of them zeroed, for sums that cover their own place. */
const without = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes).fill(0, at, at + 4);

/** The header in the second and the last sector, and the entries where each says that they are. */
export function gptSeals(input: Uint8Array): Seal[] {
  const view = viewOf(input);
  return [SECTOR, input.length - SECTOR].flatMap((at): Seal[] => {
    if (at < 0 || !hasText(input, at, "EFI PART")) return [];
    const entries = (bytes: Uint8Array) => {
      const one = viewOf(bytes);
      const place = Number(one.getBigUint64(at + 72, true)) * SECTOR;
      const length = one.getUint32(at + 80, true) * one.getUint32(at + 84, true);
      return place + length <= input.length ? { at: place, length } : { at: 0, length: 0 };
    };
    const size = view.getUint32(at + 12, true);
    return [
      {
        covers: [entries(input), { at: at + 72, length: 16 }],
        renew(damaged) {
          const array = entries(damaged);
          const sum = crc32(damaged.subarray(array.at, array.at + array.length));
          return [{ at: at + 88, bytes: numberBytes(sum, 4) }];
        },
      },
      simpleSeal({ at, length: size }, at + 16, (bytes) => crc32(without(bytes, 16))),
    ];
  });
}

/** The label, and in every metadata area the text and the header that has the text's checksum. */
export function lvmSeals(input: Uint8Array): Seal[] {
  const seals: Seal[] = [];
  const crc = (bytes: Uint8Array) => crc32Update(LVM_INITIAL_CRC, bytes);
  for (let at = 0; at + SECTOR <= input.length; at += SECTOR) {
    if (at < 4 * SECTOR && hasText(input, at, "LABELONE")) {
      seals.push(simpleSeal({ at: at + 20, length: SECTOR - 20 }, at + 16, crc));
    }
    if (!hasText(input, at + 4, " LVM2 x[5A%r0N*>")) continue;
    const text = (bytes: Uint8Array) => {
      const view = viewOf(bytes);
      const place = at + Number(view.getBigUint64(at + 40, true) & 0xffff_ffffn);
      const length = Number(view.getBigUint64(at + 48, true) & 0xffff_ffffn);
      return { at: place, length: Math.max(0, Math.min(length, input.length - place)) };
    };
    seals.push({
      covers: [text(input), { at: at + 40, length: 16 }],
      renew(damaged) {
        const { at: from, length } = text(damaged);
        return [{ at: at + 56, bytes: numberBytes(crc(damaged.subarray(from, from + length)), 4) }];
      },
    });
    seals.push(simpleSeal({ at: at + 4, length: SECTOR - 4 }, at, crc));
  }
  return seals;
}

/** Both kinds of superblock; the sum of a 1.x covers as many roles as it says it has. */
export function mdSeals(input: Uint8Array): Seal[] {
  const view = viewOf(input);
  const seals: Seal[] = [];
  for (let at = 0; at + 4096 <= input.length; at += SECTOR) {
    if (view.getUint32(at, true) !== 0xa92b4efc) continue;
    const old = view.getUint32(at + 4, true) === 0;
    const own = old ? 152 : 216;
    const length = (bytes: Uint8Array) =>
      old ? 4096 : Math.min(4096, 256 + 2 * viewOf(bytes).getUint32(at + 220, true));
    seals.push({
      covers: [{ at, length: length(input) }],
      renew(damaged) {
        const bytes = without(damaged.subarray(at, at + length(damaged)), own);
        return [{ at: at + own, bytes: numberBytes(mdSum(bytes), 4) }];
      },
    });
  }
  return seals;
}

/** The footer, its copy at the start, and the header of a sparse disk. */
export function vhdSeals(input: Uint8Array): Seal[] {
  const seals: Seal[] = [];
  for (let at = 0; at + SECTOR <= input.length; at += SECTOR) {
    const [length, own] = hasText(input, at, "conectix")
      ? [512, 64]
      : hasText(input, at, "cxsparse")
        ? [1024, 36]
        : [0, 0];
    if (length === 0) continue;
    const sum = (bytes: Uint8Array) => ~without(bytes, own).reduce((a, b) => a + b, 0);
    seals.push(simpleSeal({ at, length }, at + own, sum, false));
  }
  return seals;
}

/** Header, first block header, index and footer of a single stream. */
export function xzSeals(input: Uint8Array): Seal[] {
  if (!hasText(input, 0, "\xfd7zXZ\0")) return [];
  const end = input.length;
  const block = (input[12]! + 1) * 4;
  const indexSize = (viewOf(input).getUint32(end - 8, true) + 1) * 4;
  const index = end - 12 - indexSize;
  return [
    simpleSeal({ at: 6, length: 2 }, 8, crc32),
    simpleSeal({ at: 12, length: block - 4 }, 12 + block - 4, crc32),
    simpleSeal({ at: index, length: indexSize - 4 }, index + indexSize - 4, crc32),
    simpleSeal({ at: end - 8, length: 6 }, end - 12, crc32),
  ];
}

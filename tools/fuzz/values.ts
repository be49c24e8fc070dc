/** Values for fields that are sizes, counts, offsets or links: extremes, near misses, and what makes links go in circles. */
import type { Field, Random } from "./damage.ts";
import { viewOf } from "./seals/seal.ts";

/** What disks count in, in bytes. */
const UNITS = [1, 512, 1024, 4096, 16_384, 65_536];

export type FieldPlace = {
  readonly field: Field;
  readonly input: Uint8Array;
  readonly fields: readonly Field[];
  /** Some field of the same name. */
  readonly alike: Field;
};

export function fieldValue(place: FieldPlace, random: Random): Uint8Array {
  const { field, input } = place;
  const out = input.slice(field.at, field.at + field.size);
  if (![1, 2, 4, 8].includes(field.size) || out.length < field.size) return rawValue(out, random);
  const bits = BigInt(8 * field.size);
  const value = numberAt(input, field);
  return numberBytesOf(BigInt.asUintN(Number(bits), newValue(place, value, bits, random)), field);
}

function newValue(place: FieldPlace, value: bigint, bits: bigint, random: Random): bigint {
  const { field, input, fields, alike } = place;
  const unit = BigInt(UNITS[random(UNITS.length)]!);
  const near = BigInt(random(3) - 1);
  switch (random(16)) {
    case 0:
      return 0n;
    case 1:
      return -1n - BigInt(random(3));
    case 2:
      return (1n << (bits - 1n)) + near;
    case 3:
      return value + 1n;
    case 4:
      return value - 1n;
    case 5:
      return 1n;
    case 6:
      return value ^ (1n << BigInt(random(Number(bits))));
    case 7:
      return value * 2n + near;
    case 8:
      return value / 2n + near;
    case 9: // The end of the device, in whatever it is counted.
      return BigInt(input.length) / unit + near;
    case 10: // Itself, or what it lies in.
      return BigInt(field.at) / unit;
    case 11: // Where another of its kind leads: two ways to one place, or a ring.
    case 12:
      return numberAt(input, alike);
    case 13: {
      // Something else altogether that is in use.
      const other = fields.length > 0 ? fields[random(fields.length)]! : field;
      return BigInt(other.at) / unit;
    }
    case 14:
      return 1n << BigInt(random(Number(bits)));
    default:
      return BigInt(random(0x1_0000_0000)) * (random(2) === 0 ? 1n : 0x1_0000_0001n);
  }
}

/** Text, ids, and what has no size of a number. */
function rawValue(out: Uint8Array, random: Random): Uint8Array {
  if (out.length === 0) return out;
  const way = random(4);
  if (way === 0) return out.fill(0);
  if (way === 1) return out.fill(0xff);
  if (way === 2) out[random(out.length)] = 1 << random(8);
  else for (let at = 0; at < out.length; at++) out[at] = random(256);
  return out;
}

function numberAt(input: Uint8Array, { at, size, bigEndian }: Field): bigint {
  const view = viewOf(input);
  if (at + size > input.length) return 0n;
  if (size === 8) return view.getBigUint64(at, !bigEndian);
  if (size === 4) return BigInt(view.getUint32(at, !bigEndian));
  if (size === 2) return BigInt(view.getUint16(at, !bigEndian));
  return BigInt(view.getUint8(at));
}

function numberBytesOf(value: bigint, { size, bigEndian }: Field): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, value, !bigEndian);
  return bigEndian ? bytes.subarray(8 - size) : bytes.subarray(0, size);
}

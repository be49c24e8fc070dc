/** The types a field of an on-disk struct can have. Sizes are in bytes. */
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { uuidText } from "./uuid.ts";

export type FieldType<T> = {
  readonly size: number;
  /** `view` covers the whole struct at `at`; the struct has checked the bounds. `where` is for failures. */
  readonly get: (view: DataView, at: number, where?: Where) => T;
};

export const u8: FieldType<number> = { size: 1, get: (view, at) => view.getUint8(at) };
export const u16le: FieldType<number> = { size: 2, get: (view, at) => view.getUint16(at, true) };
export const u32le: FieldType<number> = { size: 4, get: (view, at) => view.getUint32(at, true) };
export const i32le: FieldType<number> = { size: 4, get: (view, at) => view.getInt32(at, true) };
export const u16be: FieldType<number> = { size: 2, get: (view, at) => view.getUint16(at, false) };
export const u32be: FieldType<number> = { size: 4, get: (view, at) => view.getUint32(at, false) };
export const i32be: FieldType<number> = { size: 4, get: (view, at) => view.getInt32(at, false) };

/** A 64-bit count or offset. Above 2^53 - 1 no device is that large: the field is corrupt. */
export const u64le: FieldType<number> = {
  size: 8,
  get: (view, at, where) => safe(view.getUint32(at + 4, true), view.getUint32(at, true), where),
};
export const u64be: FieldType<number> = {
  size: 8,
  get: (view, at, where) => safe(view.getUint32(at, false), view.getUint32(at + 4, false), where),
};

/** For masks, generations and halves of ids, where all 64 bits count. */
export const u64leRaw: FieldType<bigint> = {
  size: 8,
  get: (view, at) => view.getBigUint64(at, true),
};
export const u64beRaw: FieldType<bigint> = {
  size: 8,
  get: (view, at) => view.getBigUint64(at, false),
};

function safe(high: number, low: number, where: Where = []): number {
  if (high > 0x1fffff) {
    const found = `64-bit value 0x${high.toString(16)}${low.toString(16).padStart(8, "0")}`;
    throw corrupt(where, found, "a value below 2^53");
  }
  return high * 0x1_0000_0000 + low;
}

/** A view of the bytes, not a copy. */
export function bytesField(size: number): FieldType<Uint8Array> {
  return { size, get: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size) };
}

/** A UUID stored in its text's byte order, as RFC 9562 text. */
export const uuid: FieldType<string> = {
  size: 16,
  get: (view, at) => uuidText(new Uint8Array(view.buffer, view.byteOffset + at, 16)),
};

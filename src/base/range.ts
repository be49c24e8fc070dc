import { corrupt } from "./failure.ts";
import type { Where } from "./where.ts";

export type ByteRange = { readonly offset: number; readonly length: number };

/** A `corrupt` failure when the range does not lie inside `size` bytes. */
export function assertInside(where: Where, size: number, { offset, length }: ByteRange): void {
  if (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= size
  )
    return;
  throw corrupt(
    where,
    `a reference to ${length} bytes at byte ${offset}`,
    `a range inside its ${size} bytes`,
  );
}

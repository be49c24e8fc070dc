/**
 * Copies `length` bytes from `offset` before `position`, and returns the position after them. Where both overlap the
 * bytes repeat, as LZ77 wants it. The caller has checked that all of it lies inside `out`.
 */
export function copyMatch(
  out: Uint8Array,
  position: number,
  offset: number,
  length: number,
): number {
  const end = position + length;
  if (length > 64 && offset >= length) {
    out.copyWithin(position, position - offset, position - offset + length);
    return end;
  }
  let from = position - offset;
  while (position < end) out[position++] = out[from++]!;
  return end;
}

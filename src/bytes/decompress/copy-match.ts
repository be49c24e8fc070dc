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
  const from = position - offset;
  const end = position + length;
  if (length <= 64) {
    for (let source = from; position < end;) out[position++] = out[source++]!;
    return end;
  }
  // What is there since `from` repeats every `offset` bytes, so each round can copy all of it and double it
  while (position < end) {
    const count = Math.min(position - from, end - position);
    out.copyWithin(position, from, from + count);
    position += count;
  }
  return end;
}

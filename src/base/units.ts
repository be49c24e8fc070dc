export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

/** `1.5 GiB`; at most one decimal, none when it is exact. */
export function sizeText(bytes: number): string {
  const [unit, name] =
    bytes >= TIB
      ? [TIB, "TiB"]
      : bytes >= GIB
        ? [GIB, "GiB"]
        : bytes >= MIB
          ? [MIB, "MiB"]
          : bytes >= KIB
            ? [KIB, "KiB"]
            : [1, "bytes"];
  const amount = bytes / unit;
  const text = Number.isInteger(amount) ? String(amount) : amount.toFixed(1);
  return `${text} ${bytes === 1 ? "byte" : name}`;
}

/** `1 file`, `2 files` */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `0x1f` */
export function hex(value: number | bigint, digits = 0): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

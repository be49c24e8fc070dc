/**
 * The place a thing was found in, from the outside in:
 * `["xvda", "partition 2", "ext4", "inode 12"]`. Every failure and finding carries one.
 */
export type Where = readonly string[];

/** One step further in. */
export function within(where: Where, ...steps: string[]): Where {
  return [...where, ...steps];
}

/** Whether `outer` is `inner` or contains it: a disk contains its partitions. */
export function contains(outer: Where, inner: Where): boolean {
  return outer.every((step, index) => inner[index] === step);
}

/** `xvda > partition 2 > ext4`, for people. The caller escapes it before printing. */
export function whereText(where: Where): string {
  return where.length === 0 ? "(nowhere)" : where.join(" > ");
}

/**
 * Times: local time of whoever wrote them, without saying of which zone. They are taken for UTC, as Linux does where its
 * own zone (`sys_tz`) is not set.
 *
 * Source: Linux fs/fat/misc.c (`fat_time_fat2unix`).
 */

/** Seconds since 1970. Any value gives a time: days and months of 0 are taken for 1. */
export function parseFatTime(date: number, time: number): number {
  const year = 1980 + (date >>> 9);
  const month = Math.max(1, (date >>> 5) & 0xf);
  const day = Math.max(1, date & 0x1f);
  const seconds = (time & 0x1f) * 2;
  return Date.UTC(year, month - 1, day, time >>> 11, (time >>> 5) & 0x3f, seconds) / 1000;
}

/** Dates. Source: ECMA-119 sections 8.4.26.1 and 9.1.5; Linux fs/isofs/util.c (`iso_date`). */
import { latin1 } from "../../../bytes/text.ts";

/** Quarters of an hour east of Greenwich; Linux believes no more than 13 hours. */
const MAX_OFFSET = 52;

/** Seven bytes as seconds since 1970. */
export function parseShortDate(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 7);
  const [year, month, day, hour, minute, second] = bytes;
  // Years count from 1900. Linux takes those before 1970 for 1970.
  if (year! < 70) return 0;
  const local = Date.UTC(1900 + year!, month! - 1, day, hour, minute, second) / 1000;
  return local - offsetSeconds(view.getInt8(6));
}

/** Seventeen bytes: digits up to the hundredths of a second, then the zone; all digits 0 for "not known". */
export function parseLongDate(bytes: Uint8Array): number {
  const digits = latin1(bytes.subarray(0, 16));
  if (!/^[0-9]{16}$/.test(digits) || /^0+$/.test(digits)) return 0;
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  const local = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12));
  const zone = new DataView(bytes.buffer, bytes.byteOffset + 16, 1).getInt8(0);
  return local / 1000 + part(12, 14) + part(14, 16) / 100 - offsetSeconds(zone);
}

function offsetSeconds(quarters: number): number {
  return Math.abs(quarters) <= MAX_OFFSET ? quarters * 15 * 60 : 0;
}

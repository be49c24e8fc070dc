/**
 * Rock Ridge: what POSIX knows of a file, as entries of the System Use Sharing Protocol.
 *
 * Source: IEEE P1282 draft 1.12; Linux fs/isofs/rock.c; zisofs2 specification (ZF). Names of more than 253 bytes, which Linux
 * cuts off, are given whole. Not supported: contents of sparse files (SF) and of compressed ones (ZF).
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { decodeText, latin1 } from "../../../bytes/text.ts";
import { parseLongDate, parseShortDate } from "./date.ts";
import type { SuspEntry } from "./susp.ts";

export const rockPx = struct("RR_PX", 36, {
  mode: [4, u32le],
  n_links: [12, u32le],
  uid: [20, u32le],
  gid: [28, u32le],
});
export const rockPn = struct("RR_PN", 20, { dev_high: [4, u32le], dev_low: [12, u32le] });
export const rockCl = struct("RR_CL", 12, { location: [4, u32le] });
export const rockZf = struct("RR_ZF", 16, { real_size: [8, u32le] });
/** NM, SL and TF: flags, then what is of any length. */
export const rockFlags = struct("RR entry with flags", 5, { flags: [4, u8] });

/** TF_*: which times there are, in this order; the last bit says that they are 17 bytes long. */
const TF = { create: 0x01, modify: 0x02, longForm: 0x80 } as const;
const SHORT_DATE_BYTES = 7;
const LONG_DATE_BYTES = 17;

/** NM: the name is `.` or `..`, which is said elsewhere. */
const NM_DOTS = 0x06;
/** SL_component: what it stands for; the lowest bit says that its text goes on in the next one. */
const SL = { continue: 0x01, current: 0x02, parent: 0x04, root: 0x08 } as const;

/** NAME_MAX */
const MAX_NAME_BYTES = 255;
/** PATH_MAX without the NUL */
const MAX_LINK_BYTES = 4095;

/** What is left out was not said. */
export type RockRidge = {
  readonly name?: string;
  /** The whole of st_mode. */
  readonly mode?: number;
  readonly links?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly link?: string;
  readonly mtime?: number;
  /** CL: this is a directory, and its records are in that block, not here. */
  readonly childLocation?: number;
  /** RE: this directory belongs elsewhere, a CL entry leads to it. */
  readonly relocated?: true;
  /** ZF and SF: the contents are stored in another form. The size is what a reader sees. */
  readonly stored?: { readonly form: string; readonly size?: number };
};

/** Translates the entries of a file. Those that mean nothing here are passed over. */
export function parseRockRidge(entries: readonly SuspEntry[], where: Where): RockRidge {
  const found: RockRidge = {};
  const name: number[] = [];
  const link: LinkText = { bytes: [], open: false };
  for (const { signature, bytes } of entries) {
    const at = within(where, signature);
    if (signature === "NM") takeName(name, bytes, at);
    else if (signature === "SL") takeLink(link, bytes, at);
    else Object.assign(found, parseEntry(signature, bytes, at));
  }
  return {
    ...found,
    ...(name.length > 0 ? { name: decodeText(Uint8Array.from(name)) } : {}),
    ...(link.bytes.length > 0 ? { link: decodeText(Uint8Array.from(link.bytes)) } : {}),
  };
}

function parseEntry(signature: string, bytes: Uint8Array, where: Where): RockRidge {
  switch (signature) {
    case "PX": {
      const { mode, n_links: links, uid, gid } = rockPx.read(bytes, 0, where);
      return { mode, links, uid, gid };
    }
    case "PN":
      return { device: parseDevice(bytes, where) };
    case "TF":
      return parseTimes(bytes, where);
    case "CL":
      return { childLocation: rockCl.read(bytes, 0, where).location };
    case "RE":
      return { relocated: true };
    case "ZF": {
      const form = `compression of files (zisofs, ${JSON.stringify(latin1(bytes.subarray(4, 6)))})`;
      return { stored: { form, size: rockZf.read(bytes, 0, where).real_size } };
    }
    case "SF":
      return { stored: { form: "a sparse file (Rock Ridge SF)" } };
    default:
      return {};
  }
}

/**
 * Some writers put both numbers into the lower half, eight bits for the minor one. What does not fit into the kernel's 12
 * and 20 bits is cut off there, too.
 */
function parseDevice(bytes: Uint8Array, where: Where): { major: number; minor: number } {
  const { dev_high: high, dev_low: low } = rockPn.read(bytes, 0, where);
  if (high === 0 && low > 0xff) return { major: (low >>> 8) & 0xfff, minor: low & 0xff };
  return { major: high & 0xfff, minor: low & 0xf_ffff };
}

function parseTimes(bytes: Uint8Array, where: Where): RockRidge {
  const { flags } = rockFlags.read(bytes, 0, where);
  if ((flags & TF.modify) === 0) return {};
  const long = (flags & TF.longForm) !== 0;
  const size = long ? LONG_DATE_BYTES : SHORT_DATE_BYTES;
  const at = rockFlags.size + (flags & TF.create ? size : 0);
  if (at + size > bytes.length) {
    throw corrupt(where, `times in ${bytes.length} bytes`, `${at + size} or more`);
  }
  const date = bytes.subarray(at, at + size);
  return { mtime: long ? parseLongDate(date) : parseShortDate(date) };
}

function takeName(name: number[], bytes: Uint8Array, where: Where): void {
  const { flags } = rockFlags.read(bytes, 0, where);
  if (flags & NM_DOTS) return;
  // An entry has at most 255 bytes.
  name.push(...bytes.subarray(rockFlags.size));
  if (name.length > MAX_NAME_BYTES) {
    throw corrupt(where, `a name of ${name.length} bytes`, `at most ${MAX_NAME_BYTES}`);
  }
}

/** The target of a symlink, as far as it was read. */
type LinkText = {
  readonly bytes: number[];
  /** The last component is complete: another one is set off by a slash. */
  open: boolean;
};

const SLASH = 0x2f;
const DOT = 0x2e;

function takeLink(link: LinkText, bytes: Uint8Array, where: Where): void {
  rockFlags.read(bytes, 0, where);
  for (let at = rockFlags.size; at + 2 <= bytes.length;) {
    const flags = bytes[at]!;
    const end = at + 2 + bytes[at + 1]!;
    if (end > bytes.length) {
      const found = `a component of ${bytes[at + 1]!} bytes at byte ${at}`;
      throw corrupt(where, found, `inside the ${bytes.length} bytes of the entry`);
    }
    if (link.open) link.bytes.push(SLASH);
    if (flags & SL.current) link.bytes.push(DOT);
    else if (flags & SL.parent) link.bytes.push(DOT, DOT);
    else if (flags & SL.root) link.bytes.push(SLASH);
    else link.bytes.push(...bytes.subarray(at + 2, end));
    link.open = (flags & (SL.continue | SL.root)) === 0;
    at = end;
  }
  if (link.bytes.length > MAX_LINK_BYTES) {
    throw corrupt(where, `a target of ${link.bytes.length} bytes`, `at most ${MAX_LINK_BYTES}`);
  }
}

/**
 * The stream behind xl's header: libxl's records, and libxc's among them. Both are walked from header to header, the
 * pages of memory are stepped over. There are no checksums: an image is whole when both END records are met.
 */
import { corrupt, overLimit, unsupported } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { within } from "../../base/where.ts";
import { hex } from "../../base/units.ts";
import type { ImageWindow } from "./image-bytes.ts";
import {
  domainHeader,
  LAST_LIBXC_RECORD,
  LIBXC_ID,
  LIBXC_MARKER,
  LIBXC_RECORD,
  libxcHeader,
  LIBXL_IDENT,
  LIBXL_RECORD,
  LIBXL_VERSION,
  libxlHeader,
  OPTION_BIG_ENDIAN,
  OPTIONAL_RECORDS,
  pageDataHeader,
  recordHeader,
} from "./structs.ts";

/** What the walk has found so far; of a stream that is cut off, what came before the cut. */
export type StreamFacts = {
  /** The Xen that saved it. Of a converted image 0 and the converter's own version. */
  xen?: { readonly major: number; readonly minor: number };
  /** `hvm` is PVH, too: both are the same to libxc. */
  domainType?: "pv" | "hvm";
  /** Of a guest's page, in bytes. */
  pageSizeBytes: number;
  /** Pages whose content is in the image. */
  pages: number;
  /** The state of a device model is in it. */
  hasEmulator: boolean;
  /** Made from the format before Xen 4.6 by Xen's converter. */
  converted: boolean;
  /** Record types that Xen 4.20 has not and that may not be passed over: an older Xen does not restore it. */
  readonly unknownRecords: Set<string>;
  /** Where the stream ends, once its END was met. */
  endBytes?: number;
};

export function noStreamFacts(): StreamFacts {
  return {
    pageSizeBytes: 4096,
    pages: 0,
    hasEmulator: false,
    converted: false,
    unknownRecords: new Set(),
  };
}

/**
 * Records of pages hold 1024 of them (xen: MAX_BATCH_SIZE), so that this many are a guest of 4 TiB. Bounds the walk,
 * as each costs a read.
 */
const MAX_RECORDS = 1_048_576;
/** libxc refuses longer ones (xen: REC_LENGTH_MAX); libxl has no bound. */
const MAX_LIBXC_BYTES = 128 * 1024 * 1024;
/** Kept of the types that are not known. */
const MAX_UNKNOWN = 16;

type Walk = { readonly window: ImageWindow; readonly facts: StreamFacts; records: number };

/**
 * Fills `facts`. Failures: `CutOff` where the file ends too soon, `corrupt`, `unsupported` for another version or byte
 * order, `limit`.
 */
export async function walkStream(
  window: ImageWindow,
  startBytes: number,
  facts: StreamFacts,
): Promise<void> {
  const walk: Walk = { window, facts, records: 0 };
  const where = within(window.where, "libxl stream");
  const head = libxlHeader.read(await window.take(startBytes, 16, "libxl's header"));
  if (head.ident !== LIBXL_IDENT) {
    throw corrupt(where, `${hex(head.ident)} at byte ${startBytes}`, `"LibxlFmt"`);
  }
  if (head.version !== LIBXL_VERSION)
    throw unsupported(where, `version ${head.version} of libxl's stream`);
  if (head.options & OPTION_BIG_ENDIAN) throw unsupported(where, "a big-endian stream");
  facts.converted = (head.options & 2) !== 0;
  let at = startBytes + libxlHeader.size;
  let hasContext = false;
  for (;;) {
    const { type, length, body, next } = await takeRecord(walk, at, { where });
    at = next;
    if (type === LIBXL_RECORD.libxcContext) {
      if (hasContext) throw corrupt(where, "a second LIBXC_CONTEXT record", "one");
      if (length !== 0) throw corrupt(where, `${length} bytes of LIBXC_CONTEXT`, "none");
      at = await walkLibxc(walk, body);
      hasContext = true;
    } else if (type === LIBXL_RECORD.emulatorContext) facts.hasEmulator = true;
    else if (type === LIBXL_RECORD.end) {
      if (!hasContext) throw corrupt(where, "END", "LIBXC_CONTEXT before it");
      facts.endBytes = at;
      return;
    } else if (type > LIBXL_RECORD.checkpointState && type < OPTIONAL_RECORDS) {
      noteUnknown(facts, `libxl ${hex(type)}`);
    }
  }
}

/** From libxc's header to behind its END record; returns where that is. */
async function walkLibxc(walk: Walk, startBytes: number): Promise<number> {
  const { window, facts } = walk;
  const where = within(window.where, "libxc stream");
  const head = libxcHeader.read(await window.take(startBytes, 24, "libxc's header"));
  if (head.marker !== LIBXC_MARKER || head.id !== LIBXC_ID) {
    throw corrupt(where, `${hex(head.marker)} ${hex(head.id)}`, `64 ones and "XENF"`);
  }
  if (head.version !== 2 && head.version !== 3)
    throw unsupported(where, `version ${head.version} of libxc's stream`);
  if (head.options & OPTION_BIG_ENDIAN) throw unsupported(where, "a big-endian stream");
  let at = startBytes + libxcHeader.size;
  const domain = domainHeader.read(await window.take(at, 16, "the domain header"));
  if (domain.type !== 1 && domain.type !== 2)
    throw unsupported(where, `a domain of type ${domain.type}`);
  // Xen knows no other size than 4 KiB on x86 and Arm (xen: XC_PAGE_SHIFT).
  if (domain.page_shift !== 12) throw unsupported(where, `pages of 2^${domain.page_shift} bytes`);
  facts.domainType = domain.type === 1 ? "pv" : "hvm";
  facts.xen = { major: domain.xen_major, minor: domain.xen_minor };
  at += domainHeader.size;
  for (;;) {
    const { type, length, body, next } = await takeRecord(walk, at, {
      where,
      most: MAX_LIBXC_BYTES,
    });
    if (type === LIBXC_RECORD.pageData) {
      facts.pages += await pagesIn(walk, { body, length, where });
    } else if (type > LAST_LIBXC_RECORD && type < OPTIONAL_RECORDS) {
      noteUnknown(facts, `libxc ${hex(type)}`);
    }
    at = next;
    if (type === LIBXC_RECORD.end) return at;
  }
}

type Record = {
  readonly type: number;
  /** Of the body, in bytes, without its padding. */
  readonly length: number;
  readonly body: number;
  readonly next: number;
};

/** The header of the record at `at`, which is no longer than `most`; the whole of it is inside the file. */
async function takeRecord(
  walk: Walk,
  at: number,
  { where, most = Number.MAX_SAFE_INTEGER }: { where: Where; most?: number },
): Promise<Record> {
  const { window } = walk;
  walk.records += 1;
  if (walk.records > MAX_RECORDS) throw overLimit(where, "records", String(MAX_RECORDS));
  const { type, length } = recordHeader.read(await window.take(at, 8, "a record's header"));
  if (length > most) throw corrupt(where, `a record of ${length} bytes`, `${most} at most`);
  const body = at + recordHeader.size;
  const next = body + Math.ceil(length / 8) * 8;
  window.assertHolds(next, `a record of type ${hex(type)}`);
  return { type, length, body, next };
}

/** How many of the record's pages have their content in it: the count stands first, the sizes tell the rest. */
async function pagesIn(
  { window, facts }: Walk,
  { body, length, where }: { body: number; length: number; where: Where },
): Promise<number> {
  if (length < pageDataHeader.size)
    throw corrupt(where, `PAGE_DATA of ${length} bytes`, "8 or more");
  const { count } = pageDataHeader.read(await window.take(body, 8, "PAGE_DATA"));
  const content = length - pageDataHeader.size - 8 * count;
  const pages = content / facts.pageSizeBytes;
  if (count === 0 || !Number.isInteger(pages) || pages < 0 || pages > count) {
    throw corrupt(
      where,
      `PAGE_DATA of ${length} bytes for ${count} pages`,
      "8 bytes for each page, and the content of some",
    );
  }
  return pages;
}

function noteUnknown(facts: StreamFacts, type: string): void {
  if (facts.unknownRecords.size < MAX_UNKNOWN) facts.unknownRecords.add(type);
}

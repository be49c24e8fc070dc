/**
 * Linux swap areas: `union swap_header` of include/linux/swap.h. The signature is in the last ten bytes of the first
 * page, so the page size of the machine that made it says where to look. Header fields are in the byte order
 * of that machine; big endian is not supported (no Xen machine is).
 */
import { unsupported } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { bytesField, u32le, uuid } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString, latin1 } from "../../bytes/text.ts";
import { isNilUuid } from "../../bytes/uuid.ts";
import type { Content, Magic, Prober } from "../content.ts";

const PAGE_SIZES = [4096, 8192, 16384, 32768, 65536] as const;
const SIGNATURE_BYTES = 10;
const INFO_OFFSET = 1024;

/** The old format has a bitmap and no header; Linux dropped it in 2.5, mkswap still names it. */
const OLD = "SWAP-SPACE";
const CURRENT = "SWAPSPACE2";
/** What the kernel's and user space's hibernation put over the signature while an image is stored. */
const HIBERNATED = ["S1SUSPEND", "S2SUSPEND", "ULSUSPEND"] as const;

/** The `info` part of the union, which begins at byte 1024. */
export const swapInfo = struct("swap_header_info", 44, {
  version: [0, u32le],
  last_page: [4, u32le],
  nr_badpages: [8, u32le],
  sws_uuid: [12, uuid],
  sws_volume: [28, bytesField(16)],
});

/** `page` is the first page, whole: its length says the page size. `undefined` when it has no signature. */
export function parseSwap(page: Uint8Array, where: Where): Content | undefined {
  const signature = latin1(page.subarray(page.length - SIGNATURE_BYTES)).replace(/\0+$/, "");
  if (signature === OLD) return { kind: "swap", uuid: "", label: "", sizeBytes: 0 };
  const hibernated = HIBERNATED.some((name) => signature === name);
  if (signature !== CURRENT && !hibernated) return undefined;
  const info = swapInfo.read(page, INFO_OFFSET, where);
  if (info.version !== 1) {
    throw unsupported(within(where, "swap"), `swap header version ${info.version}`);
  }
  const id = isNilUuid(info.sws_uuid) ? "" : info.sws_uuid;
  if (hibernated) {
    return {
      kind: "named",
      format: "swap with a hibernation image",
      uuid: id,
      why: "The guest was hibernated (suspended to disk), not shut down. Its filesystems may be read, but must not be changed until it was resumed.",
    };
  }
  return {
    kind: "swap",
    uuid: id,
    label: decodeCString(info.sws_volume),
    // 2^32 pages of 2^16 bytes at most: exact.
    sizeBytes: (info.last_page + 1) * page.length,
  };
}

const encoder = new TextEncoder();

export const swapProber: Prober = {
  name: "swap",
  magics: PAGE_SIZES.flatMap((pageSize) =>
    [CURRENT, OLD, ...HIBERNATED].map((name): Magic => ({
      offset: pageSize - SIGNATURE_BYTES,
      bytes: encoder.encode(name),
    })),
  ),
  async probe(source, { signal }) {
    for (const pageSize of PAGE_SIZES) {
      if (pageSize > source.size) break;
      const page = await source.read(0, pageSize, signal);
      const content = parseSwap(page, source.where);
      if (content?.kind === "swap" && content.sizeBytes === 0) {
        return { ...content, sizeBytes: source.size };
      }
      if (content) return content;
    }
    return undefined;
  },
};

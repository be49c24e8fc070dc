/**
 * What the domain builder of each release of Xen unpacks, written down from the sources of its tags (the file and the
 * commits are named in docs/reference/xen-kernels.md) and from runs of their lz4 decoders on real kernels. Nothing here
 * is computed by domus.
 */

/** One of each behaviour, and the last of every branch. */
export const XEN_RELEASES = [
  ...["4.4.0", "4.4.4", "4.5.5", "4.6.6", "4.7.6", "4.8.5", "4.9.4", "4.10.4", "4.11.3", "4.11.4"],
  ...["4.12.1", "4.12.2", "4.13.0", "4.13.5", "4.14.6", "4.15.7", "4.16.7", "4.17.5"],
  ...["4.18.4", "4.18.5", "4.19.1", "4.19.2", "4.20.0"],
] as const;

export type XenRelease = (typeof XEN_RELEASES)[number];

/** `y`: unpacked. `n`: refused. `?`: depends on how it was built, or on patches. */
export type Cell = "y" | "n" | "?";

/** In the order of the releases above; a space after each group of them that distributions shipped together. */
const CELLS = {
  //                   4.4 4.5-4.9 4.10-4.12 4.13-4.17 4.18 4.19 4.20
  none: /*               */ "yy yyyyy yyyyy yyyyyy yy yy y",
  gzip: /*               */ "yy yyyyy yyyyy yyyyyy yy yy y",
  bzip2: /*              */ "?? ????? ????? ?????? ?? ?? ?",
  lzma: /*               */ "yy yyyyy yyyyy yyyyyy yy yy y",
  lzo: /*                */ "?? ????? ????? ?????? ?? ?? ?",
  xz: /*                 */ "yy yyyyy yyyyy yyyyyy yy yy y",
  "xz-large-dictionary": "nn nnnnn nnnnn nnnnn? ?y ?y y",
  lz4: /*                */ "yn nnnnn nnyny yyyyyy yy yy y",
  "lz4-frame": /*        */ "nn nnnnn nnnnn nnnnnn nn nn n",
  zstd: /*               */ "nn nnnnn nnnnn nnnyyy yy yy y",
} as const;

export type PackedAs = keyof typeof CELLS;
export const PACKED_AS = Object.keys(CELLS) as PackedAs[];

export function unpackedBy(packed: PackedAs, release: XenRelease): Cell {
  return CELLS[packed].replaceAll(" ", "")[XEN_RELEASES.indexOf(release)] as Cell;
}

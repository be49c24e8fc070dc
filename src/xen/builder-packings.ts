/**
 * Which packed kernels Xen's domain builder (libxenguest) unpacks: by its release, and by the libraries that it was
 * linked with when it was built.
 */
import { fileName } from "../base/path.ts";
import { MIB } from "../base/units.ts";
import type { Compression } from "../bytes/decompress/format.ts";
import { COMPRESSIONS } from "../bytes/decompress/format.ts";
import { isXenAtLeast, xenRelease } from "./host-facts.ts";
import type { BuilderFix, DictionaryLimit, XenVersion } from "./host-facts.ts";

export type BuilderPackings = {
  /** Unpacked for certain. */
  readonly packings: readonly Compression[];
  /** Known to this release, but a build may have been made without them. */
  readonly uncertain: readonly Compression[];
  readonly because: string;
};

/**
 * The release whose builder first unpacks it (xen: tools/libs/guest/xg_dom_bzimageloader.c of each). Later ones know it
 * by name at least: where they do not unpack it, they were built without the library.
 */
export const PACKING_SINCE: Partial<Record<Compression, string>> = {
  gzip: "3.0",
  bzip2: "4.0",
  lzma: "4.0",
  lzo: "4.1",
  xz: "4.2",
  lz4: "4.4",
  zstd: "4.15",
};

/**
 * The soname of the library without which a build cannot unpack it (tools/configure). The builder has its own lz4
 * until 4.21. zlib is required. lzma serves both of its formats.
 */
const LIBRARIES: Partial<Record<Compression, string>> = {
  bzip2: "libbz2",
  lzma: "liblzma",
  xz: "liblzma",
  lzo: "liblzo2",
  zstd: "libzstd",
};

/** Distributions leave these out: Debian's 4.17 has neither. The others are in every build seen. */
const OFTEN_LEFT_OUT: readonly Compression[] = ["bzip2", "lzo"];

/** Whether the source of this release can unpack it. */
export function isPackingKnownTo(version: XenVersion, packing: Compression): boolean {
  const since = PACKING_SINCE[packing];
  return since !== undefined && isXenAtLeast(version, since);
}

function knownTo(version: XenVersion): Compression[] {
  return COMPRESSIONS.filter((packing) => isPackingKnownTo(version, packing));
}

/** From the release alone. */
export function packingsOfRelease(version: XenVersion): BuilderPackings {
  const known = knownTo(version);
  const uncertain = known.filter((packing) => OFTEN_LEFT_OUT.includes(packing));
  const packings = known.filter((packing) => !OFTEN_LEFT_OUT.includes(packing));
  const release = xenRelease(version);
  return {
    packings,
    uncertain,
    because:
      uncertain.length === 0
        ? `Xen ${release} can unpack these`
        : `Xen ${release} can unpack these; ${uncertain.join(" and ")} only when it was built with their libraries`,
  };
}

/**
 * From the release and what its libxenguest is linked with: names as `ldd` or the ELF's DT_NEEDED have them
 * (`liblzma.so.5`, with or without a directory). Nothing is uncertain then.
 */
export function packingsFromLinkedLibraries(
  version: XenVersion,
  sonames: readonly string[],
): BuilderPackings {
  const linked = new Set(sonames.map((name) => fileName(name).replace(/\.so.*$/, "")));
  const packings = knownTo(version).filter((packing) => {
    const library = libraryFor(packing, version);
    return library === undefined || linked.has(library);
  });
  const named = [...new Set(Object.values(LIBRARIES)), "liblz4"].filter((name) => linked.has(name));
  return {
    packings,
    uncertain: [],
    because: `libxenguest of Xen ${xenRelease(version)} is linked with ${named.join(", ") || "no such library but zlib"}`,
  };
}

function libraryFor(packing: Compression, version: XenVersion): string | undefined {
  if (packing === "lz4") return isXenAtLeast(version, "4.22") ? "liblz4" : undefined;
  return LIBRARIES[packing];
}

/** Releases whose builder had a bug mended, as upstream's release tags have it. */
type FixHistory = {
  /** This release and all later ones have it from their .0 on. */
  readonly since: string;
  /** The point release from which on an older branch has it; one that never came stands for its branch's end. */
  readonly backports: Readonly<Record<string, number>>;
  /** Distributions have added it to earlier ones of these, which shows in no version. */
  readonly added?: readonly string[];
};

/**
 * From August 2014 on the builder took a short match for damage, and every lz4 stream of some size has one (xen:
 * commits 9143a6c55e and 2d7572cdfa, xen/common/lz4/decompress.c, which the builder includes). 4.4.0 is older than the
 * bug; 4.10 got the fix after its last release.
 */
const LZ4_FIX: FixHistory = { since: "4.13", backports: { "4.10": 5, "4.11": 4, "4.12": 2 } };

/**
 * liblzma may use 128 MiB in the builder, and twice that since commit e6472d4668, which Debian added to its 4.17.5. What
 * it needs is a little more than the dictionary.
 */
const DICTIONARY_FIX: FixHistory = {
  since: "4.20",
  backports: { "4.18": 5, "4.19": 2 },
  added: ["4.17", "4.18", "4.19"],
};

function builderFix(version: XenVersion, { since, backports, added }: FixHistory): BuilderFix {
  if (isXenAtLeast(version, since)) return "fixed";
  const release = xenRelease(version);
  const without = added?.includes(release) ? "maybe" : "broken";
  const first = backports[release];
  if (first === undefined) return without;
  const { point, rest } = pointRelease(version);
  if (point === undefined) return "maybe";
  if (rest === "") return point >= first ? "fixed" : without;
  // `.4-pre` is on the way from .3 to .4; `.4-1ubuntu2` is .4 or more
  return point >= first && !/^-(?:pre|rc)/.test(rest) ? "fixed" : "maybe";
}

/** `.4-pre` of 4.11.4-pre is 4 and `-pre`. */
function pointRelease({ extra }: XenVersion): { point?: number; rest: string } {
  const [, point, rest] = /^\.(\d{1,3})(.*)$/.exec(extra) ?? [];
  return point === undefined ? { rest: extra } : { point: Number(point), rest: rest! };
}

/** Whether the builder of that version unpacks lz4 kernels at all. */
export function lz4Fix(version: XenVersion): BuilderFix {
  if (xenRelease(version) !== "4.4") return builderFix(version, LZ4_FIX);
  const { point, rest } = pointRelease(version);
  if (point === 0 && rest === "") return "fixed";
  return point === undefined || point === 0 ? "maybe" : "broken";
}

const OLD_LIMIT_BYTES = 128 * MIB;
const LIMIT_BYTES = 256 * MIB;

/** The dictionaries of xz and lzma kernels that the builder of that version takes. */
export function dictionaryLimit(version: XenVersion): DictionaryLimit {
  const fix = builderFix(version, DICTIONARY_FIX);
  return {
    takenBelowBytes: fix === "fixed" ? LIMIT_BYTES : OLD_LIMIT_BYTES,
    refusedFromBytes: fix === "broken" ? OLD_LIMIT_BYTES : LIMIT_BYTES,
  };
}

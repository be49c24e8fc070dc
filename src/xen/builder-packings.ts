/**
 * Which packed kernels Xen's domain builder (libxenguest) unpacks: by its release, and by the libraries that it was
 * linked with when it was built.
 */
import { fileName } from "../base/path.ts";
import type { Compression } from "../bytes/decompress/format.ts";
import { COMPRESSIONS } from "../bytes/decompress/format.ts";
import { isXenAtLeast, xenRelease } from "./host-facts.ts";
import type { Lz4Fix, XenVersion } from "./host-facts.ts";

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

/**
 * Kernels from 5.3 on, packed with lz4, end their payload in a way that builders took for damage until Xen commit
 * 2d7572cdfa: in 4.14.0, and in the stable branches of 4.10 to 4.13 since December 2019.
 */
export function lz4Fix(version: XenVersion): Lz4Fix {
  if (isXenAtLeast(version, "4.14")) return "fixed";
  return isXenAtLeast(version, "4.10") ? "maybe" : "broken";
}

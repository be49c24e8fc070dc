/** Debian's programs that write ISO 9660, unpacked into the cache, never installed. */
import { join } from "node:path";
import { debianPackage } from "../../../lab/debian.ts";

const LIBRARIES = ["libisoburn1", "libburn4", "libisofs6", "libjte2"] as const;

/** Shell words that begin a command: `xorriso`, `genisoimage`, `mkzftree`, `isoinfo`. */
export type IsoPrograms = Readonly<
  Record<"xorriso" | "genisoimage" | "mkzftree" | "isoinfo" | "isolinux", string>
>;

/** `isolinux` is the directory with its boot images. */
export function isoPrograms(): IsoPrograms {
  const libraries = LIBRARIES.map((name) =>
    join(debianPackage("bookworm", name), "usr/lib/x86_64-linux-gnu"),
  );
  const genisoimage = join(debianPackage("bookworm", "genisoimage"), "usr/bin");
  const xorriso = join(debianPackage("bookworm", "xorriso"), "usr/bin/xorriso");
  return {
    xorriso: `env LD_LIBRARY_PATH=${libraries.join(":")} ${xorriso}`,
    genisoimage: join(genisoimage, "genisoimage"),
    mkzftree: join(genisoimage, "mkzftree"),
    isoinfo: join(genisoimage, "isoinfo"),
    isolinux: join(debianPackage("bookworm", "isolinux"), "usr/lib/ISOLINUX"),
  };
}

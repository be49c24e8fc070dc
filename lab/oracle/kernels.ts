/** The kernels that cases name: `KERNEL/VARIANT` of test/support/repack.ts, and some more. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelWithoutZstd } from "../../test/support/boot-probe.ts";
import { kernelCase } from "../../test/support/repack.ts";
import { cacheDir } from "../debian.ts";

/** Names that no file has: the config or the loader points to nothing. */
export const ABSENT = "absent";

/** The file of that kernel on this machine, made unless it is in the cache; undefined for `absent`. */
export function oracleKernel(name: string): string | undefined {
  if (name === ABSENT) return undefined;
  const [kernel, variant] = name.split("/");
  const dir = cacheDir("lab", "oracle", "kernels");
  if (kernel === "5.10" && (variant === "zstd-off" || variant === "zstd-unknown")) {
    const file = join(dir, `${variant}.elf`);
    return existsSync(file) ? file : kernelWithoutZstd(variant, dir);
  }
  if (name === "text") {
    const file = join(dir, "text");
    writeFileSync(file, "#!/bin/sh\necho this is no kernel\n");
    return file;
  }
  return kernelCase(name).path();
}

/** xfsprogs as installed, and those of a newer Debian, which know features that this one's do not. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { debianPackage } from "../../../../../lab/debian.ts";
import { sh } from "../../../../support/need.ts";

const LIBRARIES =
  "libc6 libinih1 liburcu8t64 libblkid1 libuuid1 libedit2 libtinfo6 libicu76 libbsd0 libmd0 libstdc++6 libgcc-s1".split(
    " ",
  );

/** The start of a command line that runs a program of Debian 13's xfsprogs with the libraries it was made for. */
export function newerTool(program: string): string {
  const paths = LIBRARIES.map((name) =>
    join(debianPackage("trixie", name), "usr/lib/x86_64-linux-gnu"),
  );
  const loader = join(paths[0]!, "ld-linux-x86-64.so.2");
  const file = join(debianPackage("trixie", "xfsprogs"), "usr/sbin", program);
  if (!existsSync(loader) || !existsSync(file)) throw new Error(`no ${loader} or no ${file}`);
  return `'${loader}' --library-path '${paths.join(":")}' '${file}'`;
}

export type XfsMake = {
  /** Options of mkfs.xfs. */
  readonly mkfs: string;
  /** By Debian 13's xfsprogs. */
  readonly newer?: boolean;
};

/** Runs mkfs.xfs, which otherwise makes neither filesystems below 300 MB nor logs below 64 MB. */
export function makeXfs(image: string, { mkfs, newer = false }: XfsMake): void {
  const program = newer ? newerTool("mkfs.xfs") : "mkfs.xfs";
  sh(`export TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x; ${program} -q -f ${mkfs} '${image}'`);
}

/** Fails when xfs_repair finds anything to repair. */
export function assertSound(image: string, { newer = false }: XfsMake): void {
  sh(`${newer ? newerTool("xfs_repair") : "xfs_repair"} -n '${image}' 2>&1`);
}

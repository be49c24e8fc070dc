/**
 * `npm run bench [-- NAME ...]`: side-by-side measurements. Nothing here passes or fails: it prints ratios.
 * Each is a file in tools/bench/ with what it compares and the ratio that is aimed for.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensurePrograms } from "./programs.ts";
import { benchCheck } from "./bench/check.ts";
import { benchEntries } from "./bench/entries.ts";
import { benchList } from "./bench/list.ts";
import { benchListXen } from "./bench/list-xen.ts";
import { benchPygrub } from "./bench/pygrub.ts";
import { benchSecondRun } from "./bench/second-run.ts";
import { benchStart } from "./bench/start.ts";
import { benchSyncCore } from "./bench/sync-core.ts";
import { benchSyncSizes } from "./bench/sync-sizes.ts";
import { benchSync } from "./bench/sync.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  // Of sync alone: see bench/sync.ts.
  options: {
    gib: { type: "string" },
    runs: { type: "string" },
    scenario: { type: "string", multiple: true },
    peer: { type: "string", multiple: true },
    against: { type: "string", multiple: true },
  },
});

const BENCHES: Readonly<Record<string, (dist: string) => void | Promise<void>>> = {
  start: benchStart,
  entries: benchEntries,
  check: benchCheck,
  list: benchList,
  "list-xen": benchListXen,
  pygrub: benchPygrub,
  "second-run": benchSecondRun,
  "sync-core": benchSyncCore,
  "sync-sizes": benchSyncSizes,
  sync: (dist) => benchSync(dist, values),
};

const DIST = join(import.meta.dirname, "..", "dist", "domus");
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => !BENCHES[name]);
if (unknown.length > 0) {
  console.error(
    `There is no bench ${unknown.join(", ")}. There are: ${Object.keys(BENCHES).join(", ")}`,
  );
  process.exit(2);
}
if (!existsSync(DIST)) {
  console.error("The benches measure the built executable: npm run build makes it.");
  process.exit(1);
}
ensurePrograms({
  "/usr/bin/time": "time",
  xz: "xz-utils",
  gzip: "gzip",
  "mkfs.ext4": "e2fsprogs",
  sfdisk: "fdisk",
});
for (const name of names) await BENCHES[name]!(DIST);

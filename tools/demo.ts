/** `npm run demo`: builds a small sample host in demo/ and runs the real check on it. No root, no Xen. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensurePrograms } from "./programs.ts";
import { makeSampleHost } from "./sample/host.ts";

const ROOT = join(import.meta.dirname, "..");
const HOST = join(ROOT, "demo", "host");

ensurePrograms({ "mkfs.ext4": "e2fsprogs", sfdisk: "fdisk", mkswap: "util-linux" });
if (existsSync(HOST)) console.error("The sample host in demo/host is made anew.");
else console.error("Making a sample host in demo/host: six guests, their disks, a Xen 4.14.");
makeSampleHost(HOST);

/** 3 is what check ends with when it finds errors, and here it must. */
function domus(...args: string[]): void {
  console.log(`\n$ npm run -s domus -- ${args.join(" ")}`);
  const ran = spawnSync(process.execPath, [join(ROOT, "src/cli/main.ts"), ...args], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (ran.status !== 0 && ran.status !== 3) process.exit(ran.status ?? 1);
}

domus("check", "--root", "demo/host");
domus("check", "--root", "demo/host", "pandora");
domus("history", "--root", "demo/host", "pandora");
domus("disk", "ls", "--root", "demo/host", "pandora", "/boot");
console.log("\nGo on: npm run -s domus -- check --root demo/host database");

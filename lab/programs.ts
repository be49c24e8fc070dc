/** The disk with domus's own executables that every lab host gets, read-only, on /opt/domus. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./debian.ts";
import { makeSparse, PROGRAMS_BYTES } from "./host-files.ts";
import { withLock } from "./lock.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");

/** The executables in dist/: files without an ending that may be run. */
function executables(): string[] {
  if (!existsSync(DIST)) return [];
  return readdirSync(DIST).filter(
    (name) => !name.includes(".") && (statSync(join(DIST, name)).mode & 0o111) !== 0,
  );
}

function newest(dir: string): number {
  const times = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(0, ...times);
}

/** `npm run build` when dist/ has none or is older than the sources. */
function buildWhenStale(say: (line: string) => void): void {
  const oldest = Math.min(...executables().map((name) => statSync(join(DIST, name)).mtimeMs));
  if (Number.isFinite(oldest) && oldest >= newest(join(ROOT, "src"))) return;
  say("building domus (npm run build)");
  // whoever runs this may be an older Node
  const node = join(ROOT, "node_modules", "node", "bin", "node");
  const built = spawnSync(node, [join(ROOT, "tools", "build.ts")], {
    stdio: ["ignore", "ignore", 2],
  });
  if (built.status === 0) return;
  if (executables().length === 0) throw new Error("npm run build failed: see above");
  say("npm run build failed: the host gets what was built before");
}

/** An ext4 image with the executables of dist/, built first when they are older than the sources. */
export async function programsImage(say: (line: string) => void): Promise<string> {
  return withLock(join(cacheDir("lab"), "programs.lock"), () => {
    buildWhenStale(say);
    const names = executables();
    const stamp = Math.max(...names.map((name) => statSync(join(DIST, name)).mtimeMs));
    const dir = cacheDir("lab", "programs");
    const file = join(dir, `${Math.floor(stamp)}.img`);
    if (existsSync(file)) return file;
    const tree = mkdtempSync(join(dir, "tree-"));
    try {
      mkdirSync(tree, { recursive: true });
      for (const name of names) {
        // `domus-pygrub` is a link to `domus`, there as here
        cpSync(join(DIST, name), join(tree, name), { verbatimSymlinks: true });
      }
      const made = `${file}.made`;
      makeSparse(made, PROGRAMS_BYTES);
      const path = `${process.env["PATH"]}:/usr/sbin:/sbin`;
      execFileSync("mkfs.ext4", ["-q", "-F", "-O", "^has_journal", "-d", tree, made], {
        stdio: ["ignore", "ignore", 2],
        env: { ...process.env, PATH: path },
      });
      // older ones stay while a running host has them open: an unlinked file lives on with its QEMU
      for (const old of readdirSync(dir)) if (old.endsWith(".img")) rmSync(join(dir, old));
      renameSync(made, file);
    } finally {
      rmSync(tree, { recursive: true, force: true });
    }
    return file;
  });
}

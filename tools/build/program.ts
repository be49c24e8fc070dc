/**
 * The bundle as the executable holds it: a script of one-byte characters with V8's code cache of it, both assets of the
 * executable, and the few lines that start it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ext4Image } from "../sample/image.ts";

export type Program = {
  /** The executable's main script. */
  readonly main: string;
  /** Names of assets and the files that they are made of. */
  readonly assets: Readonly<Record<string, string>>;
  readonly files: readonly string[];
};

const MAIN = `
const { getRawAsset } = require("node:sea");
const { Script } = require("node:vm");
const source = Buffer.from(getRawAsset("program")).latin1Slice();
const cachedData = Buffer.from(getRawAsset("cache"));
const script = new Script(source, { filename: "domus.cjs", cachedData });
script.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/** `bundle` is a CommonJS script; `node` the binary that the executable is made of. */
export function makeProgram(bundle: string, node: string): Program {
  const program = `${bundle}.program`;
  const cache = `${bundle}.cache`;
  const main = `${bundle}.main.cjs`;
  const text = readFileSync(bundle, "utf8").replace(/^#!.*/, "");
  // In strings, templates and patterns, and nowhere else, does the bundle have others.
  const ascii = text.replaceAll(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  writeFileSync(program, `(function(exports,require,module,__filename,__dirname){${ascii}\n})`);
  rmSync(cache, { force: true });
  warmUp(node, program, cache);
  writeFileSync(main, MAIN);
  return { main, assets: { program, cache }, files: [program, cache, main] };
}

/** Lists the entries of a small guest: what it takes to read a disk is what most commands need. */
function warmUp(node: string, program: string, cache: string): void {
  const dir = mkdtempSync(join(tmpdir(), "domus-build-"));
  const script = join(import.meta.dirname, "warm-up.ts");
  try {
    const image = join(dir, "guest.img");
    // Without mkfs.ext4 it looks at a disk with nothing on it: that starts slower, and is no reason not to build.
    if (spawnSync("mkfs.ext4", ["-V"]).error) writeFileSync(image, new Uint8Array(1 << 21));
    else
      ext4Image(image, { sizeMib: 16, uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff", tree: TREE });
    // It may end with 1, when there is no menu; the cache is written all the same.
    const ran = spawnSync(node, [script, program, cache, "entries", image], { encoding: "utf8" });
    if (!existsSync(cache)) throw new Error(`the program does not run: ${ran.stderr}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const TREE = {
  "boot/vmlinuz-1": "sample",
  "boot/initrd.img-1": "sample",
  "boot/grub/grub.cfg": `set default="0"
if [ x$feature_menuentry_id = xy ]; then menuentry_id_option="--id"; else menuentry_id_option=""; fi
function load_video { insmod all_video; }
menuentry 'Linux' $menuentry_id_option 'linux' {
  load_video
  search --no-floppy --fs-uuid --set=root 6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff
  linux /boot/vmlinuz-1 root=/dev/xvda1 ro
  initrd /boot/initrd.img-1
}
submenu 'More' { menuentry 'Linux, single' { linux /boot/vmlinuz-1 single } }
`,
  "sbin/init": "sample",
};

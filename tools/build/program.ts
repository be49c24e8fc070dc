/**
 * The bundles as the executable holds them: each a script of one-byte characters with V8's code cache of it, all of them
 * assets of the executable, and the few lines that start the one whose name was called.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ext4Image } from "../sample/image.ts";

/** One of the executable's names, and the CommonJS script behind it. */
export type Bundle = { readonly name: "domus" | "domus-pygrub"; readonly script: string };

export type Programs = {
  /** The executable's main script. */
  readonly main: string;
  /** Names of assets and the files that they are made of. */
  readonly assets: Readonly<Record<string, string>>;
  readonly files: readonly string[];
};

/** What is not called domus-pygrub is domus, whatever it is called. */
const MAIN = `
const { getRawAsset } = require("node:sea");
const { Script } = require("node:vm");
const name = /(^|\\/)domus-pygrub$/.test(process.argv0) ? "domus-pygrub" : "domus";
const source = Buffer.from(getRawAsset(name + ".program")).latin1Slice();
const cachedData = Buffer.from(getRawAsset(name + ".cache"));
const script = new Script(source, { filename: name + ".cjs", cachedData });
script.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/** `node` is the binary that the executable is made of. */
export function makePrograms(bundles: readonly Bundle[], dir: string, node: string): Programs {
  const assets: Record<string, string> = {};
  const main = join(dir, "main.cjs");
  writeFileSync(main, MAIN);
  for (const bundle of bundles) {
    const program = `${bundle.script}.program`;
    const cache = `${bundle.script}.cache`;
    writeFileSync(program, wrapped(readFileSync(bundle.script, "utf8")));
    rmSync(cache, { force: true });
    warmUp(node, bundle.name, { program, cache });
    assets[`${bundle.name}.program`] = program;
    assets[`${bundle.name}.cache`] = cache;
  }
  return { main, assets, files: [main, ...Object.values(assets)] };
}

function wrapped(bundle: string): string {
  // In strings, templates and patterns, and nowhere else, does a bundle have others.
  const ascii = bundle
    .replace(/^#!.*/, "")
    .replaceAll(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `(function(exports,require,module,__filename,__dirname){${ascii}\n})`;
}

/** What each does most: `domus` lists the entries of a small guest, `domus-pygrub` prepares its boot. */
function warmUp(
  node: string,
  name: Bundle["name"],
  { program, cache }: { program: string; cache: string },
): void {
  const dir = mkdtempSync(join(tmpdir(), "domus-build-"));
  const script = join(import.meta.dirname, "warm-up.ts");
  try {
    const image = join(dir, "guest.img");
    const out = join(dir, "out");
    mkdirSync(out);
    // Without mkfs.ext4 it looks at a disk with nothing on it: that starts slower, and is no reason not to build.
    if (spawnSync("mkfs.ext4", ["-V"]).error) writeFileSync(image, new Uint8Array(1 << 21));
    else
      ext4Image(image, { sizeMib: 16, uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff", tree: TREE });
    const args = {
      domus: ["entries", image],
      "domus-pygrub": ["-q", `--output-directory=${out}`, "--output-format=simple0", image],
    }[name];
    // It may end with 1, when there is no menu; the cache is written all the same.
    const ran = spawnSync(node, [script, program, cache, name, ...args], { encoding: "utf8" });
    if (!existsSync(cache)) throw new Error(`the program does not run: ${ran.stderr}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const TREE = {
  "boot/vmlinuz-1": "sample",
  // What most initramfs images begin with.
  "boot/initrd.img-1": Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3),
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

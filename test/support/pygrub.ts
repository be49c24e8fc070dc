/** Xen 4.17's real pygrub, from Debian's packages unpacked in the cache; nothing is installed. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianPackage } from "../../lab/debian.ts";

export type RealPygrub = {
  readonly exitCode: number | null;
  /** The contents of what it has copied out of the image. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly args: string;
  /** The configuration that it read last. */
  readonly configPath?: string;
  readonly stderr: string;
  /** Titles in menu order, of the partition that it took. */
  readonly titles: readonly string[];
};

const LIBRARIES = "usr/lib/xen-4.17/lib/x86_64-linux-gnu";

/** How it is started, as a program and its arguments, and what it needs in its environment. */
export function pygrubCommand(image: string, args: readonly string[]) {
  const misc = debianPackage("bookworm", "libxenmisc4.17");
  const pygrub = join(debianPackage("bookworm", "xen-utils-4.17"), "usr/lib/xen-4.17/bin/pygrub");
  const python = "/usr/bin/python3.11";
  if (!existsSync(python)) throw new Error(`this test needs ${python}: apt install python3.11`);
  return {
    argv: [python, pygrub, "-q", ...args, image],
    env: {
      XEN_FSIMAGE_FSDIR: join(misc, LIBRARIES, "xenfsimage"),
      LD_LIBRARY_PATH: `${join(misc, LIBRARIES)}:${join(misc, "usr/lib/x86_64-linux-gnu")}`,
    },
  };
}

function run(image: string, args: readonly string[]) {
  const { argv, env } = pygrubCommand(image, args);
  const [program = "", ...rest] = argv;
  return spawnSync(program, rest, { encoding: "utf8", env: { ...process.env, ...env } });
}

export function realPygrub(image: string): RealPygrub {
  const out = mkdtempSync(join(tmpdir(), "domus-pygrub-"));
  try {
    const where = `--output-directory=${out}`;
    const ran = run(image, [where, "--output-format=simple"]);
    const listed = run(image, [where, "-l"]);
    const field = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(ran.stdout)?.[1];
    const [kernel, ramdisk] = ["kernel", "ramdisk"]
      .map(field)
      .map((path) => path && readFileSync(path, "utf8"));
    const configPath = [...ran.stderr.matchAll(/^Using .* to parse (.*)$/gm)].at(-1)?.[1];
    return {
      exitCode: ran.status,
      args: field("args") ?? "",
      stderr: ran.stderr,
      titles: [...listed.stdout.matchAll(/^title: (.*)$/gm)].map((match) => match[1]!),
      ...(kernel !== undefined && { kernel }),
      ...(ramdisk !== undefined && { ramdisk }),
      ...(configPath !== undefined && { configPath }),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The command line of pygrub: the same arguments for the real one and for ours, and what both print, leave and return. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "./need.ts";
import { disk, ext4, grubEntry, LABELS, LEGACY, THREE, tree } from "./pygrub-images.ts";
import { pygrubCommand } from "./pygrub.ts";

type Ran = {
  readonly exitCode: number | null;
  /** The random part of file names is `RANDOM`, the directory `DIR`. */
  readonly stdout: string;
  readonly output: string;
  /** Files in the output directory: names, modes and contents. */
  readonly files: readonly string[];
};

export type PygrubProgram = {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** `args` may name `DIR`, a directory that is made for it, `OUT`, a file that is there, and `IMAGE`. */
function run({ argv, env = {} }: PygrubProgram, image: string, args: readonly string[]): Ran {
  const work = scratch();
  const [dir, out] = [join(work, "d"), join(work, "out")];
  mkdirSync(dir);
  writeFileSync(out, "");
  const filled = args.map((one) =>
    one.replace("DIR", dir).replace("OUT", out).replace("IMAGE", image),
  );
  const [program = "", ...rest] = [...argv, ...filled];
  const ran = spawnSync(program, rest, {
    encoding: "utf8",
    // Python's mkstemp and open() both ask the locale for its encoding.
    env: { ...process.env, LC_ALL: "C.UTF-8", ...env },
  });
  if (ran.error) throw ran.error;
  const normal = (text: string) =>
    text
      .replaceAll(dir, "DIR")
      .replaceAll(/boot_(kernel|ramdisk)\.[a-z0-9_]{8}/g, "boot_$1.RANDOM");
  const files = readdirSync(dir).map((name) => {
    const path = join(dir, name);
    const mode = (statSync(path).mode & 0o7777).toString(8);
    return `${normal(name)} ${mode} ${readFileSync(path, "latin1")}`;
  });
  return {
    exitCode: ran.status,
    stdout: normal(ran.stdout),
    output: normal(readFileSync(out, "utf8")),
    files: files.toSorted(),
  };
}

const D = "--output-directory=DIR";
const QUIET = ["-q", D];

type Cases = readonly (readonly string[])[];

/** Both must do the same with these, to the byte, on every disk. */
const SAME: Cases = [
  [...QUIET, "IMAGE"],
  [...QUIET, "--output-format=simple", "--args=more", "IMAGE"],
  [...QUIET, "--output-format=simple0", "IMAGE"],
  [D, "--entry=1", "--output-format=simple", "IMAGE"],
  ["-l", "IMAGE"],
];

/** And with these on one disk. */
const SAME_ONCE: Cases = [
  [...QUIET, "--output-format=sxp", "IMAGE"],
  ["IMAGE", "--output-format", "simple0", "--output=OUT", D, "--quiet"],
  [...QUIET, "--output=-", "--output-format=simple", "--", "IMAGE"],
  [...QUIET, "--args=root=/dev/xvda1 'x' \"y\" \\z", "IMAGE"],
  [...QUIET, "--args=a\nb", "--output-format=sxp", "IMAGE"],
  [...QUIET, "--args=caf\u00e9 \u{1f600}", "--output-format=sxp", "IMAGE"],
  [...QUIET, "--kernel=/boot/vmlinuz-3", "--output-format=simple", "IMAGE"],
  [...QUIET, "--kernel=/boot/vmlinuz-3", "--ramdisk=/boot/initrd-2", "--args=x y", "IMAGE"],
  [D, "--entry=0", "--output-format=simple", "IMAGE"],
  [D, "--entry=two", "--output-format=simple", "IMAGE"],
  [D, "--entry=nothing of that name", "--output-format=simple", "IMAGE"],
  [D, "--ent=1", "--output-f=simple", "IMAGE"],
];

/** Both must refuse these, and ours leaves nothing. */
const WRONG: Cases = [
  [],
  [D],
  [...QUIET, "--nonsense", "IMAGE"],
  [...QUIET, "-x", "IMAGE"],
  [...QUIET, "--output", "IMAGE"],
  [...QUIET, "--quiet=1", "IMAGE"],
  [...QUIET, "--out=OUT", "IMAGE"],
  [...QUIET, "--output-format=xml", "IMAGE"],
  ["-q", "--output-directory=/nowhere/at/all", "IMAGE"],
  [...QUIET, "--output=/nowhere/at/all", "IMAGE"],
  [...QUIET, "--offset=x", "IMAGE"],
  [...QUIET, "--runas=x", "IMAGE"],
  [D, "--runas=65534", "IMAGE"],
  [...QUIET, "/nowhere/at/all"],
  [...QUIET, "--kernel=/boot/none", "IMAGE"],
  [...QUIET, "--args=a\nb", "--output-format=simple", "IMAGE"],
];

const IMAGES: Readonly<Record<string, () => string>> = {
  "grub.cfg": () => ext4(tree({ "/boot/grub/grub.cfg": THREE })),
  "grub.cfg in the second partition": () =>
    disk("label: dos\nstart=1MiB,size=14MiB,type=83\nstart=16MiB,size=14MiB,type=83\n", {
      1: ext4(tree({})),
      16: ext4(tree({ "/boot/grub/grub.cfg": THREE })),
    }),
  GPT: () =>
    disk("label: gpt\nstart=1MiB,size=14MiB\n", {
      1: ext4(tree({ "/boot/grub/grub.cfg": `set default="2"\n${THREE}` })),
    }),
  "menu.lst": () => ext4(tree({ "/boot/grub/menu.lst": LEGACY })),
  "extlinux.conf": () => ext4(tree({ "/boot/extlinux/extlinux.conf": LABELS })),
  "quotes in a title": () =>
    ext4(tree({ "/boot/grub/grub.cfg": grubEntry(`it"s`, 1) + grubEntry("two", 2) })),
};

/** pygrub's list shows the `root:` that its parser has read, ours the partition that the kernel is in. */
function withoutRoots(ran: Ran): Ran {
  return { ...ran, stdout: ran.stdout.replaceAll(/^ {2}root: .*\n/gm, "") };
}

export function pygrubCliTests(program: () => PygrubProgram): void {
  const real = (): PygrubProgram => {
    const { argv, env } = pygrubCommand("", []);
    return { argv: argv.slice(0, 2), env };
  };
  test.each(Object.entries(IMAGES))("the same answers: %s", (name, make) => {
    const image = make();
    for (const args of name === "grub.cfg" ? [...SAME, ...SAME_ONCE] : SAME) {
      const theirs = withoutRoots(run(real(), image, args));
      expect(withoutRoots(run(program(), image, args)), args.join(" ")).toEqual(theirs);
      expect(theirs.exitCode, args.join(" ")).toBe(0);
    }
  });

  test("the same refusals", () => {
    const image = IMAGES["grub.cfg"]!();
    for (const args of WRONG) {
      expect(run(real(), image, args).exitCode, args.join(" ")).toBe(1);
      const ours = run(program(), image, args);
      expect(ours, args.join(" ")).toEqual({ exitCode: 1, stdout: "", output: "", files: [] });
    }
  });

  test("the same reading of a grub.cfg outside a disk", () => {
    const config = join(scratch(), "grub.cfg");
    writeFileSync(config, THREE);
    const args = ["-q", "--isconfig", "IMAGE"];
    expect(run(program(), config, args)).toEqual(run(real(), config, args));
  });

  test("the usage, for who asks", () => {
    expect(run(program(), "", ["--help"])).toMatchObject({ exitCode: 0, stdout: "" });
  });
}

/** Directories that ignore case: which names find which files, by a Debian kernel and here. */
import { describe, expect, test } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { resolvePath } from "../../../../../src/disk/fs/resolve.ts";
import { attempt } from "../../../../../src/base/failure.ts";
import { decodeText } from "../../../../../src/bytes/text.ts";
import { runInGuestKernel } from "../../../../support/fs/guest-kernel.ts";
import { imageSource } from "../../../../support/fs/mounted.ts";
import { need, scratch, sh } from "../../../../support/need.ts";

const STORED = [
  "GRUB.cfg",
  "É",
  "straße",
  "ﬁle",
  "σίσυφος",
  "İstanbul",
  "ı",
  "K",
  "a\u00adb",
  "Ꭰ",
  "각",
  "ΰ",
  "ᾳ",
  "ǆ",
  "ŉ",
  "²",
  "µ",
  "ſ",
];
const ASKED = [
  ...STORED,
  ...STORED.map((name) => name.toUpperCase()),
  ...STORED.map((name) => name.toLowerCase()),
  ...STORED.map((name) => name.normalize("NFD").toUpperCase()),
  ...STORED.map((name) => name.normalize("NFKC")),
  "STRASSE",
  "STRAẞE",
  "ΣΊΣΥΦΟΣ",
  "i",
  "I",
  "k",
  "\u212a",
  "AB",
  "ab\u200d",
  "FILE",
  "e",
  "μ",
  "S",
  "2",
  "absent",
  "grub.cf",
];

/** As octal for printf, so that no shell or console has a say in it. */
const octal = (bytes: Uint8Array) =>
  [...bytes].map((byte) => `\\\\${byte.toString(8).padStart(3, "0")}`).join("");
const text = (name: string) => octal(Buffer.from(name));
const BROKEN = [Uint8Array.of(0x41, 0xff), Uint8Array.of(0x61, 0xff)];

describe("a directory that ignores case", () => {
  test("the same names are found as by the kernel", async () => {
    need("mkfs.ext4", "debugfs");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s 32M '${image}'
      mkfs.ext4 -q -F -O casefold -E encoding=utf8 '${image}'
      debugfs -w -R 'mkdir /folded' '${image}' 2>/dev/null
      debugfs -w -R 'sif /folded flags 0x40080000' '${image}' 2>/dev/null`);
    const asked = [...ASKED.map((name) => Buffer.from(name)), ...BROKEN];
    const printed = await runInGuestKernel(
      `mount -t ext4 /dev/vda /m
      mkdir /m/plain /m/folded/below
      ${[...STORED.map(text), octal(BROKEN[0]!)].map((name, i) => `printf '%b' '${i}' > "$(printf /m/folded/${name})"`).join("\n")}
      cp /m/folded/GRUB.cfg /m/plain/; echo below > /m/folded/below/Name
      ${asked.map((name, i) => `printf 'asked ${i} '; cat "$(printf /m/folded/${octal(name)})" 2>/dev/null || printf no; echo`).join("\n")}
      umount /m`,
      [image],
    );
    const kernel = [...printed.matchAll(/asked (\d+) (\d+|no)/g)].map(([, i, found]) => [
      Number(i),
      found,
    ]);
    expect(kernel).toHaveLength(asked.length);
    using source = imageSource(image);
    const fs = await openExt4(source);
    const folder = await fs.inode((await fs.lookup(await fs.root(), "folded"))!);
    const domus: [number, string][] = [];
    for (const [i, name] of asked.entries()) {
      const entry = await fs.lookup(folder, decodeText(name));
      const bytes = entry && (await fs.read(await fs.inode(entry), 0, 10));
      domus.push([i, bytes ? Buffer.from(bytes).toString() : "no"]);
    }
    expect(domus).toEqual(kernel);
    expect(new Set(domus.map(([, found]) => found)).size).toBe(STORED.length + 2);
    // The flag is inherited, and names outside are as they are.
    for (const [path, found] of [
      ["/folded/BELOW/nAME", true],
      ["/plain/GRUB.cfg", true],
      ["/plain/grub.cfg", false],
      ["/FOLDED", false],
    ] as const) {
      expect((await attempt(() => resolvePath(fs, path))).ok, path).toBe(found);
    }
  });
});

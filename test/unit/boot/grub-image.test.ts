import { describe, expect, test } from "vitest";
import { detectGrubImage, unpackedBy } from "../../../src/boot/grub-image/grub-image.ts";
import { memdiskFileSystem } from "../../../src/boot/grub-image/memdisk.ts";
import { parseTar } from "../../../src/boot/grub-image/tar.ts";
import { readFile } from "../../../src/disk/fs/resolve.ts";
import { survivesMutation } from "../../support/mutate.ts";

const text = (value: string) => Uint8Array.from(value, (char) => char.charCodeAt(0));

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function tarFile(name: string, content: string, change: Readonly<Record<number, string>> = {}) {
  const header = new Uint8Array(512);
  header.set(text(name));
  header.set(text(content.length.toString(8).padStart(11, "0")), 124);
  header.set(text("0"), 156);
  header.set(text("ustar  "), 257);
  for (const [at, value] of Object.entries(change)) header.set(text(value), Number(at));
  const body = new Uint8Array(Math.ceil(content.length / 512) * 512);
  body.set(text(content));
  return joined(header, body);
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** A module of GRUB: an ELF of two sections, .modname and the names of sections. */
function module(name: string): Uint8Array {
  const names = text("\0.modname\0.shstrtab\0");
  const start = 52;
  const body = joined(text(`${name}\0`.padEnd(16, "\0")), names, new Uint8Array(4));
  const header = new Uint8Array(52);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const view = new DataView(header.buffer);
  view.setUint16(18, 3, true);
  view.setUint32(32, start + body.length, true);
  view.setUint16(46, 40, true);
  view.setUint16(48, 3, true);
  view.setUint16(50, 2, true);
  const section = (at: number, offset: number, size: number) =>
    words(at, 1, 0, 0, offset, size, 0, 0, 0, 0);
  const table = [section(1, start, 16), section(10, start + 16, names.length)];
  return joined(header, body, new Uint8Array(40), ...table);
}

type Part = readonly [type: number, body: Uint8Array];

function image(parts: readonly Part[]): Uint8Array {
  const modules = parts.map(([type, body]) => {
    const padded = joined(body, new Uint8Array((4 - (body.length % 4)) % 4));
    return joined(words(type, padded.length + 8), padded);
  });
  const size = 12 + modules.reduce((sum, { length }) => sum + length, 0);
  const header = new Uint8Array(52);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  new DataView(header.buffer).setUint16(18, 3, true);
  // The code that looks for the magic has it, too.
  return joined(header, text("mimg"), words(9), text("mimg"), words(12, size), ...modules);
}

const CONFIG: Part = [2, text("normal (memdisk)/grub.cfg\n\0")];
const PREFIX: Part = [3, text("(memdisk)/boot/grub\0")];
const good = image([
  [0, module("gzio")],
  [0, module("xfs")],
  [1, tarFile("./grub.cfg", "x")],
  CONFIG,
  PREFIX,
]);

describe("an image of GRUB", () => {
  test("its parts", () => {
    const found = detectGrubImage(good, ["grub"])!;
    expect({ ...found, memdisk: found.memdisk?.length, modules: [...found.modules] }).toEqual({
      bits: 32,
      platform: "xen",
      cpu: "i386",
      config: "normal (memdisk)/grub.cfg\n",
      prefix: "(memdisk)/boot/grub",
      modules: ["gzio", "xfs"],
      memdisk: 1024,
    });
    expect(unpackedBy(found)).toEqual(["gzip"]);
  });

  test("what is none", () => {
    expect(detectGrubImage(text("MZ"), [])).toBeUndefined();
    expect(detectGrubImage(good.subarray(0, good.length - 1), [])).toBeUndefined();
    expect(detectGrubImage(image([]), [])).toBeUndefined();
    expect(detectGrubImage(image([[0, text("no module")]]), [])).toBeUndefined();
  });

  test("survives mutation", async () => {
    await survivesMutation([good], (bytes) => {
      const found = detectGrubImage(bytes, ["grub"]);
      if (found?.memdisk) parseTar(found.memdisk, ["memdisk"]);
    });
  });
});

describe("the disk in memory", () => {
  const where = ["memdisk"];

  test("files and directories", async () => {
    const files = parseTar(
      joined(
        tarFile("./grub.cfg", "a"),
        tarFile("/boot/grub/x", "b".repeat(600)),
        new Uint8Array(512),
      ),
      where,
    );
    const fs = memdiskFileSystem(files, where);
    expect(new TextDecoder().decode(await readFile(fs, "/grub.cfg", 10))).toBe("a");
    expect(await readFile(fs, "/boot/grub/x", 1000)).toHaveLength(600);
    const names: string[] = [];
    for await (const { name } of fs.list(await fs.root())) names.push(name);
    expect(names).toEqual(["boot", "grub.cfg"]);
    await expect(readFile(fs, "/boot/nosuch", 10)).rejects.toThrow("nosuch");
  });

  test.each([
    ["no magic", tarFile("x", "y", { 257: "nope!" }), "ustar"],
    ["a size that is no number", tarFile("x", "y", { 124: "98765432109" }), "octal"],
    ["a size beyond the end", tarFile("x", "y", { 124: "00077777777" }), "room"],
  ])("%s", (_, bytes, said) => {
    expect(() => parseTar(bytes, where)).toThrow(said);
  });
});

import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { evaluateExtlinux } from "../../../../../src/boot/loader/extlinux/loader.ts";
import { parseStatements } from "../../../../../src/boot/loader/extlinux/statements.ts";
import { encodeText } from "../../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { volume } from "../grub2/run.ts";
import type { Files } from "../grub2/run.ts";

const CONFIG = "/boot/extlinux/extlinux.conf";

async function evaluate(text: string | Uint8Array, files: Files = {}, kind = "ext4") {
  const only = volume({ "/k": "", "/i": "", "/j": "", ...files, [CONFIG]: text }, { kind });
  return evaluateExtlinux({ volume: only, path: CONFIG });
}

/** The one that is started, with the reason. */
async function started(text: string, files: Files = {}) {
  const { entries, chosen, because, timeout } = await evaluate(text, files);
  const entry = chosen === undefined ? undefined : entries[chosen]!;
  return { id: entry?.id, args: entry?.args, because, timeout };
}

const A = "LABEL a\nLINUX /k\nAPPEND one\n";
const B = "LABEL b\nLINUX /k\nAPPEND two\n";

describe("what is started", () => {
  test.each([
    [`${A}${B}`, undefined, "there is no DEFAULT: it waits at its prompt", -1],
    [`DEFAULT b\n${A}${B}`, "b", 'DEFAULT "b" in line 1', 0],
    [`DEFAULT b\nPROMPT 1\nTIMEOUT 35\n${A}${B}`, "b", 'DEFAULT "b" in line 1', 3.5],
    [
      `DEFAULT b\nPROMPT 1\n${A}${B}`,
      "b",
      'DEFAULT "b" in line 1; it waits for a key, as there is no timeout',
      -1,
    ],
    [`DEFAULT b\nPROMPT 1\nTIMEOUT 10\nONTIMEOUT a\n${A}${B}`, "a", 'ONTIMEOUT "a" in line 4', 1],
    [`UI menu.c32\nTIMEOUT 10\n${A}${B}`, "a", "first entry: no default is set", 1],
    [
      `UI menu.c32\nTIMEOUT 10\n${A}${B}MENU DEFAULT\nMENU SEPARATOR\n`,
      "b",
      "MENU DEFAULT in line 9",
      1,
    ],
    [`UI menu.c32\nDEFAULT a\nTIMEOUT 10\n${A}${B}MENU DEFAULT\n`, "a", 'DEFAULT "a" in line 2', 1],
    [
      `DEFAULT vesamenu.c32\nTIMEOUT 10\n${A}MENU HIDE\n${B}`,
      "b",
      "first entry: no default is set",
      1,
    ],
    [`UI gfxboot.c32\n${A}`, undefined, 'it starts UI "gfxboot.c32", which is not followed', 0],
    [
      `IMPLICIT 0\nDEFAULT x\n${A}`,
      undefined,
      'DEFAULT "x" in line 2 names no label: it waits at its prompt',
      0,
    ],
  ])("%j", async (text, id, because, timeout) => {
    expect(await started(text)).toMatchObject({ id, because, timeout });
  });

  test("DEFAULT with arguments, and one that is a command line", async () => {
    expect((await started(`default a single\n${A}`)).args).toBe("one single");
    const { entries, chosen, because } = await evaluate(`default /k root=x initrd=/i\n${A}`);
    expect(chosen).toBe(1);
    expect(entries[1]).toMatchObject({ args: "root=x initrd=/i", ramdisks: [{ path: "/i" }] });
    expect(because).toBe('DEFAULT "/k root=x initrd=/i" in line 1, which is no label but a file');
  });
});

describe("labels", () => {
  test("initrd: directive, command line, several; names beside the configuration", async () => {
    const text =
      "LABEL a\nKERNEL k2\nINITRD /j\nAPPEND initrd=/gone x initrd=/i,../../j y\nlabel b\nlinux /k\ninitrd /i,/j\n";
    const { entries } = await evaluate(text, { "/boot/extlinux/k2": "" });
    expect(entries.map(({ missing }) => missing)).toEqual([[], []]);
    expect(entries.map(({ kernel }) => kernel!.path)).toEqual(["/boot/extlinux/k2", "/k"]);
    expect(entries.map((one) => one.ramdisks.map(({ path }) => path))).toEqual([
      ["/i", "/j"],
      ["/i", "/j"],
    ]);
  });

  test("global APPEND, APPEND -, titles, a label without a kernel", async () => {
    const text =
      "append all\nlabel a\nmenu label ^One\nlinux /k\nlabel b\nlinux /k\nappend -\nlabel k3\nfdt x.dtb\n";
    const { entries } = await evaluate(text, { "/boot/extlinux/k3": "" });
    expect(entries.map(({ title, args }) => [title, args])).toEqual([
      ["One", "all"],
      ["b", ""],
      ["k3", "all"],
    ]);
    expect(entries[2]!.kernel!.path).toBe("/boot/extlinux/k3");
  });

  test("what is no kernel: modules, the next disk, another configuration", async () => {
    const kinds = [
      "kernel reboot.c32",
      "com32 x",
      "localboot 0",
      "config /x.cfg",
      "kernel chain.c32 hd0",
      "menu exit",
    ];
    const text = kinds.map((line, i) => `label ${i}\n${line}\n`).join("");
    const { entries } = await evaluate(text);
    expect(entries.map(({ kind }) => kind)).toEqual([
      "other",
      "other",
      "chain",
      "other",
      "other",
      "other",
    ]);
  });

  test("files of other devices, and backslashes on FAT", async () => {
    const { entries } = await evaluate("label a\nlinux hd0,2::/k\n");
    expect(entries[0]!.problem).toBe("hd0,2::/k is no file on this filesystem");
    const fat = await evaluate("label a\nlinux \\k\n", {}, "vfat");
    expect(fat.entries[0]!.missing).toEqual([]);
  });

  test("a missing kernel is said where the choice is", async () => {
    expect((await started("default a\nlabel a\nlinux /gone\n")).because).toBe(
      'DEFAULT "a" in line 1; it names /gone, which is not there',
    );
  });
});

describe("INCLUDE", () => {
  test("from file to file; a circle ends", async () => {
    const { entries } = await evaluate("include a.cfg\ninclude gone\nlabel z\nlinux /k\n", {
      "/boot/extlinux/a.cfg": "label a\nlinux /k\ninclude b.cfg\n",
      "/boot/extlinux/b.cfg": "MENU INCLUDE /boot/extlinux/c.cfg\nlabel b\nlinux /k\n",
      "/boot/extlinux/c.cfg": "label c\nlinux /k\n",
    });
    expect(entries.map(({ id, line }) => [id, line])).toEqual([
      ["a", 1],
      ["c", 1],
      ["b", 1],
      ["z", 3],
    ]);
    const circle = await evaluate("label a\nlinux /k\ninclude extlinux.conf\n");
    expect(circle.entries.length).toBe(16);
    await expect(evaluate("include extlinux.conf\n".repeat(3))).rejects.toThrow("included files");
  });
});

describe("hostile", () => {
  const SAMPLE = encodeText(
    `UI menu.c32\nTIMEOUT 10\nONTIMEOUT a x\nMENU BEGIN s\nMENU TITLE S\n${A}MENU END\n${B}MENU LABEL ^B\nINITRD /i,/j\nTEXT HELP\nx\nENDTEXT\nKERNEL mboot.c32\nAPPEND /k --- /i a --- /j\nINCLUDE x\nDEFAULT a\n`,
  );

  test("mutations", async () => {
    await survivesMutation([SAMPLE], (bytes) => evaluate(bytes), { count: 1500 });
  });

  test("long texts end soon", async () => {
    const took = cpuTime();
    parseStatements(`${" ".repeat(1_000_000)}\n`.repeat(3));
    await evaluate(`label a\nlinux /k\nappend ${"initrd=x ".repeat(100_000)}\n`);
    await evaluate(`label a\nkernel mboot.c32\nappend ${"x --- ".repeat(100_000)}\n`);
    await evaluate("menu begin\n".repeat(200_000));
    expect(took()).toBeLessThan(2000);
    await expect(evaluate("label a\n".repeat(1_001))).rejects.toThrow("number of labels");
  });
});

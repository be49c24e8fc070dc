import { expect, test } from "vitest";
import { cpuTime } from "../../support/cpu-time.ts";
import { allValues, parseCommandLine } from "../../../src/boot/command-line.ts";
import { randomSource } from "../../support/mutate.ts";

/** lib/cmdline.c next_arg(), as a table: the text, the arguments. */
const CASES: readonly (readonly [string, readonly (string | readonly [string, string])[]])[] = [
  ["", []],
  ["  \t\n ", []],
  ["quiet ro", ["quiet", "ro"]],
  ["root=/dev/xvda1  ro", [["root", "/dev/xvda1"], "ro"]],
  [`dyndbg="file a.c +p ; file b.c +p" ro`, [["dyndbg", "file a.c +p ; file b.c +p"], "ro"]],
  [`"root=LABEL=my disk" ro`, [["root", "LABEL=my disk"], "ro"]],
  [`root=LABEL="my disk"`, [["root", `LABEL="my disk"`]]],
  [`a="b"c`, [["a", `b"c`]]],
  [`a="open ended`, [["a", "open ended"]]],
  [`"quoted flag"`, ["quoted flag"]],
  ["=x", ["=x"]],
  ["a==b", [["a", "=b"]]],
  ["a=", [["a", ""]]],
  [`a=""`, [["a", ""]]],
  [`a="`, [["a", ""]]],
  [`"`, [""]],
];

test.each(CASES)("%j is cut as the kernel cuts it", (text, expected) => {
  expect(parseCommandLine(text).args).toEqual(
    expected.map((arg) =>
      typeof arg === "string" ? { name: arg } : { name: arg[0], value: arg[1] },
    ),
  );
});

test("the last root= counts, consoles keep their order, ro and rw override each other", () => {
  const line = parseCommandLine(
    "root=/dev/sda1 console=tty0 rw root=UUID=1-2 ro console=hvc0 rootfstype=ext4 rootflags=subvol=@ init=/bin/sh rdinit=/x noinitrd initrd=a initrd=b",
  );
  expect(line).toMatchObject({
    root: "UUID=1-2",
    consoles: ["tty0", "hvc0"],
    readOnly: true,
    rootfstype: "ext4",
    rootflags: "subvol=@",
    init: "/bin/sh",
    rdinit: "/x",
    noinitrd: true,
    initrd: ["a", "b"],
  });
  expect(parseCommandLine("quiet")).toEqual({
    args: [{ name: "quiet" }],
    initArgs: [],
    noinitrd: false,
    initrd: [],
    consoles: [],
  });
});

test("what follows -- belongs to init", () => {
  const line = parseCommandLine("root=/dev/xvda1 -- root=/dev/evil single");
  expect(line.root).toBe("/dev/xvda1");
  expect(line.initArgs).toEqual(["root=/dev/evil", "single"]);
});

test("- and _ are the same in names", () => {
  const { args } = parseCommandLine("xen_blkfront.max=1 xen-blkfront.max=2 xen-blkfront.max");
  expect(allValues(args, "xen_blkfront.max")).toEqual(["1", "2"]);
});

test("any text is taken, in linear time", () => {
  const random = randomSource(7);
  const alphabet = `ab="'- =\t\\\n\u00a0é\udc80`;
  for (let run = 0; run < 2000; run++) {
    const text = Array.from({ length: random(40) }, () => alphabet[random(alphabet.length)]).join(
      "",
    );
    for (const { name, value } of parseCommandLine(text).args) {
      expect(typeof name).toBe("string");
      expect(["string", "undefined"]).toContain(typeof value);
    }
  }
  const took = cpuTime();
  parseCommandLine(`${" ".repeat(500_000)}${'"'.repeat(500_000)}${"a ".repeat(500_000)}`);
  expect(took()).toBeLessThan(2000);
});

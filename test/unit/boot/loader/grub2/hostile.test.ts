/** What a guest could write to keep domus busy: each must end, soon, with a value or a failure of kind `limit`. */
import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { attempt, ioFailure } from "../../../../../src/base/failure.ts";
import { parseGrub2AsPygrub } from "../../../../../src/boot/pygrub/grub2-config.ts";
import { decodeText } from "../../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { evaluate } from "./run.ts";
import { memoryFs, unreadable } from "../../../../support/memory-fs.ts";
import { findLoaders } from "../../../../../src/boot/loader/loaders.ts";

const MIB = 1024 * 1024;

const EXPENSIVE: Record<string, string> = {
  "endless loop": "while true; do true; done\n",
  "endless loop in an entry": "menuentry a { while true; do x=y; done; }\n",
  "function that calls itself": "function f { f; }\nf\n",
  "two functions that call each other twice": "function f { g; g; }\nfunction g { f; f; }\nf\n",
  "eval of itself": "x='eval $x'\neval $x\n",
  "variable that doubles": "a=xxxxxxxx\nwhile true; do a=$a$a; done\n",
  "variable with many words":
    "a='x x x x x x x x'\nfor i in 1 2 3 4 5 6 7 8 9; do a=\"$a $a $a $a\"; done\nfor i in $a; do echo $a; done\n",
  "loop over a loop over a loop":
    "a='1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0'\nfor i in $a; do for j in $a; do for k in $a; do for l in $a; do echo $i; done; done; done; done\n",
  "100,000 nested submenus": `${"submenu a {\n".repeat(100_000)}true\n${"}\n".repeat(100_000)}`,
  "30 nested submenus": `${"submenu a {\n".repeat(30)}true\n${"}\n".repeat(30)}`,
  "submenus that double": `function s { submenu a { s; menuentry b { linux /k; } ; }\n submenu c { s; }\n}\ns\n`,
  "100,000 entries": "menuentry a { true; }\n".repeat(100_000),
  "a loop of entries": "while true; do menuentry a { linux /k; }; done\n",
  "many entries with a large body": `while true; do menuentry a {\n${"true\n".repeat(20_000)}}; done\n`,
  "100,000 nested ifs": `${"if true; then\n".repeat(100_000)}true\n${"fi\n".repeat(100_000)}`,
  "20,000 elifs": `if false; then true\n${"elif false; then true\n".repeat(20_000)}fi\n`,
  "a quote that is not closed": `echo '${"x\n".repeat(200_000)}`,
  "continued lines": `echo ${"x\\\n".repeat(200_000)}`,
  "a line of 1 MiB": `echo ${"x".repeat(MIB)}\n`,
  "many words": `echo ${"x ".repeat(300_000)}\n`,
  "many quoted words": `echo ${"'' ".repeat(40_000)}\n`,
  "many comments": "# x\n".repeat(100_000),
  "many empty lines": "\n".repeat(400_000),
  "many syntax errors": "}\n".repeat(100_000),
  "more than 4 MiB": "#".repeat(5 * MIB),
  "source of itself": "source /boot/grub/grub.cfg\n",
  "configfile of itself":
    "configfile /boot/grub/grub.cfg\nmenuentry a { configfile /boot/grub/grub.cfg; }\n",
  "test with many parentheses": `if [ ${"'(' ".repeat(30_000)} ]; then echo; fi\n`,
  "test of a path of slashes": `p=${"/".repeat(100_000)}x\nfor i in 1 2 3 4 5 6 7 8 9; do if [ -f $p ]; then echo; fi; done\n`,
  "regexp (a*)*b": `t=${"a".repeat(5_000)}\nregexp '(a*)*b' $t\nregexp '(a|a)*b' $t\nregexp '(((a*)*)*)*$' $t\n`,
  "regexp with large counts": "regexp '((a{255}){255}){255}' a\n",
  "many regexps": `t=${"a".repeat(2_000)}\nwhile true; do regexp '${"a*".repeat(900)}b' $t; done\n`,
  "search for ever": "while true; do search --file /nope --set=x; done\n",
  "fallback of many numbers": `set timeout=0\nset fallback='${"0 ".repeat(50_000)}'\nmenuentry a { linux /nope; }\n`,
  "numbers of many digits": `set default=${"9".repeat(100_000)}\nset timeout=${"1".repeat(100_000)}\nmenuentry a { linux /k; }\n`,
  "gettext references": `echo $"${"${".repeat(60_000)}"\n`,
  "many variables": "i=\nwhile true; do i=x$i; eval $i=1; done\n",
  increment: "while true; do increment i; done\n",
};

function ordinaryMenu(entries: number): string {
  const entry =
    "menuentry 'a' --class b {\n\tinsmod gzio\n\tlinux /k root=/dev/x ro $x\n\tinitrd /i\n}\n";
  return entry.repeat(entries);
}

/** Milliseconds. */
async function time(entries: number): Promise<number> {
  const took = cpuTime();
  await evaluate(ordinaryMenu(entries));
  return took();
}

describe("expensive texts", () => {
  test.each(Object.entries(EXPENSIVE))("%s", async (_, text) => {
    const took = cpuTime();
    const result = await attempt(() => evaluate(text));
    if (!result.ok) expect(result.failure.kind).toBe("limit");
    expect(took()).toBeLessThan(5_000);
  });

  test.each([
    ["quotes", `menuentry '${`' `.repeat(500_000)}\n`],
    ["blanks", `menuentry 'a' ${" ".repeat(900_000)}x\n`],
    ["blanks in lines", `set a=b${" ".repeat(900_000)}x\n`],
    ["entries", "menuentry 'a' {\nlinux /k a\n}\n".repeat(40_000)],
    ["commas", `menuentry 'a' {\nset root=${",".repeat(900_000)}\n}\n`],
    ["one word", `x${"y".repeat(1_000_000)}\n`],
  ])("as pygrub: %s", (_, text) => {
    const took = cpuTime();
    parseGrub2AsPygrub(text);
    expect(took()).toBeLessThan(1_000);
  });

  test("the time grows no faster than the text", async () => {
    await time(100);
    const small = await time(250);
    // Ten times as much, with room for a busy machine.
    expect(await time(2_500)).toBeLessThan(30 * Math.max(small, 20));
  });
});

test("a file that cannot be read is a failure of this volume, with its reason", async () => {
  const failure = ioFailure(["xvda", "grub.cfg"], "read", "EIO");
  const fs = memoryFs({ "boot/grub/grub.cfg": unreadable(failure, 10) });
  const { results, tried } = await findLoaders([{ fs, vdev: "xvda", diskIndex: 0 }]);
  expect(results).toEqual([]);
  expect(tried).toEqual([{ where: ["xvda", "grub.cfg"], failure: failure.failure }]);
});

test("damaged configurations", async () => {
  const corpus = join(import.meta.dirname, "../../../../corpus/boot/grub2");
  const inputs = readdirSync(corpus)
    .map((name) => join(corpus, name, "grub.cfg"))
    .filter((path) => existsSync(path))
    .map((path) => new Uint8Array(readFileSync(path)));
  const run = await survivesMutation(inputs, (bytes) => evaluate(bytes), { count: 8 });
  // GRUB goes on after nearly everything, and so do we.
  expect(run.values).toBeGreaterThan(5 * inputs.length);
  await survivesMutation(inputs, (bytes) => parseGrub2AsPygrub(decodeText(bytes)), { count: 20 });
});

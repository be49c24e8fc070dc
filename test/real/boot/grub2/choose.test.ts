/**
 * Menus made at random: the entry that real GRUB (grub-emu 2.06) starts by itself must be the one that we name. The
 * emulator has no `linux`; a function of that name boots what is there and comes back from what is not.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluateGrub2 } from "../../../../src/boot/loader/grub2/evaluate.ts";
import { runGrubEmu } from "../../../support/grub-emu.ts";
import { memoryFs } from "../../../support/memory-fs.ts";
import { randomSource } from "../../../support/mutate.ts";
import { scratch } from "../../../support/need.ts";

const TITLES = ["a", "b", "c", "two words", "1abc", "x>y", "0", "2"];
const DEFAULTS =
  "|0|1|2|9|a|b|c|two words|1abc|x>>y|1>0|1>1|b>a|b>b|x>>y>a|2>|1>9|1>zz|zz|b>1abc|id1|1>id2|0x1|-1| 1|a>b>c|1>1>1|99999999999999999999999".split(
    "|",
  );

/** Lines of a configuration; `DIR` stands for the directory of the kernel that is there. */
function randomConfig(seed: number, fallback: boolean): string {
  const random = randomSource(seed);
  const pick = <T>(list: readonly T[]) => list[random(list.length)]!;
  const oneIn = (n: number) => random(n) === 0;
  let count = 0;
  const menu = (depth: number): string => {
    let out = "";
    for (let i = random(4) + (depth === 0 ? 1 : 0); i > 0; i--) {
      const head = `'${pick(TITLES)}'${oneIn(3) ? ` --id id${random(4)}` : ""}`;
      if (depth < 2 && oneIn(3)) {
        const own = oneIn(5) ? "set default=1\n" : "";
        out += `submenu ${head} {\ntrue\n${own}${menu(depth + 1)}}\n`;
      } else {
        count += 1;
        out += `menuentry ${head} {\nlinux ${oneIn(3) ? "/nope" : "DIR/k"} e${count}\n}\n`;
      }
    }
    return out;
  };
  return [
    `function linux { if [ -f "$1" ]; then echo "BOOT $2"; exit; fi; }\nset timeout=0\n`,
    oneIn(5) ? "" : `set default='${pick(DEFAULTS)}'\n`,
    fallback ? `set fallback='${pick(["0", "1", "0 1", "1 0", "x", "2 0"])}'\n` : "",
    oneIn(6) ? "export default\n" : "",
    oneIn(6) ? "export fallback\n" : "",
    menu(0),
  ].join("");
}

async function compare(config: string, timeoutMs: number): Promise<void> {
  const directory = scratch();
  const text = config.replaceAll("DIR", directory);
  writeFileSync(join(directory, "k"), "k");
  const real = runGrubEmu(directory, text, timeoutMs).find((line) => line.startsWith("BOOT"));
  const fs = memoryFs({
    [join(directory, "grub.cfg").slice(1)]: text,
    [join(directory, "k").slice(1)]: "k",
  });
  const volume = { fs, vdev: "xvda", diskIndex: 0, grubName: "host" };
  const found = await evaluateGrub2({
    config: { volume, path: join(directory, "grub.cfg") },
    volumes: [volume],
  });
  const chosen = found.chosen === undefined ? undefined : found.entries[found.chosen]!;
  const boots = chosen?.kernel !== undefined && chosen.missing.length === 0;
  expect(boots ? `BOOT ${chosen.args}` : undefined, `${text}\n${found.because}`).toBe(real?.trim());
}

test.each(Array.from({ length: 60 }, (_, i) => i + 1))("default, seed %i", async (seed) => {
  await compare(randomConfig(seed, false), 1_000);
});

// GRUB waits 2.5 seconds before each entry that it falls back to.
test.each(Array.from({ length: 10 }, (_, i) => i + 101))("fallback, seed %i", async (seed) => {
  await compare(randomConfig(seed, true), 10_000);
});

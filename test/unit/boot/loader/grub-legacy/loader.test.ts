import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { Budget } from "../../../../../src/base/budget.ts";
import { evaluateMenu } from "../../../../../src/boot/loader/grub-legacy/loader.ts";
import { parseMenu } from "../../../../../src/boot/loader/grub-legacy/parser.ts";
import { runEntry } from "../../../../../src/boot/loader/grub-legacy/run-entry.ts";
import type { BootVolume } from "../../../../../src/boot/loader/loader.ts";
import { encodeText } from "../../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { volume } from "../grub2/run.ts";
import type { Files } from "../grub2/run.ts";

const MENU = "/boot/grub/menu.lst";
const ENTRY = (title: string, rest = "") => `title ${title}\nkernel /k ${title}\n${rest}`;
/** A kernel with the setup header of Linux. */
const BZIMAGE = encodeText(`${"\0".repeat(0x202)}HdrS${"\0".repeat(16)}`);

async function evaluate(
  text: string | Uint8Array,
  files: Files = {},
  others: readonly BootVolume[] = [],
) {
  const first = volume({ "/k": "", "/i": "", ...files, [MENU]: text }, { partition: 1, uuid: "A" });
  return evaluateMenu({ volume: first, path: MENU, volumes: [first, ...others] });
}

async function chosen(text: string, files: Files = {}) {
  const { entries, chosen: index, because } = await evaluate(text, files);
  return [index === undefined ? undefined : entries[index]!.title, because];
}

describe("text", () => {
  test("lines: blanks, comments, carriage returns, = and continuation", () => {
    const menu = parseMenu(
      "\tdefault=1\r\n  # no\ntimeout = 5\n# eaten \\\nfallback 1\ntitle a\\\n b\nkernel /k \\\n x\nnosuch y\n",
    );
    expect(menu.settings).toEqual([
      { name: "default", argument: "1", line: 1 },
      { name: "timeout", argument: "5", line: 3 },
    ]);
    expect(menu.entries).toEqual([
      {
        title: "a  b",
        line: 6,
        commands: [{ name: "kernel", argument: "/k   x", line: 8 }],
      },
    ]);
    expect(menu.unknown.map(({ name }) => name)).toEqual(["nosuch"]);
  });

  test("a title without commands is no entry; a long line is cut", () => {
    const { entries } = parseMenu(`title a\ntitle b\nkernel /k ${"x".repeat(5000)}\ntitle c`);
    expect(entries.map(({ title }) => title)).toEqual(["b"]);
    expect(entries[0]!.commands[0]!.argument.length).toBe(1500 - "kernel ".length);
  });
});

describe("choice", () => {
  const two = ENTRY("a") + ENTRY("b");
  test.each([
    ["", "a", "first entry: no default is set"],
    ["default 1\n", "b", 'default="1" in line 1'],
    ["default 0\ndefault 1\n", "b", 'default="1" in line 2'],
    ["default 2\n", "a", 'first entry: default="2" in line 1 matches no entry'],
    ["default b\n", "a", 'first entry: default="b" in line 1 matches no entry'],
    ["default saved\n", "b", "default saved in line 1, which is 1"],
  ])("%j", async (settings, title, because) => {
    const found = await chosen(`timeout 5\n`.trim() + `\n${settings}${two}`, {
      "/boot/grub/default": "1\n#\n",
    });
    expect(found).toEqual([title, because.replace(/line (\d)/, (_, n) => `line ${Number(n) + 1}`)]);
  });

  test("no timeout, and nothing saved", async () => {
    const found = await evaluate(`default saved\n${two}`);
    expect(found.timeout).toBe(-1);
    expect(found.because).toBe(
      "first entry: default saved in line 1, and none is saved; GRUB waits for a key, as there is no timeout",
    );
  });

  test("fallback: after a missing kernel, a missing initrd, an entry that fails itself", async () => {
    const bad = "title x\nkernel /gone\ntitle y\nkernel /k\ninitrd /gone\n";
    expect(await chosen(`timeout 1\nfallback 1 2\n${bad}${ENTRY("z")}`)).toEqual([
      "z",
      'first entry: no default is set; "x" names /gone, which is not there; then fallback in line 2: "y" names /gone, which is not there; then fallback in line 2',
    ]);
    expect(await chosen(`timeout 1\nfallback 7 2\n${bad}${ENTRY("z")}`)).toEqual([
      "x",
      'first entry: no default is set; "x" names /gone, which is not there',
    ]);
    expect((await chosen(`timeout 1\n${bad}`))[1]).toMatch(/; there is no fallback$/);
  });

  test("an empty menu", async () => {
    expect(await chosen("default 0\n")).toEqual([undefined, "the menu has no entries"]);
  });
});

describe("entries", () => {
  test("root, devices in paths, options of kernel", async () => {
    const other = volume({ "/k2": "", "/i2": "" }, { disk: 1, partition: 3 });
    const { entries } = await evaluate(
      "title a\nroot (hd1,2)\nkernel --type=linux --no-mem-option /k2 ro quiet\ninitrd (hd0,0)/i\n",
      {},
      [other],
    );
    expect(entries[0]).toMatchObject({ kind: "linux", args: "ro quiet", missing: [] });
    expect(entries[0]!.kernel).toEqual({ volume: other, path: "/k2" });
    expect(entries[0]!.ramdisks.map(({ path }) => path)).toEqual(["/i"]);
  });

  test("a device that is not there, and one given as a partition", async () => {
    const text = "title a\nroot (hd0,4)\nkernel /k\n";
    expect((await evaluate(text)).entries[0]!.problem).toBe("there is no filesystem on (hd0,4)");
    const given = { ...volume({ "/k": "", [MENU]: text }), vdev: "xvda5" };
    const found = await evaluateMenu({ volume: given, path: MENU, volumes: [given] });
    expect(found.entries[0]!.kernel?.volume).toBe(given);
  });

  test("uuid and find --set-root", async () => {
    const other = volume({ "/here": "", "/k9": "" }, { partition: 2, uuid: "BEEF" });
    const uuid = await evaluate("title a\nuuid beef\nkernel /k9\n", {}, [other]);
    expect(uuid.entries[0]!.missing).toEqual([]);
    const find = await evaluate("title a\nfind --set-root /here\nkernel /k9\n", {}, [other]);
    expect(find.entries[0]!.missing).toEqual([]);
    const none = await evaluate("title a\nuuid 1\nkernel /k\n");
    expect(none.entries[0]!.problem).toBe("no filesystem has the UUID 1");
  });

  test("modules: of a hypervisor, and as the initrd of Linux", async () => {
    const text = "title a\nkernel /xen.gz dom0_mem=1G\nmodule /k root=/dev/sda1\nmodule /i\n";
    const [xen] = (await evaluate(text, { "/xen.gz": "" })).entries;
    expect(xen).toMatchObject({ kind: "hypervisor", args: "root=/dev/sda1" });
    expect([xen!.hypervisor, xen!.kernel, ...xen!.ramdisks].map((one) => one!.path)).toEqual([
      "/xen.gz",
      "/k",
      "/i",
    ]);
    const linux = (await evaluate("title a\nkernel /l x\nmodule /i\n", { "/l": BZIMAGE })).entries;
    expect(linux[0]).toMatchObject({ kind: "linux", args: "x", ramdisks: [{ path: "/i" }] });
  });

  test("chainloader, halt, passwords", async () => {
    const { entries, findings } = await evaluate(
      "password secret\ntimeout 1\ntitle a\nlock\nkernel /k\ntitle w\nchainloader (hd0,1)+1\ntitle h\nhalt\n",
    );
    expect(entries.map(({ kind }) => kind)).toEqual(["linux", "chain", "other"]);
    expect(findings.map(({ code }) => code)).toEqual(["grub-password"]);
    expect((await evaluate("title a\nlock\nkernel /k\n")).findings).toEqual([]);
  });
});

describe("hostile", () => {
  const SAMPLE = encodeText(
    "default saved\nfallback 1\ntimeout 5\ntitle a\nroot (hd0,0)\nkernel /k ro\\\n x\ninitrd /i\ntitle b\nuuid A\nfind --set-root /k\nmodule /i\nchainloader +1\n",
  );

  test("mutations", async () => {
    await survivesMutation([SAMPLE], (bytes) => evaluate(bytes), { count: 1500 });
  });

  test("long continuations and many entries end within the bounds", async () => {
    const took = cpuTime();
    parseMenu("x\\\n".repeat(400_000));
    parseMenu(`title a\nkernel ${" ".repeat(1_000_000)}x\n`);
    expect(took()).toBeLessThan(1500);
    await expect(evaluate(ENTRY("a").repeat(1_001))).rejects.toThrow("number of entries");
    const find = { name: "find", argument: "/gone", line: 1 };
    const one = volume({});
    const run = { volume: one, volumes: [one], hasPassword: false };
    const budget = new Budget(3, ["menu.lst"], "looks");
    const commands = [{ name: "kernel", argument: "/k", line: 1 }, find];
    for (let i = 0; i < 3; i++)
      await runEntry({ title: "", line: 1, commands }, { ...run, budget });
    await expect(runEntry({ title: "", line: 1, commands }, { ...run, budget })).rejects.toThrow(
      "looks",
    );
  });
});

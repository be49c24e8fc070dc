import { describe, expect, test } from "vitest";
import type { LoaderResult } from "../../../../../src/boot/loader/loader.ts";
import { envBlock, evaluate, volume } from "./run.ts";
import type { Files } from "./run.ts";

const MENU = `
menuentry 'one' --id first { linux /k 1; }
submenu 'more' --id sub {
  menuentry 'two' { linux /k 2; }
  menuentry 'a>b' { linux /k 3; }
}
menuentry '7up' --id x7 { linux /k 4; }
menuentry 'gone' { linux /nope 5; }
`;

function told(result: LoaderResult): string {
  const entry = result.chosen === undefined ? undefined : result.entries[result.chosen];
  return `${entry?.title ?? "nothing"}: ${result.because}`;
}

function blsEntry(n: number): string {
  return `title BLS ${n}\nlinux /k\ninitrd /i\noptions n=${n}\n`;
}

async function choose(head: string, files: Files = {}, menu = MENU): Promise<string> {
  return told(await evaluate(`set timeout=5\n${head}\n${menu}`, files));
}

describe("default", () => {
  test.each([
    ["", "one: first entry: no default is set"],
    ["set default=2", `7up: default="2" in grub.cfg line 2`],
    ["set default=0x2", `7up: default="0x2" in grub.cfg line 2`],
    ["set default=99", `one: first entry: default="99" in grub.cfg line 2 matches no entry`],
    ["set default=7up", `one: first entry: default="7up" in grub.cfg line 2 matches no entry`],
    ["set default=x7", `7up: default="x7" in grub.cfg line 2`],
    ["set default=one", `one: default="one" in grub.cfg line 2`],
    ["set default=", "one: first entry: default is empty"],
    ["default='more>two'", `two: default="more>two" in grub.cfg line 2`],
    ["default='sub>a>>b'", `a>b: default="sub>a>>b" in grub.cfg line 2`],
    ["default='1>1'", `a>b: default="1>1" in grub.cfg line 2`],
    [
      "default=1",
      `two: default="1" in grub.cfg line 2; in the submenu "more": first entry: no default is set`,
    ],
    [
      "default='1>zz'",
      `two: default="1>zz" in grub.cfg line 2; in the submenu "more": first entry: default="1>zz" in grub.cfg line 2 matches no entry`,
    ],
    [
      `set default="\${saved_entry}"`,
      "one: first entry: default is taken from saved_entry, which is not set",
    ],
  ])("%s", async (head, because) => {
    expect(await choose(head)).toBe(because);
  });

  test("saved in grubenv", async () => {
    const files = { "/boot/grub/grubenv": envBlock("saved_entry=sub>two") };
    expect(await choose(`load_env\nset default="\${saved_entry}"`, files)).toBe(
      `two: saved_entry="sub>two" in grubenv`,
    );
  });

  test("with blscfg an id may begin with a digit", async () => {
    const files = {
      "/loader/entries/1abc-5.14.0-9.x86_64.conf": blsEntry(9),
      "/loader/entries/1abc-5.14.0-70.x86_64.conf": blsEntry(70),
      "/loader/entries/1abc-0-rescue.conf": blsEntry(0),
    };
    const said = await choose("set default=1abc-0-rescue\nblscfg", files, "");
    expect(said).toBe(`BLS 0: default="1abc-0-rescue" in grub.cfg line 2`);
  });

  test("set by the submenu itself", async () => {
    const menu =
      "submenu s {\nset default=1\nmenuentry a { linux /k a; }\nmenuentry b { linux /k b; }\n}\n";
    expect(await choose("default='0>0'", {}, menu)).toBe(
      `b: default="0>0" in grub.cfg line 2; in the submenu "s": default="1" in grub.cfg line 4`,
    );
  });
});

describe("an entry that comes back", () => {
  test("without fallback it stays the chosen one", async () => {
    const result = await evaluate(`timeout=1\ndefault=3\n${MENU}`);
    expect(told(result)).toBe(
      `gone: default="3" in grub.cfg line 2; "gone" names /nope, which is not there; there is no fallback`,
    );
    expect(result.entries[result.chosen!]!.missing.map((file) => file.path)).toEqual(["/nope"]);
  });

  test("fallback", async () => {
    expect(await choose("default=3\nfallback='3 2'")).toBe(
      `7up: default="3" in grub.cfg line 2; "gone" names /nope, which is not there; then fallback="3 2" in grub.cfg line 3; "gone" names /nope, which is not there; then fallback="3 2" in grub.cfg line 3`,
    );
  });

  test("fallback by name is not known to GRUB", async () => {
    expect(await choose("default=3\nfallback=one")).toMatch(
      /^gone: .*nothing else in fallback boots$/,
    );
  });

  test("without a timeout there is a key to press, and no fallback", async () => {
    expect(told(await evaluate(`default=3\nfallback=0\n${MENU}`))).toBe(
      `gone: default="3" in grub.cfg line 1; "gone" names /nope, which is not there; GRUB waits for a key, as there is no timeout`,
    );
  });

  test("a device that is not there", async () => {
    const menu = "menuentry a {\nset root=hd3,msdos1\nlinux /k\n}\nmenuentry b { echo; }\n";
    expect(await choose("", {}, menu)).toBe(
      `a: first entry: no default is set; "a" fails: no such device: hd3,msdos1; there is no fallback`,
    );
  });

  test("exit", async () => {
    expect(await choose("", {}, "menuentry a { exit; }\n")).toBe(
      'a: first entry: no default is set; "a" boots nothing, it runs `exit`',
    );
  });
});

describe("menus", () => {
  test("none", async () => {
    const result = await evaluate("set timeout=0\n");
    expect(result).toMatchObject({ entries: [], because: "the menu has no entries" });
    expect(result.chosen).toBeUndefined();
  });

  test("an empty submenu", async () => {
    expect(await choose("", {}, "submenu s { true; }\nmenuentry a { linux /k; }\n")).toBe(
      `nothing: first entry: no default is set; the submenu "s" is empty; there is no fallback`,
    );
  });

  test("a password is asked for", async () => {
    const head = "set superusers=root\n";
    const open = await evaluate(`${head}menuentry a --unrestricted { linux /k; }\n`);
    const closed = await evaluate(`${head}menuentry a { linux /k; }\n`);
    expect(open.findings).toEqual([]);
    expect(closed.findings.map((one) => one.code)).toEqual(["grub-password"]);
  });

  test.each([
    ["set timeout=5", 5],
    ["set timeout=5x", 5],
    ["set timeout=0", 0],
    ["set timeout=-1", -1],
    ["set timeout=never", -1],
    ["", -1],
  ])("%s", async (head, seconds) => {
    expect((await evaluate(`${head}\nmenuentry a { linux /k; }\n`)).timeout).toBe(seconds);
  });

  test("entries do not disturb each other", async () => {
    const { entries } = await evaluate(
      "x=0\nmenuentry a {\nx=1\nset root=hd9\nlinux (hd0)/k x=$x\n}\nmenuentry b { linux /k x=$x; }\n",
    );
    expect(entries.map((one) => [one.args, one.missing.length])).toEqual([
      ["x=1", 0],
      ["x=0", 0],
    ]);
  });

  test("a submenu sees exported variables only", async () => {
    const { entries } = await evaluate(
      "x=1; y=2; export y\nsubmenu s {\nmenuentry a { linux /k $x $y $1 $chosen; }\n}\n",
    );
    expect(entries[0]!.args).toBe("2 a s>a");
  });

  test("/boot on another volume", async () => {
    const boot = volume({ "/vmlinuz": "", "/initrd": "" }, { disk: 1, partition: 1, uuid: "b00t" });
    const config =
      "search --fs-uuid --set=root b00t\nmenuentry a {\nlinux /vmlinuz\ninitrd /initrd (hd0)/i\n}\n";
    const { entries } = await evaluate(config, {}, [boot]);
    expect(entries[0]!.kernel).toEqual({ volume: boot, path: "/vmlinuz" });
    expect(entries[0]!.ramdisks.map((file) => [file.volume.diskIndex, file.path])).toEqual([
      [1, "/initrd"],
      [0, "/i"],
    ]);
    expect(entries[0]!.missing).toEqual([]);
  });

  test("a configuration that leads to itself", async () => {
    const result = await evaluate("menuentry a { linux /k; }\nconfigfile /boot/grub/grub.cfg\n");
    expect(result.because).toBe("the configuration ends with `configfile /boot/grub/grub.cfg`");
  });
});

describe("kinds of entries", () => {
  test("a hypervisor with its kernel and ramdisk", async () => {
    const { entries } = await evaluate(
      "menuentry x {\nmultiboot2 --quirk /xen dom0_mem=1G\nmodule2 /k placeholder root=/dev/x\nmodule2 --nounzip /i\n}\n",
      { "/xen": "" },
    );
    expect(entries[0]).toMatchObject({
      kind: "hypervisor",
      hypervisor: { path: "/xen" },
      kernel: { path: "/k" },
      args: "placeholder root=/dev/x",
      ramdisks: [{ path: "/i" }],
      missing: [],
    });
  });

  test("others", async () => {
    const { entries } = await evaluate(
      "menuentry a { chainloader +1; }\nmenuentry b { chainloader /EFI/x.efi; }\nmenuentry c { multiboot /k; }\nmenuentry d { reboot; }\n",
    );
    expect(entries.map((one) => [one.kind, one.kernel, one.missing.length])).toEqual([
      ["chain", undefined, 0],
      ["chain", undefined, 1],
      ["other", undefined, 0],
      ["other", undefined, 0],
    ]);
  });

  test("words with blanks and quotes reach the kernel quoted", async () => {
    const { entries } = await evaluate(`menuentry a { linux /k "a b" 'c"d' e\\\\f; }\n`);
    expect(entries[0]!.args).toBe(`"a b" c\\"d e\\\\f`);
  });
});

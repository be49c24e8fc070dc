/** The interpreter without GRUB at hand; test/real/boot/grub2 compares it with the real one. */
import { describe, expect, test } from "vitest";
import { envBlock, evaluate, printed, runScript, volume } from "./run.ts";

describe("words and variables", () => {
  test.each([
    [`echo a "b  c" 'd$x' e\\ f \\$x "\\$x" "a\\nb"`, ["a b  c d$x e f $x $x a\\nb"]],
    [`a=1; set b="x y"; echo $a "$b" z$b-q; unset b; echo "[$b]"`, ["1 x y zx y-q", "[]"]],
    [`e=; for i in $e "$e" "" x; do echo "<$i>"; done`, ["<>", "<>", "<x>"]],
    [`s=" a  b "; for i in x$s"y"; do echo "<$i>"; done`, ["<xa>", "<by>"]],
    [`echo 'a\nb'\necho c\\\nd`, ["a", "b", "cd"]],
    ["echo 'a\n#b\nc'", ["a", "c"]],
    ["# echo a\n  # echo b\necho c # d", ["c"]],
    ["echo a\r\necho b\0c", ["a", "b"]],
    [`a=b=c; echo $a; "d=e f"; echo $d`, ["b=c", "e f"]],
    [`set root='(hd0,1)'; echo $root`, ["hd0,1"]],
    [`echo $"Loading $root ..."`, ["Loading hd0 ..."]],
  ])("%j", async (script, lines) => {
    expect(await printed(script)).toEqual(lines);
  });

  test("bytes that are not UTF-8 survive", async () => {
    const config = Buffer.concat([
      Buffer.from("menuentry 'caf"),
      Buffer.from([0xe9]),
      Buffer.from("' { linux /k a="),
      Buffer.from([0xff]),
      Buffer.from("; }\n"),
    ]);
    const { entries } = await evaluate(config);
    expect(entries[0]).toMatchObject({ title: "caf\udce9", args: "a=\udcff" });
  });
});

describe("control", () => {
  test.each([
    [`if false; then echo 1; elif true; then echo 2; else echo 3; fi`, ["2"]],
    [
      `for i in 1 2 3 4; do if [ $i = 2 ]; then continue; fi; if [ $i = 4 ]; then break; fi; echo $i; done`,
      ["1", "3"],
    ],
    [`for i in 1 2; do for j in a b; do continue 2; done; echo no; done; echo end`, ["end"]],
    [
      `i=; while [ "$i" != xxx ]; do i=x$i; done; until [ "$i" = xxxx ]; do i=x$i; done; echo $i`,
      ["xxxx"],
    ],
    [
      `function f { echo $# "$@"; shift; echo $1; setparams p; echo $1; return 3; echo no; }\nf a "b c"; echo $?`,
      ["2 a b c", "b c", "p", "3"],
    ],
    [`function r { for i in 1 2; do return; done; echo no; }\nr; echo after`, ["after"]],
    [
      `nosuch; echo $?; if nosuch; then echo yes; fi; ! nosuch; echo $?; ! false; echo $?`,
      ["0", "yes", "0", "0"],
    ],
    [`eval "echo a; b=2"; echo $b`, ["a", "2"]],
  ])("%j", async (script, lines) => {
    expect(await printed(script)).toEqual(lines);
  });

  test("a syntax error costs one statement and is reported", async () => {
    const machine = await runScript(
      "echo one\necho a && b\n\necho two\nmenuentry x { }\necho three\n",
    );
    expect(machine.output).toBe("one\ntwo\nthree\n");
    const findings = [...machine.findings.values()];
    expect(findings.map(({ code, what }) => `${code}: ${what}`)).toEqual([
      "grub-syntax: GRUB cannot read line 2 of /boot/grub/grub.cfg.",
      "grub-syntax: GRUB cannot read line 5 of /boot/grub/grub.cfg.",
    ]);
    expect(findings[0]!.why).toContain("Column 8 has `&`");
  });

  test("an unknown command is noted once", async () => {
    const { findings } = await runScript("nosuch\nnosuch\nother\n");
    expect([...findings.values()].map(({ code, where }) => `${code} ${where.at(-1)}`)).toEqual([
      "grub-unknown-command line 1",
      "grub-unknown-command line 3",
    ]);
  });
});

const others = () => [
  volume(
    { "/x": "" },
    { disk: 0, partition: 1, table: "mbr", uuid: "AA-1", label: "one", partuuid: "p1" },
  ),
  volume(
    { "/x": "", "/y": "" },
    { disk: 0, partition: 2, table: "mbr", uuid: "aa-2", label: "two" },
  ),
  volume({ "/y": "" }, { disk: 1, partition: 1, table: "gpt", uuid: "aa-3" }),
  volume({ "/z": "" }, { grubName: "lvm/vg0-root", uuid: "lv-1" }),
];

describe("files and devices", () => {
  test("load_env", async () => {
    const files = { "/boot/grub/grubenv": envBlock("# comment", "a=1", "b=x y\\\\z", "c=3") };
    expect(await printed(`load_env b; echo "$a|$b"; load_env; echo "$a|$b|$c"`, files)).toEqual([
      "|x y\\z",
      "1|x y\\z|3",
    ]);
  });

  test("load_env -f, and one that is broken", async () => {
    const files = { "/env": envBlock("a=1"), "/boot/grub/grubenv": "a=2\n" };
    const script = `load_env; if [ $? = 0 ]; then echo no; fi; load_env -f /env; echo $a`;
    const machine = await runScript(script, files);
    expect(machine.output).toBe("1\n");
    expect([...machine.findings.values()].map((one) => one.code)).toEqual(["grub-environment"]);
  });

  test("source, with the variables of here", async () => {
    const files = { "/boot/grub/inc.cfg": "b=$a\necho $config_file\n" };
    expect(
      await printed(
        `a=1; source $prefix/inc.cfg; echo $b; . /nope; echo $? $config_directory`,
        files,
      ),
    ).toEqual(["(hd0)/boot/grub/inc.cfg", "1", "0 (hd0)/boot/grub"]);
  });

  test.each([
    ["search --fs-uuid --set=root AA-2; echo $root", "hd0,msdos2"],
    ["search --no-floppy -u -s r aa-1; echo $r", "hd0,msdos1"],
    ["search --label two --set; echo $root", "hd0,msdos2"],
    ["search --label TWO --set; echo $? $root", "5 hd0"],
    ["search --set --label two; echo $root", "hd0,msdos2"],
    ["search --file /y --set=r; echo $r", "hd0,msdos2"],
    ["search --file /x --set=r; echo $r", "hd0,msdos2"],
    ["search --file /x --set=r --hint=hd0,msdos1; echo $r", "hd0,msdos1"],
    ["search --file /y --set=r --hint-bios hd1,; echo $r", "hd1,gpt1"],
    ["search --file /x --set=r --hint-efi=hd0,msdos1 --hint-new=q; echo $r", "hd0,msdos2"],
    ["search.fs_uuid aa-3 root hd0,gpt1; echo $root", "hd1,gpt1"],
    ["search --part-uuid P1 --set=r; echo $r", "hd0,msdos1"],
    ["search -u lv-1 --set=root; echo $root", "lvm/vg0-root"],
    ["search -u nope --set=root; echo $root", "hd0"],
    ["probe --set=u --fs-uuid (hd0,1); echo $u", "AA-1"],
    ["probe -s l -l hd0,msdos2; echo $l; probe -s f --fs hd1,gpt1; echo $f", "two"],
    ["if [ -f (hd0,2)/y -a ! -e (hd0,1)/y -a -d (hd1,gpt1)/ ]; then echo T; fi", "T"],
    ["if [ -f (hd1,msdos1)/y ]; then echo T; else echo F; fi", "F"],
    ["if [ -f (lvm/vg0-root)/z -a -f (xen/xvdb,gpt1)/y ]; then echo T; fi", "T"],
    ["set root=hd0,2; if [ -f /y ]; then echo T; fi", "T"],
  ])("%s", async (script, line) => {
    expect((await printed(script, {}, others()))[0]).toBe(line);
  });

  test.each([
    ["regexp 'a(b*)c' xabbcx; echo $?", "0"],
    ["regexp --set=v '([0-9]+)[.]([0-9]+)' linux-6.12; echo $v", "6"],
    ["regexp -s 2:v '([0-9]+)[.]([0-9]+)' linux-6.12; echo $v", "12"],
    ["regexp '^b|c$' abc; echo $?", "0"],
    ["regexp '^(a|ab)(c|bcd)?$' abcd; echo $?", "0"],
    ["regexp '^a{2,3}$' aaaa; echo $?", "1"],
    ["regexp '^[[:alpha:]_]+[^x-z]$' ab_cy; echo $?", "1"],
    ["regexp '(' x; echo $?", "1"],
    ["regexp --set=v '(a*)(a*)' aaa; echo $v", "aaa"],
    ["regexp --set=v 'x(a|ab)?' xab; echo $v", "a"],
  ])("%s", async (script, line) => {
    expect(await printed(script)).toEqual([line]);
  });
});

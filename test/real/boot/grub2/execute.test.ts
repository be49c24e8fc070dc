/**
 * Scripts run by real GRUB (grub-emu 2.06) and by us must print the same. Left out is where the emulator differs from a
 * GRUB that boots: sizes of directories, error numbers of its host filesystem, file name patterns.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { runConfig } from "../../../../src/boot/loader/grub2/commands/files.ts";
import { runSource } from "../../../../src/boot/loader/grub2/execute.ts";
import { createMachine } from "../../../../src/boot/loader/grub2/machine.ts";
import { runGrubEmu } from "../../../support/grub-emu.ts";
import { memoryFs } from "../../../support/memory-fs.ts";
import { scratch } from "../../../support/need.ts";

const FILES: Record<string, string> = {
  "sub/one": "1",
  "sub/empty": "",
  grubenv:
    "# GRUB Environment Block\n# c\nsaved_entry=a b\nx=1\\\\2\nnl=a\\\nb\n" + "#".repeat(100),
  "inc.cfg": "inc=yes\necho inc $config_file\n",
  "bad.cfg": "echo one\necho a && b\necho two\nif true; then\n echo }\n echo three\nfi\n",
};

const TESTS = [
  "a = a",
  "a == b",
  "a != b",
  "a '<' b",
  "b '>' a",
  "a '<=' a",
  "1 -lt 2",
  "10 -gt 9",
  "0x10 -eq 16",
  "010 -eq 8",
  "018 -eq 1",
  "-1 -lt 0",
  "x -eq 0",
  '-n ""',
  '-z ""',
  "-n x",
  "x",
  '""',
  "",
  "! x",
  '! ""',
  "a = b -o c = c",
  "a = b -a c = c",
  "a = a -o b = c -a d = e",
  "'(' a = b -o c = c ')' -a d = d",
  "! '(' a = a ')'",
  "! a = b -a x",
  "'(' a",
  "a ')'",
  "a = b ')' x",
  "vmlinuz-2 -plt vmlinuz-11",
  "vmlinuz-2 -pgt vmlinuz-11",
  "v12 -pgt v1",
  "-f /nope",
  "-d /",
  "-e (host)DIR/sub",
  "-d (host)DIR/sub",
  "-f (host)DIR/sub",
  "-f $prefix/sub/one",
  "-s $prefix/sub/one",
  "-s $prefix/sub/empty",
  "-e $prefix/sub/empty",
  "-d $prefix/sub/",
  "-f DIR/sub/one",
  "a -a -o b",
  "-o",
  "= =",
  "a =",
  "-z",
  "-f",
  "1 -eq",
].map((words) => `if [ ${words} ]; then echo T; else echo F; fi`);

const SCRIPTS: readonly string[] = [
  ...TESTS,
  "echo 'a\n#b\nc'",
  "echo a\r\necho b",
  "search --set=r --file /nope --hint; if [ $? = 0 ]; then echo T; else echo F; fi",
  "menuentry a --id { true; }\nif [ $? = 0 ]; then echo T; else echo F; fi",
  "regexp --set=v '(a*)(a*)' aaa; echo $v",
  'echo a "b  c" \'d$x\' e\\ f \\$x "\\$x" "a\\nb" "q\\"r" \'it\'"\'"s',
  'a=1; echo $a; set b="x y"; echo $b "$b" z$b-q; echo ${b}x; unset b; echo [$b] "[$b]"',
  'set e=; for i in $e "$e" "" x; do echo "<$i>"; done',
  'set s=" a  b "; for i in x$s"y" $s; do echo "<$i>"; done',
  'function f { echo "$# $1 $2 [$@] [$*]"; for i in "$@"; do echo "<$i>"; done; for i in $@; do echo "<$i>"; done; for i in "$*"; do echo "<$i>"; done; for i in $*; do echo "<$i>"; done; }\nf "a b" c "" d',
  "function f { shift; echo $1 $#; setparams p q; echo $1 $2; return 3; echo never; }\nf a b; echo $?",
  "nosuch; echo $?; if nosuch; then echo yes; else echo no; fi; ! nosuch; echo $?",
  "false; echo $?; true; echo $?; ! false; echo $?; ! true; echo $?; test a = b; echo $?",
  "if false; then echo 1; elif true; then echo 2; else echo 3; fi",
  "if false; then echo 1; fi; echo $?",
  "for i in 1 2 3 4; do if [ $i = 2 ]; then continue; fi; if [ $i = 4 ]; then break; fi; echo $i; done",
  "for i in 1 2; do for j in a b; do if [ $j = b ]; then continue 2; fi; echo $i$j; done; echo no; done; echo end",
  "for i in 1 2; do for j in a b; do break 2; done; echo no; done; echo end",
  'i=; while [ "$i" != xxx ]; do i=x$i; echo $i; done',
  'i=; until [ "$i" = xxx ]; do i=x$i; echo $i; done; echo $?',
  "[ 1 -eq 01 ] && echo a\necho next",
  "list_env",
  "source $prefix/bad.cfg",
  'eval "echo a; b=2"; echo $b; c=\'echo $b\'; eval $c; eval "$c"',
  "a=b=c; echo $a; \"d=e f\"; echo $d; x='g=h'; $x; echo $g",
  'set "a b=c"; echo done; 1=2; echo $1',
  "echo $grub_platform $feature_menuentry_id $prefix $root; set root=(hd0,1); echo $root",
  "echo -n a; echo b; echo -e 'a\\tb\\\\c'; echo -- -n; echo a -n",
  'echo $"hello $grub_platform"; echo $"a\\"b"',
  "regexp 'a(b*)c' xabbcx; echo $?; regexp --set=1:v 'a(b*)c' xabbcx; echo $v; regexp --set v '([0-9]+)[.]([0-9]+)' linux-6.12; echo $v; regexp -s 2:v '([0-9]+)[.]([0-9]+)' linux-6.12; echo $v; regexp '^b' abc; echo $?; regexp '(a|ab)(c|bcd)?$' abcd; echo $?; regexp 'a{2,3}' aa; echo $?; regexp '[[:digit:]]+x' 12x; echo $?; regexp '[^a-c]' abc; echo $?; regexp '(' x; echo $?; regexp 'a.c' 'a\nc'; echo $?",
  "function g { echo g1 $1; }\nfunction h { g in; echo $1; }\nh out; function g { echo g2; }\ng",
  "function r { if true; then return; fi; echo never; }\nr; echo after",
  "function r { for i in 1 2; do return; done; echo never; }\nfor k in a b; do r; echo $k; done",
  "if true; then\necho a # c\n# comment 'x\necho b\nfi",
  "echo 'a\nb'\necho c\\\nd",
  "set a=1\nexport a\nfunction f { a=2; b=3; }\nf; echo $a $b",
  "echo \"a\\\nb\"; echo 'a\\\nb'",
  'x=\'a b\'; if [ $x = a ]; then echo y; else echo n; fi; if [ "$x" = "a b" ]; then echo y; fi',
  'echo ${1} "$1" $# $@ end',
  "for i in a b; do i=z; echo $i; done; echo $i",
  "while true; do echo once; break; done; echo $?",
  'true=1; true; echo $?; a= ; echo "[$a]"',
  "echo a${a}b$'x'",
  "test; echo $?; [ ; echo $?; [ a = a; echo $?",
  "for i in 1 2 3; do echo $i; i=9; if [ $i = 9 ]; then true; fi; done; if for i in a; do false; done; then echo T; else echo F; fi",
  'load_env; echo "$saved_entry|$x|$nl"; unset x; load_env saved_entry; echo "[$x]"; load_env --file=$prefix/grubenv; echo $x',
  "set x; if [ $? = 0 ]; then echo ok; else echo bad; fi; export; if [ $? = 0 ]; then echo ok; else echo bad; fi",
  "menuentry x { echo; }\necho $?; menuentry { echo; }\nif [ $? = 0 ]; then echo ok; else echo bad; fi; menuentry --bogus a { echo; }\necho $?",
  "! nosuch; echo $?; ! a=b; echo $? $a",
  "search --set=v --file $d/sub/one; echo $? $v",
];

function printed(lines: readonly string[]): string[] {
  return (
    lines
      .filter((line) => line !== "" && !line.startsWith("error: "))
      // The emulator's screen has tab stops.
      .map((line) => line.replace(/[ \t]+/g, " ").trimEnd())
  );
}

test.each(SCRIPTS.map((script) => [JSON.stringify(script), script]))("%s", async (_, script) => {
  const directory = scratch();
  const text = `${script.replaceAll("DIR", directory)}\nexit\n`;
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  const real = printed(runGrubEmu(directory, text));
  const fs = memoryFs(
    Object.fromEntries(
      Object.entries({ ...FILES, "grub.cfg": text }).map(([path, content]) => [
        join(directory, path).slice(1),
        content,
      ]),
    ),
  );
  const volume = { fs, vdev: "xvda", diskIndex: 0, grubName: "host" };
  const config = { volume, path: join(directory, "grub.cfg") };
  const machine = createMachine({
    volumes: [volume],
    config,
    run: runSource,
    platform: { platform: "emu" },
  });
  await runConfig(machine, config);
  expect(printed(machine.output.split("\n"))).toEqual(real);
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLong, settingsOf } from "../../../src/xen/config-settings.ts";
import type { ConfigValue } from "../../../src/xen/config-syntax.ts";
import { parseConfig } from "../../../src/xen/config-syntax.ts";
import type { ConfigAnswer, OracleValue } from "../../support/xl.ts";
import { xlConfigs } from "../../support/xl.ts";

/** Written by hand: each is one thing that a person gets wrong, or that the grammar says little about. */
const CASES: readonly string[] = [
  "",
  "\n",
  "\n\n",
  ";",
  ";;",
  "	 \n",
  "#",
  "# c",
  "# c\n",
  "#\n#",
  "a=1#",
  "a=1 #c",
  "a=1 # c\n",
  "%",
  "a=1%",
  "a=1\n'",
  "a=1",
  "a=1\n",
  "a = 1",
  "a	=	1",
  "a=1;",
  "a=1;b=2",
  "a=1;;b=2",
  ";a=1",
  "a=1 b=2",
  "a=1,b=2",
  "a=1\nb=2\n",
  "a==1",
  "a=",
  "a",
  "=1",
  "a=\n1",
  "a\n=1",
  "a=1=2",
  "a b=1",
  "a.b=1",
  "a_b=1",
  "a-b=1",
  "_a=1",
  ".a=1",
  "a1=1",
  "1a=1",
  "A=1",
  "nAme=1",
  "name=N",
  "a=b",
  "a=True",
  "a=None",
  "a=1.5",
  "a=-1",
  "a=+1",
  "a='-1'",
  "a=1e5",
  "a=0x1F",
  "a=0x1f",
  "a=0X1",
  "a=010",
  "a=08",
  "a=0x",
  "a=1x",
  "a=1a",
  "a=0",
  "a=00",
  "a=007",
  "a='010'",
  "a=' 5'",
  "a='5 '",
  "a=''",
  "a='+5'",
  "a='0x10'",
  "a=9223372036854775807",
  "a=9223372036854775808",
  "a='-9223372036854775808'",
  "a='-9223372036854775809'",
  "a='\\t7'",
  "a='x'",
  'a="x"',
  "a='x\"y'",
  'a="x\'y"',
  "a='x",
  "a=x'",
  "a='x\ny'",
  "a='x' 'y'",
  "a='x''y'",
  "a='''x'''",
  "a='x'#c\n",
  "a='#'",
  "a='\\n'",
  "a='\\t\\r\\a\\b\\f\\v'",
  "a='\\\\'",
  "a='\\''",
  'a="\\""',
  "a='\\\"'",
  "a='\\q'",
  "a='\\ '",
  "a='\\",
  "a='\\'",
  "a='x\\\ny'",
  "a='\\x41'",
  "a='\\x4'",
  "a='\\x'",
  "a='\\x411'",
  "a='\\0'",
  "a='\\01'",
  "a='\\012'",
  "a='\\0123'",
  "a='\\01234'",
  "a='\\101x'",
  "a='\\1 23'",
  "a='\\1 2'",
  "a='\\1+2'",
  "a='\\1+23'",
  "a='\\1+-2'",
  "a='\\1\\23'",
  "a='\\12\\34'",
  "a='\\8'",
  "a='\\78'",
  "a='\\789'",
  "a='\r'",
  "a=1\r\n",
  "\r\n",
  "# c\r\na=1\n",
  "a='x\r'\n",
  "a=1 \r",
  "﻿a=1".replace("﻿", "ï»¿"),
  "a='é'",
  "a=é",
  "\xA0a=1",
  "a=[]",
  "a=[ ]",
  "a=[\n]",
  "a=[1]",
  "a=[1,]",
  "a=[1,2]",
  "a=[1,2,]",
  "a=[,]",
  "a=[1,,2]",
  "a=[1 2]",
  "a=['x' 'y']",
  "a=[1",
  "a=1]",
  "a=[1]]",
  "a=[\n1\n,\n2\n]",
  "a=[\n1,\n2,\n]",
  "a=[ # c\n1, # d\n]",
  "a=[1;2]",
  "a=[[]]",
  "a=[[1,2],[3]]",
  "a=[1,[2]]",
  "a=[[1],]",
  "a=[[1]\n,\n[2]]",
  "a=[b]",
  "a=[\n# c\n]",
  "a=[1] # c\n",
  "a=[1]b=2",
  "a=[1];b=2",
  "a\n=[1]",
  "a=\n[1]",
  "a=['x' + y]",
  "a=['x',\ny,\n'z']\nb=1\n",
  "a={}",
  "a=()",
  "a=[(1)]",
  "a+=1",
  "a+= 'x'",
  "a='x'\na+='y'",
  "a=[1]\na+=[2]",
  "a='x'\na+=['y']",
  "a=['x']\na+='y'",
  "a='x'\na+='y'\na='z'",
  "a+ =1",
  "a-=1",
  "a=1\na=2",
  "a='x'\na=['y']\na+=['z']",
  "a=[]\na+=[]",
  "a=1\na+=2",
  "a='x'\na+='y'\na+='z'",
  "a=[1]\na+=[[2]]",
  "a+=[1]\na+=[2]",
  "import os",
  "import os, sys\n",
  "from x import y\n",
  "def f():\n  return 1\n",
  "if x:\n  a=1\n",
  "a=1 if x else 2\n",
  "a='x' % b\n",
  "a='x' + 'y'\n",
  "a=4*64\n",
  "a=not 1\n",
  "print 'x'\n",
  "a='x',\n",
  "a, b = 1, 2\n",
  "a='x' \\\n 'y'\n",
  "a=os.path.join('x')\n",
  "a:1\n",
  "a: 1\n",
  "{ }\n",
  "a=1 !\n",
  "! a=1\n",
  "a ! = 1\n",
  "a = ! 1\n",
  "a = [ ! 1 ]\n",
  "a=1\n!\nb=2\n",
  "a=1\nb=?\nc=3\n",
  "a=@",
  "a=1\n@",
  "a=1@",
  "a=1 @@",
];

const WORDS = [
  "a",
  "b",
  "key",
  "A",
  "=",
  "=",
  "=",
  "+=",
  "'x'",
  "'y'",
  '"z"',
  "'",
  '"',
  "1",
  "0x1f",
  "010",
  "9",
  "[",
  "]",
  "[",
  "]",
  ",",
  ",",
  ";",
  "\n",
  "\n",
  "\n",
  " ",
  " ",
  "\t",
  "\r",
  "# c",
  "#",
  "\\",
  "(",
  "+",
  "-",
  "'\\101'",
  "'\\q'",
  "''",
  "'\\1 2'",
  "\xe9",
] as const;

function plain(value: ConfigValue | { kind: "list"; items: readonly ConfigValue[] }): OracleValue {
  return value.kind === "list" ? value.items.map(plain) : value.text;
}

/** xl misses the line where the surprise is a line end (one too low), or a `+=` of another type (too high). */
const XL_MISCOUNTS = ["the end of the line", "the end of the file", "a list", "a single value"];

/** What domus says, in the shape of the oracle's answer. */
function ours(text: string) {
  const file = parseConfig(text);
  const first = file.problems[0]?.failure;
  if (first)
    return { refusedAt: XL_MISCOUNTS.includes(first.found) ? expect.anything() : first.line };
  const settings = [...settingsOf(file).values()].map(({ key, value, added }) => {
    const read: OracleValue = value.kind === "list" ? plain(value) : value.text;
    const long = value.kind === "string" && !added ? parseLong(value.text) : undefined;
    return [key, long === undefined ? { value: read } : { value: read, long: String(long) }];
  });
  return { settings: Object.fromEntries(settings) as ConfigAnswer["settings"] };
}

function theirs(answer: ConfigAnswer) {
  if (answer.rc === 0) return { settings: answer.settings };
  return { refusedAt: Number(/:(\d+): config parsing error/.exec(answer.report)?.[1]) };
}

describe("domus reads configs as libxlutil does", () => {
  test("cases written by hand", () => {
    const answers = xlConfigs(CASES);
    expect(answers).toHaveLength(CASES.length);
    expect(CASES.length).toBeGreaterThan(150);
    for (const [i, text] of CASES.entries()) {
      expect(theirs(answers[i]!), JSON.stringify(text)).toEqual(ours(text));
    }
    const refused = answers.filter(({ rc }) => rc !== 0).length;
    expect(refused).toBeGreaterThan(60);
    expect(answers.length - refused).toBeGreaterThan(60);
  });

  test("random words", () => {
    const texts = fc.sample(
      fc.array(fc.constantFrom(...WORDS), { maxLength: 14 }).map((words) => words.join("")),
      { numRuns: 20_000, seed: 7 },
    );
    const answers = xlConfigs(texts);
    let taken = 0;
    for (const [i, text] of texts.entries()) {
      expect(theirs(answers[i]!), JSON.stringify(text)).toEqual(ours(text));
      if (answers[i]!.rc === 0) taken += 1;
    }
    expect(taken).toBeGreaterThan(500);
  });

  test("random statements", () => {
    const atom = fc.constantFrom("1", "'x'", '"y"', "010", "''", "'\\n'", "'\\1 23'");
    const gap = fc.constantFrom("", "", "", " ", "\n", " # c\n", "\t");
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3, depthIdentifier: "list" },
        atom,
        fc
          .tuple(
            gap,
            fc.array(fc.tuple(tie("value"), gap), { maxLength: 3 }),
            fc.constantFrom("", ","),
          )
          .map(
            ([open, items, comma]) =>
              `[${open}${items.map((item) => item.join("")).join(",")}${items.length > 0 ? comma : ""}]`,
          ),
      ),
    }));
    const statement = fc
      .tuple(
        fc.constantFrom("a", "b", "c.d"),
        fc.constantFrom("=", " = ", "+=", "="),
        value,
        fc.constantFrom("\n", ";", " # c\n", ""),
      )
      .map((parts) => parts.join(""));
    const texts = fc.sample(
      fc.array(statement, { maxLength: 5 }).map((parts) => parts.join("")),
      {
        numRuns: 5000,
        seed: 11,
      },
    );
    const answers = xlConfigs(texts);
    for (const [i, text] of texts.entries()) {
      expect(theirs(answers[i]!), JSON.stringify(text)).toEqual(ours(text));
    }
    expect(answers.filter(({ rc }) => rc === 0).length).toBeGreaterThan(2000);
  });
});

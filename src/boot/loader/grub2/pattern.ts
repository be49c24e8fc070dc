/**
 * POSIX extended regular expressions, for the `regexp` command. The engine of the language will not do: a pattern of
 * a guest could make it run for years. This one marks each place in the pattern with each place in the text once, so
 * its time is at most their product.
 *
 * Not supported: back references, collating symbols. Where alternatives overlap, the first one that matches counts
 * for the groups, not the longest.
 */
import { overLimit } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";

type Instruction =
  | { readonly op: "char"; readonly matches: (char: string) => boolean }
  /** Tries `first`, then `second`. */
  | { readonly op: "split"; first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "save"; readonly slot: number }
  | { readonly op: "begin" }
  | { readonly op: "end" }
  | { readonly op: "match" };

const MAX_PROGRAM = 4_000;
const MAX_DEPTH = 50;
/** Places in the pattern times places in the text. */
const MAX_WORK = 4_000_000;
/** RE_DUP_MAX of POSIX. */
const MAX_REPEAT = 255;

export type Pattern = { readonly program: readonly Instruction[]; readonly groups: number };

/** `undefined` when the pattern is not a correct one. */
export function compilePattern(text: string, where: Where): Pattern | undefined {
  return new Compiler(text, where).compile();
}

const CLASSES: Record<string, RegExp> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  digit: /[0-9]/,
  lower: /[a-z]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

class Compiler {
  readonly #text: string;
  readonly #where: Where;
  #at = 0;
  #groups = 0;
  #depth = 0;

  constructor(text: string, where: Where) {
    this.#text = text;
    this.#where = where;
  }

  compile(): Pattern | undefined {
    const body = this.#alternatives();
    if (!body || this.#at < this.#text.length) return undefined;
    return { program: [...body, { op: "match" }], groups: this.#groups };
  }

  #check(program: Instruction[]): Instruction[] {
    if (program.length > MAX_PROGRAM)
      throw overLimit(this.#where, "size of a regular expression", String(MAX_PROGRAM));
    return program;
  }

  /** Jumps are relative while pieces are put together: `to`, `first` and `second` count from the instruction. */
  #alternatives(): Instruction[] | undefined {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      throw overLimit(this.#where, "nesting of a regular expression", String(MAX_DEPTH));
    let program = this.#sequence();
    while (program && this.#text[this.#at] === "|") {
      this.#at += 1;
      const other = this.#sequence();
      if (!other) return undefined;
      program = this.#check([
        { op: "split", first: 1, second: program.length + 2 },
        ...program,
        { op: "jump", to: other.length + 1 },
        ...other,
      ]);
    }
    this.#depth -= 1;
    return program;
  }

  #sequence(): Instruction[] | undefined {
    const program: Instruction[] = [];
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char === "|" || (char === ")" && this.#depth > 1)) return program;
      const atom = this.#atom(char);
      const repeated = atom && this.#repeat(atom);
      if (!repeated) return undefined;
      program.push(...repeated);
      this.#check(program);
    }
  }

  #atom(char: string): Instruction[] | undefined {
    this.#at += 1;
    switch (char) {
      case "(": {
        this.#groups += 1;
        const group = this.#groups;
        const body = this.#alternatives();
        if (!body || this.#text[this.#at] !== ")") return undefined;
        this.#at += 1;
        return [{ op: "save", slot: 2 * group }, ...body, { op: "save", slot: 2 * group + 1 }];
      }
      case "^":
        return [{ op: "begin" }];
      case "$":
        return [{ op: "end" }];
      case ".":
        return [{ op: "char", matches: () => true }];
      case "[":
        return this.#bracket();
      case "\\": {
        const escaped = this.#text[this.#at];
        this.#at += 1;
        if (escaped === undefined) return undefined;
        return [{ op: "char", matches: (other) => other === escaped }];
      }
      case "*":
      case "+":
      case "?":
        return undefined;
      default:
        return [{ op: "char", matches: (other) => other === char }];
    }
  }

  #bracket(): Instruction[] | undefined {
    const rest = /^(\^?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]/s.exec(this.#text.slice(this.#at));
    if (!rest) return undefined;
    this.#at += rest[0].length;
    const tests: ((char: string) => boolean)[] = [];
    for (const item of rest[2]!.matchAll(/\[:([a-z]+):\]|(.)-([^\]])|(.)/gsu)) {
      const [, name, from, to, single] = item;
      if (name !== undefined) {
        const matches = CLASSES[name];
        if (!matches) return undefined;
        tests.push((char) => matches.test(char));
      } else if (from !== undefined && to !== undefined) {
        tests.push((char) => char >= from && char <= to);
      } else {
        tests.push((char) => char === single);
      }
    }
    const negated = rest[1] === "^";
    return [{ op: "char", matches: (char) => tests.some((test) => test(char)) !== negated }];
  }

  #repeat(atom: Instruction[]): Instruction[] | undefined {
    let program = atom;
    for (;;) {
      const char = this.#text[this.#at];
      const counted = /^\{([0-9]{1,3})(,?)([0-9]{0,3})\}/.exec(
        this.#text.slice(this.#at, this.#at + 10),
      );
      if (char === "*" || char === "+" || char === "?") {
        this.#at += 1;
        program = char === "*" ? star(program) : char === "+" ? plus(program) : maybe(program);
      } else if (counted) {
        this.#at += counted[0].length;
        const least = Number(counted[1]);
        const most = counted[2] === "" ? least : counted[3] === "" ? undefined : Number(counted[3]);
        if (least > MAX_REPEAT || (most !== undefined && (most < least || most > MAX_REPEAT)))
          return undefined;
        if (program.length * Math.max(least, most ?? 0) > MAX_PROGRAM)
          throw overLimit(this.#where, "size of a regular expression", String(MAX_PROGRAM));
        program = counts(program, least, most);
      } else {
        return this.#check(program);
      }
    }
  }
}

function star(body: readonly Instruction[]): Instruction[] {
  const { length } = body;
  return [{ op: "split", first: 1, second: length + 2 }, ...body, { op: "jump", to: -length - 1 }];
}

function plus(body: readonly Instruction[]): Instruction[] {
  return [...body, { op: "split", first: -body.length, second: 1 }];
}

function maybe(body: readonly Instruction[]): Instruction[] {
  return [{ op: "split", first: 1, second: body.length + 1 }, ...body];
}

function counts(
  body: readonly Instruction[],
  least: number,
  most: number | undefined,
): Instruction[] {
  const fixed = Array.from({ length: least }, () => body).flat();
  if (most === undefined) return [...fixed, ...star(body)];
  return [...fixed, ...Array.from({ length: most - least }, () => maybe(body)).flat()];
}

/** Start and end of the match and of each group (-1 where a group took no part), or undefined. */
export function matchPattern(
  pattern: Pattern,
  text: string,
  where: Where,
): readonly number[] | undefined {
  const { program, groups } = pattern;
  const width = text.length + 1;
  if (program.length * width > MAX_WORK)
    throw overLimit(where, "work of a regular expression", String(MAX_WORK));
  const seen = new Uint8Array(program.length * width);
  for (let start = 0; start < width; start++) {
    const saved = matchFrom(program, text, { start, seen, groups });
    if (saved) return saved;
  }
  return undefined;
}

type Attempt = { readonly start: number; readonly seen: Uint8Array; readonly groups: number };

/** A place to go on from, or a group's end to put back when all that came after it failed. */
type Pending =
  | { readonly pc: number; readonly at: number }
  | { readonly slot: number; was: number };

function matchFrom(
  program: readonly Instruction[],
  text: string,
  { start, seen, groups }: Attempt,
): number[] | undefined {
  const saved = Array.from({ length: 2 * groups + 2 }, () => -1);
  saved[0] = start;
  const width = text.length + 1;
  const pending: Pending[] = [{ pc: 0, at: start }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if ("slot" in next) {
      saved[next.slot] = next.was;
      continue;
    }
    let { pc, at } = next;
    // Ends: every turn marks a new pair of places.
    while (seen[pc * width + at] === 0) {
      seen[pc * width + at] = 1;
      const step = program[pc]!;
      if (step.op === "match") {
        saved[1] = at;
        return saved;
      }
      if (step.op === "char") {
        const char = text[at];
        if (char === undefined || !step.matches(char)) break;
        at += 1;
        pc += 1;
      } else if (step.op === "begin" || step.op === "end") {
        if (at !== (step.op === "begin" ? 0 : text.length)) break;
        pc += 1;
      } else if (step.op === "save") {
        pending.push({ slot: step.slot, was: saved[step.slot]! });
        saved[step.slot] = at;
        pc += 1;
      } else if (step.op === "split") {
        pending.push({ pc: pc + step.second, at });
        pc += step.first;
      } else {
        pc += step.to;
      }
    }
  }
  return undefined;
}

/**
 * The lines of a SYSLINUX configuration: a keyword in any case, blanks, a value. INCLUDE is replaced by what is in the
 * other file. https://wiki.syslinux.org/wiki/index.php?title=Config
 */
import { Budget } from "../../../base/budget.ts";
import { within } from "../../../base/where.ts";
import { MIB } from "../../../base/units.ts";
import { readTextFile } from "../boot-file.ts";
import type { BootVolume } from "../loader.ts";

export type Statement = {
  /** In lower case; of `MENU` lines with the second word: `menu default`. */
  readonly keyword: string;
  readonly value: string;
  /** From 1, in the file that was asked for; what was included is on the line of its INCLUDE. */
  readonly line: number;
};

/** As deep as SYSLINUX itself follows INCLUDE. */
const MAX_DEPTH = 16;
const MAX_FILES = 100;
const MAX_BYTES = 4 * MIB;

/** Takes any text; linear in its length. */
export function parseStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  let inHelp = false;
  for (const [index, raw] of text.split("\n").entries()) {
    const [word, rest] = firstWord(raw.trim());
    const keyword = word.toLowerCase();
    if (inHelp) {
      inHelp = keyword !== "endtext";
    } else if (keyword === "text") {
      inHelp = true;
    } else if (keyword === "menu") {
      const [second, value] = firstWord(rest);
      statements.push({ keyword: `menu ${second.toLowerCase()}`, value, line: index + 1 });
    } else if (keyword !== "" && !keyword.startsWith("#")) {
      statements.push({ keyword, value: rest, line: index + 1 });
    }
  }
  return statements;
}

/** A word and what follows the blanks after it. */
export function firstWord(text: string): [word: string, rest: string] {
  const end = text.search(/[ \t]/);
  return end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end).trimStart()];
}

/** Where a name in the configuration leads; `undefined` for another device (`hd0,1::/x`) or the network. */
export function resolveName(name: string, { volume, directory }: Place): string | undefined {
  const path = volume.fs.kind === "vfat" ? name.replaceAll("\\", "/") : name;
  if (path.startsWith("::")) return resolveName(path.slice(2), { volume, directory });
  if (path === "" || path.includes("::") || path.startsWith("(")) return undefined;
  return tidy(path.startsWith("/") ? path : `${directory}/${path}`);
}

/** Without `.`, `..` and doubled slashes. */
function tidy(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

export type Place = {
  readonly volume: BootVolume;
  /** Of the configuration, without a slash at its end: what names are relative to. */
  readonly directory: string;
  readonly signal?: AbortSignal;
};

/** A file with all that it includes; `undefined` when there is none. */
export async function readStatements(path: string, place: Place): Promise<Statement[] | undefined> {
  const { volume, signal } = place;
  const where = within(volume.fs.where, path);
  const files = new Budget(MAX_FILES, where, "the number of included files");
  const bytes = new Budget(MAX_BYTES, where, "the size of all included files");
  const read = async (name: string) => {
    signal?.throwIfAborted();
    files.spend();
    const options = { limitBytes: MAX_BYTES, ...(signal && { signal }) };
    const text = await readTextFile(volume.fs, name, options);
    bytes.spend(text?.length ?? 0);
    return text === undefined ? undefined : parseStatements(text);
  };
  const main = await read(path);
  if (!main) return undefined;
  const out: Statement[] = [];
  const open = [main[Symbol.iterator]()];
  let line = 1;
  // Ends: each file is a list that is gone through once, and `files` bounds their number.
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const { value: statement } = top.next();
    if (!statement) {
      open.pop();
      continue;
    }
    if (open.length === 1) line = statement.line;
    if (statement.keyword !== "include" && statement.keyword !== "menu include") {
      out.push({ ...statement, line });
      continue;
    }
    const name = resolveName(firstWord(statement.value)[0], place);
    const included = name !== undefined && open.length < MAX_DEPTH ? await read(name) : undefined;
    // A file that is not there is passed over.
    if (included) open.push(included[Symbol.iterator]());
  }
  return out;
}

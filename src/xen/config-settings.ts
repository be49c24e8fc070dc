/**
 * What xl has of a config once it is parsed (xen: tools/libs/util/libxlu_cfg.c): one value a key, the last one, with
 * `+=` joined on. Reading gives a value its type; what xl says there, it says as a warning, and goes on without it.
 */
import type { Position } from "./config-tokens.ts";
import type { ConfigFile, ConfigString, ConfigValue } from "./config-syntax.ts";

export type Setting = {
  readonly key: string;
  readonly value:
    | { readonly kind: "string"; readonly text: string }
    | { readonly kind: "list"; readonly items: readonly ConfigValue[] };
  /** The last assignment was a `+=`: xl then refuses to read a number. */
  readonly added: boolean;
  /** Of the last assignment. */
  readonly start: Position;
  /** Of earlier assignments with `=`, whose values are lost. */
  readonly overridden: readonly Position[];
};

export type Settings = ReadonlyMap<string, Setting>;

export function settingsOf(file: ConfigFile): Settings {
  const settings = new Map<string, Setting>();
  for (const { key, op, value, start } of file.assignments) {
    const before = settings.get(key);
    const added = op === "+=";
    const overridden =
      before && !added ? [...before.overridden, before.start] : (before?.overridden ?? []);
    const joined = added && before ? join(before.value, value) : value;
    settings.set(key, { key, value: joined, added, start, overridden });
  }
  return settings;
}

function join(before: Setting["value"], value: ConfigValue): Setting["value"] {
  if (before.kind === "string" && value.kind === "string") {
    return { kind: "string", text: before.text + value.text };
  }
  if (before.kind === "list" && value.kind === "list") {
    return { kind: "list", items: [...before.items, ...value.items] };
  }
  return value;
}

/** The largest value of a C long on a 64-bit dom0. */
const LONG_MAX = 2n ** 63n - 1n;

/**
 * A number as strtol(base 0) reads it: decimal, `0x` hexadecimal, and a leading 0 is octal (`010` is 8). Undefined
 * when something is left over, nothing is there, or it does not fit a 64-bit long.
 */
export function parseLong(text: string): bigint | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (!match) return undefined;
  const [, prefix, digits] = /^(0x|0(?=.))?0*(.*)$/i.exec(match[2]!)!;
  // 2^63 has 21 octal digits; converting more would take quadratic time.
  if (digits!.length > 21) return undefined;
  const magnitude = BigInt(`${prefix === "0" ? "0o" : (prefix ?? "")}${digits || "0"}`);
  const value = match[1] === "-" ? -magnitude : magnitude;
  return value >= -LONG_MAX - 1n && value <= LONG_MAX ? value : undefined;
}

/**
 * The entries of a list of strings, as xl walks one: up to the first entry that is itself a list, which ends the walk
 * without a word. `lost`: what came after.
 */
export function stringEntries(items: readonly ConfigValue[]): {
  entries: ConfigString[];
  lost: readonly ConfigValue[];
} {
  const entries: ConfigString[] = [];
  for (const [i, item] of items.entries()) {
    if (item.kind !== "string") return { entries, lost: items.slice(i) };
    entries.push(item);
  }
  return { entries, lost: [] };
}

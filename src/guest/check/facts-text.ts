/** Facts as JSON and back: plain data, and with it what JSON has no word for, bigints, maps, sets and NaN. */

type Tagged =
  | { readonly $bigint: string }
  /** NaN, Infinity, -Infinity. */
  | { readonly $number: string }
  | { readonly $set: readonly unknown[] }
  | { readonly $map: readonly (readonly [unknown, unknown])[] };

/** Plain data only; properties that are undefined are left out. A TypeError for anything else, which would not come back. */
export function factsToText(facts: unknown): string {
  return JSON.stringify(facts, (_key, value: unknown) => tagged(value));
}

function tagged(value: unknown): unknown {
  if (typeof value === "bigint") return { $bigint: value.toString() } satisfies Tagged;
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { $number: String(value) } satisfies Tagged;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (value instanceof Set) return { $set: [...value] } satisfies Tagged;
  if (value instanceof Map) return { $map: [...value] } satisfies Tagged;
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    throw new TypeError(`a ${value.constructor.name} in facts`);
  }
  return value;
}

/** What `factsToText` was given, for a text of its making. */
export function textToFacts(text: string): unknown {
  return untagged(JSON.parse(text));
}

/** In place: the value was made by JSON.parse and is nobody else's. Facts are a handful of levels deep. */
function untagged(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (typeof value[i] === "object") value[i] = untagged(value[i]);
    }
    return value;
  }
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    if (typeof fields[key] === "object") fields[key] = untagged(fields[key]);
  }
  const { $bigint, $number, $set, $map } = fields;
  if (typeof $bigint === "string") return BigInt($bigint);
  if (typeof $number === "string") return Number($number);
  if (Array.isArray($set)) return new Set($set);
  if (Array.isArray($map)) return new Map($map as [unknown, unknown][]);
  return value;
}

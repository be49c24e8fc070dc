/**
 * Damage that knows where things are. While the undamaged input is read once, every struct that is looked at is noted
 * with its place; damage then goes into fields of those structs, with the values that break arithmetic and with those
 * that make a link lead back to where it came from; into bytes near them; and over whole blocks. What has checksums is
 * sealed again, mostly. Damage is undone after each run, so that an image of megabytes is never copied.
 */
import { i32be, u16be, u32be, u64be, u64beRaw } from "../../src/bytes/fields.ts";
import { declaredStructs } from "../../src/bytes/struct.ts";
import { renewSeals } from "./seals/seal.ts";
import type { Range, Seal } from "./seals/seal.ts";
import { fieldValue } from "./values.ts";

export type Field = {
  /** `struct.field`; fields of one name hold the same kind of thing. */
  readonly name: string;
  readonly at: number;
  readonly size: number;
  readonly bigEndian: boolean;
};

/** What there is to be damaged in an input. */
export type Anatomy = {
  readonly fields: readonly Field[];
  /** By name: a superblock counts as much as a thousand inodes. */
  readonly kinds: ReadonlyMap<string, readonly Field[]>;
  readonly seals: readonly Seal[];
};

const BIG_ENDIAN: ReadonlySet<unknown> = new Set([u16be, u32be, i32be, u64be, u64beRaw]);

export function anatomy(fields: readonly Field[], seals: readonly Seal[]): Anatomy {
  return { fields, kinds: Map.groupBy(fields, ({ name }) => name), seals };
}

/** Runs `read` over the input and returns the fields of all structs that it looked at, by their place in it. */
export async function fieldsOf(input: Uint8Array, read: () => Promise<unknown>): Promise<Field[]> {
  const found = new Map<string, Field>();
  const originals = declaredStructs.map((one) => one.read.bind(one));
  for (const [index, one] of declaredStructs.entries()) {
    Object.assign(one, {
      read: (...args: Parameters<typeof one.read>) => {
        const [bytes, at = 0] = args;
        if (bytes.buffer === input.buffer) {
          const start = bytes.byteOffset - input.byteOffset + at;
          for (const field of fieldsAt(one.name, start)) {
            found.set(`${field.at} ${field.name}`, field);
          }
        }
        return originals[index]!(...args);
      },
    });
  }
  try {
    await read();
  } finally {
    for (const [index, one] of declaredStructs.entries())
      Object.assign(one, { read: originals[index]! });
  }
  return [...found.values()];
}

/** The fields of a declared struct, were it at that place. */
export function fieldsAt(struct: string, start: number): Field[] {
  const declared = declaredStructs.find((one) => one.name === struct);
  return Object.entries(declared?.fields ?? {}).map(([name, [offset, type]]) => ({
    name: `${struct}.${name}`,
    at: start + offset,
    size: type.size,
    bigEndian: BIG_ENDIAN.has(type),
  }));
}

export type Random = (below: number) => number;

export type Damage = { readonly what: string; undo(): void };

/** One wound, or up to four. Without fields and seals any byte is as good as another. */
export function damage(input: Uint8Array, body: Anatomy, random: Random): Damage {
  const saved: { at: number; bytes: Uint8Array }[] = [];
  const told: string[] = [];
  const write = (at: number, bytes: Uint8Array) => {
    const end = Math.min(at + bytes.length, input.length);
    if (at < 0 || at >= end) return;
    saved.push({ at, bytes: input.slice(at, end) });
    input.set(bytes.subarray(0, end - at), at);
  };
  const count = random(2) === 0 ? 1 : 1 + random(4);
  for (let i = 0; i < count; i++) {
    const [what, at, bytes] = wound(input, body, random);
    write(at, bytes);
    told.push(`${what} at ${at}`);
  }
  // Somebody who means harm seals what he changed; a disk that dies does not.
  if (body.seals.length > 0 && random(6) > 0) {
    const written = saved.map(({ at, bytes }) => ({ at, length: bytes.length }));
    renewSeals(input, body.seals, written, ({ at, bytes }) => write(at, bytes));
    told.push("sealed");
  }
  return {
    what: told.join(", "),
    undo() {
      for (const { at, bytes } of saved.reverse()) input.set(bytes, at);
    },
  };
}

type Wound = readonly [what: string, at: number, bytes: Uint8Array];

function wound(input: Uint8Array, { fields, kinds, seals }: Anatomy, random: Random): Wound {
  const pick = <T>(all: readonly T[]): T => all[random(all.length)]!;
  const way = random(16);
  if (seals.length > 0 && way < 4) {
    const range = pick(pick(seals).covers);
    if (way === 0) return blockOver(input, seals, range, random);
    return inside(input, range, random);
  }
  if (fields.length === 0 || way === 15) {
    const at = random(input.length);
    return random(2) === 0 ? someBytes(at, random) : otherBytes(input, at, random);
  }
  const names = [...kinds.keys()];
  const field = pick(random(2) === 0 ? fields : kinds.get(pick(names))!);
  if (field.size > 16 || way === 14) return someBytes(field.at + random(field.size), random);
  const alike = pick(kinds.get(field.name)!);
  return [field.name, field.at, fieldValue({ field, input, fields, alike }, random)];
}

/** A number of any size at a place that holds something, where structs are read without being declared. */
function inside(input: Uint8Array, range: Range, random: Random): Wound {
  const size = 1 << random(4);
  let at = range.at + random(range.length);
  // Blocks are mostly room: look for what is used.
  for (let tries = 0; tries < 40 && input[at] === 0; tries++) at = range.at + random(range.length);
  at -= (at - range.at) % size;
  const field = { name: "covered", at, size, bigEndian: random(2) === 0 };
  return ["covered", at, fieldValue({ field, input, fields: [], alike: field }, random)];
}

/** Another block of the same length in the place of this one: two of a kind, and links that lead to the wrong one. */
function blockOver(input: Uint8Array, seals: readonly Seal[], range: Range, random: Random): Wound {
  for (let tries = 0; tries < 10; tries++) {
    const [other] = seals[random(seals.length)]!.covers;
    if (!other || other.length !== range.length || other.at === range.at) continue;
    return ["another block", range.at, input.slice(other.at, other.at + other.length)];
  }
  return inside(input, range, random);
}

function someBytes(at: number, random: Random): Wound {
  return ["bytes", at, Uint8Array.from({ length: 1 + random(8) }, () => random(256))];
}

/** What is somewhere else in the input: words in the wrong place, a piece of a packed stream twice. */
function otherBytes(input: Uint8Array, at: number, random: Random): Wound {
  const from = random(input.length);
  return ["other bytes", at, input.slice(from, from + 1 + random(64))];
}

/**
 * Damage that knows where things are. While the undamaged input is read once, every struct that is looked at is noted
 * with its place; damage then goes into fields of those structs, with the values that break arithmetic, and into
 * bytes near them. Damage is undone after each run, so that an image of megabytes is never copied.
 */
import { declaredStructs } from "../../src/bytes/struct.ts";

export type Field = { readonly name: string; readonly at: number; readonly size: number };

/** Runs `read` over the input and returns the fields of all structs that it looked at, by their place in it. */
export async function fieldsOf(input: Uint8Array, read: () => Promise<unknown>): Promise<Field[]> {
  const found = new Map<string, Field>();
  const originals = declaredStructs.map((one) => one.read.bind(one));
  for (const [index, one] of declaredStructs.entries()) {
    Object.assign(one, {
      read: (...args: Parameters<typeof one.read>) => {
        const [bytes, at = 0] = args;
        if (bytes.buffer === input.buffer) {
          for (const [name, [offset, type]] of Object.entries(one.fields)) {
            const place = bytes.byteOffset - input.byteOffset + at + offset;
            found.set(`${place} ${name}`, {
              name: `${one.name}.${name}`,
              at: place,
              size: type.size,
            });
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

type Random = (below: number) => number;

export type Damage = { readonly what: string; undo(): void };

/** One to four wounds. `fields` may be empty: then any byte is as good as another. */
export function damage(input: Uint8Array, fields: readonly Field[], random: Random): Damage {
  const saved: { at: number; bytes: Uint8Array }[] = [];
  const told: string[] = [];
  const write = (at: number, bytes: Uint8Array, what: string) => {
    const end = Math.min(at + bytes.length, input.length);
    if (at < 0 || at >= end) return;
    saved.push({ at, bytes: input.slice(at, end) });
    input.set(bytes.subarray(0, end - at), at);
    told.push(`${what} at ${at}`);
  };
  const count = 1 + random(4);
  for (let i = 0; i < count; i++) {
    const field = fields.length > 0 && random(8) > 0 ? fields[random(fields.length)]! : undefined;
    if (field && field.size <= 16) write(field.at, value(field, input, random), field.name);
    else {
      const at = field ? field.at + random(field.size) : random(input.length);
      write(
        at,
        Uint8Array.from({ length: 1 + random(8) }, () => random(256)),
        "bytes",
      );
    }
  }
  return {
    what: told.join(", "),
    undo() {
      for (const { at, bytes } of saved.reverse()) input.set(bytes, at);
    },
  };
}

/** The values that break arithmetic: nothing, everything, the sign bit, one more, one less, another field's. */
function value({ at, size }: Field, input: Uint8Array, random: Random): Uint8Array {
  const out = input.slice(at, at + size);
  switch (random(8)) {
    case 0:
      return out.fill(0);
    case 1:
      return out.fill(0xff);
    case 2:
      out.fill(0);
      out[random(size)] = 0x80;
      return out;
    case 3:
      out[0] = (out[0]! + 1) & 0xff;
      return out;
    case 4:
      out[0] = (out[0]! + 255) & 0xff;
      return out;
    case 5:
      out.fill(0);
      out[0] = 1;
      return out;
    case 6:
      out[random(out.length)] = 1 << random(8);
      return out;
    default:
      return Uint8Array.from({ length: size }, () => random(256));
  }
}

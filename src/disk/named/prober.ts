import type { Prober } from "../content.ts";
import type { NamedFormat } from "./formats.ts";

/** Covers every id in `formats.ts`. */
const HEAD_BYTES = 68 * 1024;

/** A prober that says the name, and why domus goes no further. */
export function namedProber(format: NamedFormat): Prober {
  return {
    name: format.name,
    magics: format.magics.map(({ offset, text }) => ({
      offset,
      bytes: Uint8Array.from(text, (char) => char.charCodeAt(0)),
    })),
    async probe(source, { signal }) {
      const head = await source.read(0, Math.min(HEAD_BYTES, source.size), signal);
      const uuid = format.uuid?.(head) ?? "";
      return { kind: "named", format: format.name, uuid, why: format.why };
    },
  };
}

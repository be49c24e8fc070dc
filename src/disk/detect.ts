/** What a volume holds: its first bytes are read once, and every prober whose magic is there is asked in turn. */
import { attempt } from "../base/failure.ts";
import type { Content, Magic, ProbeContext, Prober, Tried } from "./content.ts";
import { probers } from "./probers.ts";
import type { ByteSource } from "./source.ts";

/** Every magic but those at a volume's end lies within; btrfs has the furthest, at 64 KiB. */
const HEAD_BYTES = 68 * 1024;

export type Detected = {
  readonly content: Content;
  /** Who recognised it and failed, in the order asked; also when another prober then succeeded. */
  readonly tried: readonly Tried[];
};

/**
 * Never fails: what cannot be read is `unknown`, and `tried` says why. The source is read in small pieces that lie
 * together, so it should be a cached one. `candidates` is for tests.
 */
export async function detectContent(
  source: ByteSource,
  context: ProbeContext = {},
  candidates: readonly Prober[] = context.probers ?? probers,
): Promise<Detected> {
  const length = Math.min(HEAD_BYTES, source.size);
  const head = await attempt(() => source.read(0, length, context.signal));
  if (!head.ok) {
    return { content: { kind: "unknown" }, tried: [{ name: "any format", failure: head.failure }] };
  }
  const tried: Tried[] = [];
  for (const prober of candidates) {
    const answer = await attempt(async () =>
      (await hasAnyMagic(prober, source, head.value)) ? prober.probe(source, context) : undefined,
    );
    if (!answer.ok) tried.push({ name: prober.name, failure: answer.failure });
    else if (answer.value) return { content: answer.value, tried };
  }
  const blank = tried.length === 0 && length > 0 && head.value.every((byte) => byte === 0);
  return { content: { kind: blank ? "empty" : "unknown" }, tried };
}

async function hasAnyMagic(prober: Prober, source: ByteSource, head: Uint8Array): Promise<boolean> {
  for (const magic of prober.magics) if (await hasMagic(magic, source, head)) return true;
  return false;
}

async function hasMagic(magic: Magic, source: ByteSource, head: Uint8Array): Promise<boolean> {
  const offset = typeof magic.offset === "number" ? magic.offset : magic.offset(source.size);
  const { bytes } = magic;
  if (offset < 0 || offset + bytes.length > source.size) return false;
  const found =
    offset + bytes.length <= head.length
      ? head.subarray(offset, offset + bytes.length)
      : await source.read(offset, bytes.length);
  return bytes.every((byte, at) => byte === found[at]);
}

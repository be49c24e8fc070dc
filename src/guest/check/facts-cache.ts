/**
 * Facts of kernels and initramfs images that were read before. A fact follows from bytes and from nothing else that a
 * guest could change, so what finds it is a digest of all the bytes: see docs/design/facts-cache.md.
 */
import { MIB } from "../../base/units.ts";
import { encodeText } from "../../bytes/text.ts";
import type { FactKey, FactStore } from "../../host/fact-store.ts";
import { factsToText, textToFacts } from "./facts-text.ts";

/** A file's bytes, to be had in pieces or whole. */
export type FactSource = {
  readonly sizeBytes: number;
  /** As many bytes as `into` has, in there or in an array of their own. */
  readonly read: (offset: number, into: Uint8Array) => Promise<Uint8Array>;
  readonly whole: () => Promise<Uint8Array>;
};

/** All but the file itself that the facts follow from, the reader's kind among them. */
export type FactInputs = readonly (string | readonly string[] | Uint8Array | undefined)[];

export type FactsCache = {
  /** The facts that `make` has given, or would give, for these bytes and inputs. */
  facts<T>(
    source: FactSource,
    inputs: FactInputs,
    make: (bytes: Uint8Array) => Promise<T>,
  ): Promise<T>;
};

/** For `--no-cache`, and where there is no store. */
export const noFactsCache: FactsCache = {
  facts: async (source, _inputs, make) => make(await source.whole()),
};

/** Pieces fit into a processor's cache, so that hashing does not wait for memory. */
const PIECE_BYTES = MIB;
/** Guests of one host often have the same kernel; facts have up to some MB in memory. */
const MAX_IN_MEMORY = 8;

/** `reader` names the code that makes the facts: another build of domus finds none of the old. */
export function factsCache(store: FactStore, reader: string): FactsCache {
  const recent = new Map<string, unknown>();
  const remember = (key: FactKey, facts: unknown) => {
    recent.delete(key.digest);
    recent.set(key.digest, facts);
    if (recent.size > MAX_IN_MEMORY) recent.delete(recent.keys().next().value!);
  };
  const recall = async (key: FactKey) => {
    const known = recent.get(key.digest);
    if (known !== undefined) return known;
    const text = await store.get(key);
    return text === undefined ? undefined : textToFacts(text);
  };
  return {
    async facts<T>(
      source: FactSource,
      inputs: FactInputs,
      make: (bytes: Uint8Array) => Promise<T>,
    ): Promise<T> {
      const about = [reader, ...inputs];
      if (store.mayHave(source.sizeBytes)) {
        const key = await keyOf(store, about, source);
        const found = await recall(key);
        if (found !== undefined) {
          remember(key, found);
          return found as T;
        }
      }
      // A running guest may write to the file between two reads: what is kept is kept for the bytes that were looked at.
      const bytes = await source.whole();
      const key = keyOfBytes(store, about, bytes);
      const facts = await make(bytes);
      await store.put(key, factsToText(facts));
      remember(key, facts);
      return facts;
    },
  };
}

async function keyOf(
  store: FactStore,
  about: FactInputs,
  { sizeBytes, read }: FactSource,
): Promise<FactKey> {
  const fingerprint = begun(store, about);
  // One piece ahead: the machine reads while this thread hashes.
  const buffers = [0, 1].map(() => new Uint8Array(Math.min(PIECE_BYTES, sizeBytes)));
  const piece = (at: number) => {
    const left = sizeBytes - at;
    const buffer = buffers[(at / PIECE_BYTES) % 2]!;
    return left > 0 ? read(at, buffer.subarray(0, Math.min(PIECE_BYTES, left))) : undefined;
  };
  let pending = piece(0);
  for (let at = 0; pending; at += PIECE_BYTES) {
    const bytes = await pending;
    pending = piece(at + PIECE_BYTES);
    // Hashing cannot fail, so a failing read ahead is always waited for in the next turn.
    fingerprint.update(bytes);
  }
  return { sizeBytes, digest: fingerprint.digest() };
}

function keyOfBytes(store: FactStore, about: FactInputs, bytes: Uint8Array): FactKey {
  const fingerprint = begun(store, about);
  fingerprint.update(bytes);
  return { sizeBytes: bytes.length, digest: fingerprint.digest() };
}

/** The inputs come first, with their lengths: no other inputs and contents make the same run of bytes. */
function begun(store: FactStore, about: FactInputs) {
  const fingerprint = store.fingerprint();
  const contents = about.filter((one) => one instanceof Uint8Array);
  // Undefined becomes null, and bytes an object with their length: no text is either.
  const words = about.map((one) => (one instanceof Uint8Array ? { bytes: one.length } : one));
  const bytes = encodeText(JSON.stringify(words));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setFloat64(0, bytes.length);
  fingerprint.update(length);
  for (const part of [bytes, ...contents]) fingerprint.update(part);
  return fingerprint;
}

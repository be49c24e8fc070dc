import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { missing } from "../../../../src/base/failure.ts";
import { factsCache, noFactsCache } from "../../../../src/guest/check/facts-cache.ts";
import type { FactInputs, FactSource } from "../../../../src/guest/check/facts-cache.ts";
import { openFactStore } from "../../../../src/host/local/fact-store.ts";

const BASE = mkdtempSync(join(tmpdir(), "domus-facts-"));
afterAll(() => rmSync(BASE, { recursive: true }));
let count = 0;

async function store(name = String(count++)) {
  const opened = await openFactStore(join(BASE, name));
  if (!opened) throw new Error("no store");
  return opened;
}

type Watched = FactSource & { wholeReads: number };

function source(bytes: Uint8Array): Watched {
  const watched: Watched = {
    sizeBytes: bytes.length,
    wholeReads: 0,
    // Every other piece in an array of its own.
    async read(offset, into) {
      const piece = bytes.slice(offset, offset + into.length);
      if (offset % 2_097_152 !== 0) return piece;
      into.set(piece);
      return into;
    },
    async whole() {
      watched.wholeReads += 1;
      return bytes.slice();
    },
  };
  return watched;
}

const sum = async (bytes: Uint8Array) => ({ sum: bytes.reduce((all, one) => all + one, 0) });
const never = () => Promise.reject(new Error("must come from the cache"));

/** Three pieces of reading, the last one short. */
const BYTES = Uint8Array.from({ length: 2 * 1024 * 1024 + 77 }, (_, index) => index % 251);

test("facts of bytes that were seen before are not made again, in this run and the next", async () => {
  const first = factsCache(await store("runs"), "r1");
  const facts = await first.facts(source(BYTES), ["kernel"], sum);
  expect(await first.facts(source(BYTES), ["kernel"], never)).toEqual(facts);
  const next = factsCache(await store("runs"), "r1");
  const seen = source(BYTES);
  expect(await next.facts(seen, ["kernel"], never)).toEqual(facts);
  expect(seen.wholeReads).toBe(0);
});

test("one changed byte anywhere is noticed, with the size as it was", async () => {
  const cache = factsCache(await store(), "r1");
  await cache.facts(source(BYTES), [], sum);
  for (const at of [0, 1, 1_048_575, 1_048_576, 2_097_152, BYTES.length - 1]) {
    const changed = BYTES.slice();
    changed[at]! += 1;
    expect(await cache.facts(source(changed), [], sum)).toEqual(await sum(changed));
  }
});

test("the same bytes under other inputs, or read by another build, are read anew", async () => {
  const cache = factsCache(await store("inputs"), "r1");
  const inputs: FactInputs[] = [
    [],
    ["kernel"],
    ["initramfs"],
    ["kernel", undefined],
    ["kernel", ""],
    ["kernel", "null"],
    ["kernel", "a", "b"],
    ["kernel", "ab"],
    ["kernel", ["a", "b"]],
    ["kernel", Uint8Array.of(97), Uint8Array.of(98)],
    ["kernel", Uint8Array.of(97, 98), Uint8Array.of()],
    ["kernel", Uint8Array.of(97, 99), Uint8Array.of()],
  ];
  for (const [index, input] of inputs.entries()) {
    expect(await cache.facts(source(BYTES), input, async () => index)).toBe(index);
  }
  const other = factsCache(await store("inputs"), "r2");
  expect(await other.facts(source(BYTES), ["kernel"], async () => "r2")).toBe("r2");
});

test("what a running guest writes between two reads is not kept under the older bytes", async () => {
  const name = "running";
  const old = Uint8Array.of(1, 2, 3);
  const now = Uint8Array.of(4, 5, 6);
  const cache = factsCache(await store(name), "r1");
  // So that there is an entry of this size, and the file is read in pieces first.
  await cache.facts(source(Uint8Array.of(9, 9, 9)), [], sum);
  expect(await cache.facts({ ...source(old), whole: async () => now }, [], sum)).toEqual({
    sum: 15,
  });
  const next = factsCache(await store(name), "r1");
  expect(await next.facts(source(now), [], never)).toEqual({ sum: 15 });
  expect(await next.facts(source(old), [], sum)).toEqual({ sum: 6 });
});

test("a failure is no fact", async () => {
  const cache = factsCache(await store(), "r1");
  const failing = () => Promise.reject(missing(["x"], "section"));
  await expect(cache.facts(source(BYTES), [], failing)).rejects.toThrow("no section");
  expect(await cache.facts(source(BYTES), [], sum)).toEqual(await sum(BYTES));
});

test("without a store everything is read", async () => {
  const seen = source(BYTES);
  await noFactsCache.facts(seen, [], sum);
  expect(await noFactsCache.facts(seen, [], sum)).toEqual(await sum(BYTES));
  expect(seen.wholeReads).toBe(2);
});

test("an empty file", async () => {
  const cache = factsCache(await store(), "r1");
  await cache.facts(source(new Uint8Array(0)), [], sum);
  expect(await cache.facts(source(new Uint8Array(0)), [], never)).toEqual({ sum: 0 });
});

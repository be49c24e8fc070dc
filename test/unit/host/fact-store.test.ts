import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { factDirectory, openFactStore } from "../../../src/host/local/fact-store.ts";
import type { FactLimits } from "../../../src/host/local/fact-store.ts";
import type { FactStore } from "../../../src/host/fact-store.ts";

const BASE = mkdtempSync(join(tmpdir(), "domus-facts-"));
afterAll(() => rmSync(BASE, { recursive: true }));

let count = 0;
const fresh = () => join(BASE, String(count++), "domus", "facts");

async function opened(directory: string, limits?: FactLimits): Promise<FactStore> {
  const store = await openFactStore(directory, limits);
  if (!store) throw new Error("no store");
  return store;
}

function keyOf(store: FactStore, ...pieces: string[]) {
  const fingerprint = store.fingerprint();
  for (const piece of pieces) fingerprint.update(Buffer.from(piece));
  return { sizeBytes: pieces.join("").length, digest: fingerprint.digest() };
}

const entries = (directory: string) => readdirSync(directory).filter((name) => name !== "key");

test("what is put is found by the next run, by its size and fingerprint", async () => {
  const directory = fresh();
  const store = await opened(directory);
  expect(store.mayHave(3)).toBe(false);
  await store.put(keyOf(store, "abc"), "facts \udc80".toWellFormed());
  const next = await opened(directory);
  expect([next.mayHave(3), next.mayHave(4)]).toEqual([true, false]);
  expect(await next.get(keyOf(next, "abc"))).toBe("facts \ufffd");
  expect(await next.get(keyOf(next, "a", "", "bc"))).toBe("facts \ufffd");
  expect(await next.get(keyOf(next, "abd"))).toBeUndefined();
  expect(await next.get({ ...keyOf(next, "abc"), sizeBytes: 4 })).toBeUndefined();
});

test("fingerprints are of this store alone, and of all of the bytes", async () => {
  const [one, other] = [await opened(fresh()), await opened(fresh())];
  const digest = (store: FactStore, bytes: Uint8Array) => {
    const fingerprint = store.fingerprint();
    fingerprint.update(bytes);
    return fingerprint.digest();
  };
  const bytes = new Uint8Array(3 * 1024 * 1024 + 5);
  const seen = new Set([digest(one, bytes), digest(other, bytes)]);
  for (const at of [0, 1, 15, 16, 1024 * 1024, bytes.length - 1]) {
    const changed = bytes.slice();
    changed[at] = 1;
    seen.add(digest(one, changed));
  }
  seen.add(digest(one, bytes.subarray(1)));
  expect(seen.size).toBe(9);
});

test("only the user may look in or write", async () => {
  const directory = fresh();
  const store = await opened(directory);
  await store.put(keyOf(store, "x"), "facts");
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(directory)) {
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
  }
});

test("a directory that others may write to is not trusted, nor is a link", async () => {
  const directory = fresh();
  await opened(directory);
  chmodSync(directory, 0o770);
  expect(await openFactStore(directory)).toBeUndefined();
  chmodSync(directory, 0o700);
  const link = `${directory}-link`;
  symlinkSync(directory, link);
  expect(await openFactStore(link)).toBeUndefined();
});

test("where the directory cannot be made there is no store, and no failure", async () => {
  const file = join(BASE, "file");
  writeFileSync(file, "");
  expect(await openFactStore(join(file, "domus", "facts"))).toBeUndefined();
  const directory = fresh();
  mkdirSync(join(directory, "key"), { recursive: true });
  expect(await openFactStore(directory)).toBeUndefined();
});

test("an entry that is cut off, changed, renamed or readable by others is none", async () => {
  const directory = fresh();
  const store = await opened(directory);
  const key = keyOf(store, "abc");
  await store.put(key, "the facts");
  const [name = ""] = entries(directory);
  const path = join(directory, name);
  const whole = readFileSync(path);
  const changed = Buffer.from(whole);
  changed[whole.length - 1]! ^= 1;
  for (const bytes of [Buffer.alloc(0), whole.subarray(0, 31), whole.subarray(0, -1), changed]) {
    writeFileSync(path, bytes);
    expect(await store.get(key)).toBeUndefined();
  }
  writeFileSync(path, whole);
  expect(await store.get(key)).toBe("the facts");
  chmodSync(path, 0o644);
  expect(await store.get(key)).toBeUndefined();
  chmodSync(path, 0o600);
  const other = keyOf(store, "abd");
  renameSync(path, path.replace(key.digest, other.digest));
  expect(await (await opened(directory)).get(other)).toBeUndefined();
});

test("a damaged key is replaced, and what it sealed is not found", async () => {
  const directory = fresh();
  const store = await opened(directory);
  await store.put(keyOf(store, "abc"), "facts");
  writeFileSync(join(directory, "key"), "short");
  const next = await opened(directory);
  expect(await next.get(keyOf(next, "abc"))).toBeUndefined();
  await next.put(keyOf(next, "abc"), "new");
  const again = await opened(directory);
  expect(await again.get(keyOf(again, "abc"))).toBe("new");
});

test("two that open it at once use the same key", async () => {
  const directory = fresh();
  const stores = await Promise.all(Array.from({ length: 8 }, () => opened(directory)));
  expect(new Set(stores.map((store) => keyOf(store, "abc").digest)).size).toBe(1);
  expect(readdirSync(directory)).toEqual(["key"]);
});

test("what was used longest ago goes first, and what a killed run has left", async () => {
  const directory = fresh();
  const store = await opened(directory, { totalBytes: 1e9, entries: 4 });
  for (const name of ["a", "b", "c", "d", "e"]) await store.put(keyOf(store, name), name);
  const old = (name: string, days: number) => {
    const time = Date.now() / 1000 - days * 86_400;
    utimesSync(join(directory, `1-${keyOf(store, name).digest}`), time, time);
  };
  for (const [index, name] of ["c", "a", "b", "e", "d"].entries()) old(name, 9 - index);
  const left = join(directory, ".0123456789abcdef");
  writeFileSync(left, "");
  utimesSync(left, 1, 1);
  const next = await opened(directory, { totalBytes: 1e9, entries: 4 });
  // Being asked for makes it young again.
  expect(await next.get(keyOf(next, "c"))).toBe("c");
  await next.put(keyOf(next, "f"), "f");
  const last = await opened(directory);
  const found = await Promise.all(
    ["a", "b", "c", "d", "e", "f"].map((name) => last.get(keyOf(last, name))),
  );
  expect(found).toEqual([undefined, undefined, "c", "d", "e", "f"]);
  expect(entries(directory)).toHaveLength(4);
});

test.each([
  [{ XDG_CACHE_HOME: "/x", HOME: "/root" }, "/x/domus/facts"],
  [{ XDG_CACHE_HOME: "x", HOME: "/root" }, "/root/.cache/domus/facts"],
  [{ XDG_CACHE_HOME: "", HOME: "/root" }, "/root/.cache/domus/facts"],
  [{ HOME: "" }, undefined],
])("the directory for %o", (env, expected) => {
  expect(factDirectory(env)).toBe(expected);
});

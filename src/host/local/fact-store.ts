/** Facts in files below the user's cache directory. Format and promises: docs/design/facts-cache.md. */
import { createCipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { constants } from "node:fs";
import {
  link,
  lstat,
  open,
  readdir,
  rename,
  stat,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { MIB } from "../../base/units.ts";
import type { FactKey, FactStore, Fingerprint } from "../fact-store.ts";
import { makeDirectories } from "./make-directories.ts";

const KEY_FILE = "key";
const KEY_BYTES = 48;
/** Of one entry; the facts of a large initramfs have 300 KB. */
const MAX_ENTRY_BYTES = 8 * MIB;
const ENTRY_NAME = /^([0-9a-f]{1,12})-[0-9a-f]{64}$/;
const TEMPORARY_NAME = /^\.[0-9a-f]{16}$/;
const DAY_MS = 86_400_000;

export type FactLimits = {
  /** Of all entries; the ones that were used longest ago go first. */
  readonly totalBytes: number;
  readonly entries: number;
};

const DEFAULT_LIMITS: FactLimits = { totalBytes: 256 * MIB, entries: 10_000 };

/** `$XDG_CACHE_HOME/domus/facts`, else `~/.cache/domus/facts`; undefined where neither is an absolute path. */
export function factDirectory(env: NodeJS.ProcessEnv): string | undefined {
  // A relative one is to be ignored (XDG Base Directory Specification).
  const absolute = (path: string | undefined) => (path?.startsWith("/") ? path : undefined);
  const home = absolute(env["HOME"]);
  const base = absolute(env["XDG_CACHE_HOME"]) ?? (home && join(home, ".cache"));
  return base && join(base, "domus", "facts");
}

/**
 * Opens the store in `directory`, and makes it when it is not there. Undefined when it cannot be had or cannot be
 * trusted: it has to belong to this user, and nobody else may write to it.
 */
export async function openFactStore(
  directory: string,
  limits: FactLimits = DEFAULT_LIMITS,
): Promise<FactStore | undefined> {
  try {
    // Fails on a read-only filesystem even where it exists; the look at it decides.
    attemptToMake(directory);
    if (!(await isOurs(directory))) return undefined;
    const key = (await readKey(directory)) ?? (await makeKey(directory));
    if (!key) return undefined;
    return storeIn({ directory, limits, key, names: new Set(await readdir(directory)) });
  } catch {
    // Whatever the system said: a check works without a cache.
    return undefined;
  }
}

function attemptToMake(directory: string): void {
  try {
    makeDirectories(directory, 0o700);
  } catch {
    // What is there, or is not, is looked at next.
  }
}

/** Neither a symlink, nor another user's, nor writable by others. */
async function isOurs(directory: string): Promise<boolean> {
  const stats = await lstat(directory);
  return stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
}

async function readKey(directory: string): Promise<Buffer | undefined> {
  const bytes = await readOwn(join(directory, KEY_FILE), KEY_BYTES);
  return bytes?.length === KEY_BYTES ? bytes : undefined;
}

/** Made whole, then linked: of two that make one at a time, both use the first. */
async function makeKey(directory: string): Promise<Buffer | undefined> {
  const temporary = join(directory, temporaryName());
  const path = join(directory, KEY_FILE);
  try {
    await writeFile(temporary, randomBytes(KEY_BYTES), { flag: "wx", mode: 0o600 });
    await link(temporary, path).catch(async () => {
      // A damaged one is replaced; what was kept under it cannot be found any more and will be pruned.
      if (!(await readKey(directory))) await rename(temporary, path);
    });
    return await readKey(directory);
  } catch {
    return undefined;
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

function temporaryName(): string {
  return `.${randomBytes(8).toString("hex")}`;
}

/** A regular file of this user that nobody else can read or write; undefined for anything else. */
async function readOwn(path: string, limitBytes: number): Promise<Buffer | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch(() => undefined);
  if (!handle) return undefined;
  try {
    const stats = await handle.stat();
    const own = stats.isFile() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
    return own && stats.size <= limitBytes ? await handle.readFile() : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

type Place = {
  readonly directory: string;
  readonly limits: FactLimits;
  readonly key: Buffer;
  /** Files in the directory as of the start of the run, and what was put since. */
  readonly names: Set<string>;
};

function storeIn(place: Place): FactStore {
  const { directory, key, names } = place;
  const sizes = new Set([...names].flatMap((name) => ENTRY_NAME.exec(name)?.[1] ?? []));
  let writable = true;
  let pruned: Promise<void> | undefined;
  return {
    fingerprint: () => fingerprint(key),
    mayHave: (sizeBytes) => sizes.has(sizeBytes.toString(16)),
    async get(at) {
      const name = entryName(at);
      if (!names.has(name)) return undefined;
      const path = join(directory, name);
      const bytes = await readOwn(path, MAX_ENTRY_BYTES);
      const text = bytes && openEntry(key, name, bytes);
      if (text !== undefined) await markUsed(path);
      return text;
    },
    async put(at, text) {
      const name = entryName(at);
      const sealed = sealEntry(key, name, text);
      if (!writable || sealed.length > MAX_ENTRY_BYTES) return;
      pruned ??= prune(place);
      await pruned;
      writable = await replaceFile(directory, name, sealed);
      if (!writable) return;
      names.add(name);
      sizes.add(at.sizeBytes.toString(16));
    },
  };
}

function entryName({ sizeBytes, digest }: FactKey): string {
  return `${sizeBytes.toString(16)}-${digest}`;
}

/**
 * GMAC (NIST SP 800-38D) under the store's own key, and HMAC over its result. For whoever does not know the key, two
 * contents of up to 512 MiB have the same GMAC with a probability of at most 2^-102, however they were chosen; the
 * HMAC keeps the GMACs themselves, from which the key could be worked out, out of file names. SHA-256 alone would do
 * as well, at a twentieth of the speed (measured).
 */
function fingerprint(key: Buffer): Fingerprint {
  // Always the same nonce: right here, because nothing is encrypted and no GMAC is shown to anybody.
  const gmac = createCipheriv("aes-128-gcm", key.subarray(32, 48), Buffer.alloc(12));
  return {
    update(bytes) {
      gmac.setAAD(bytes);
    },
    digest() {
      gmac.final();
      return hmac(key).update("name\0").update(gmac.getAuthTag()).digest("hex");
    },
  };
}

function hmac(key: Buffer) {
  return createHmac("sha256", key.subarray(0, 32));
}

const SEAL_BYTES = 32;

function seal(key: Buffer, name: string, text: Uint8Array): Buffer {
  return hmac(key).update(`entry\0${name}\0`).update(text).digest();
}

/** The text behind its HMAC, which its name is part of: an entry that was renamed or damaged is none. */
function sealEntry(key: Buffer, name: string, text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([seal(key, name, bytes), bytes]);
}

function openEntry(key: Buffer, name: string, sealed: Buffer): string | undefined {
  if (sealed.length < SEAL_BYTES) return undefined;
  const bytes = sealed.subarray(SEAL_BYTES);
  const right = timingSafeEqual(sealed.subarray(0, SEAL_BYTES), seal(key, name, bytes));
  return right ? bytes.toString("utf8") : undefined;
}

/** So that pruning knows; once a day is enough. */
async function markUsed(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > DAY_MS) await utimes(path, new Date(), new Date());
  } catch {
    // Gone in the meantime, or read-only.
  }
}

/** Readers see the old file or the new one. False when nothing can be written here. */
async function replaceFile(directory: string, name: string, bytes: Buffer): Promise<boolean> {
  const temporary = join(directory, temporaryName());
  try {
    await writeFile(temporary, bytes, { flag: "wx", mode: 0o600 });
    await rename(temporary, join(directory, name));
    return true;
  } catch {
    await unlink(temporary).catch(() => {});
    return false;
  }
}

type Kept = { readonly path: string; readonly sizeBytes: number; readonly usedMs: number };

/** Once a run, before its first entry: makes room down to three quarters of the limits, and takes away what was cut off. */
async function prune({ directory, limits, names }: Place): Promise<void> {
  const kept: Kept[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const isTemporary = TEMPORARY_NAME.test(name);
    if (!isTemporary && !ENTRY_NAME.test(name)) continue;
    const stats = await lstat(path).catch(() => undefined);
    if (!stats) continue;
    const abandoned = isTemporary && Date.now() - stats.mtimeMs > DAY_MS;
    if (abandoned) await unlink(path).catch(() => {});
    else if (!isTemporary) kept.push({ path, sizeBytes: stats.size, usedMs: stats.mtimeMs });
  }
  let totalBytes = kept.reduce((sum, one) => sum + one.sizeBytes, 0);
  let entries = kept.length;
  if (totalBytes <= limits.totalBytes && entries <= limits.entries) return;
  for (const one of kept.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (totalBytes <= limits.totalBytes * 0.75 && entries <= limits.entries * 0.75) break;
    await unlink(one.path).catch(() => {});
    totalBytes -= one.sizeBytes;
    entries -= 1;
  }
}

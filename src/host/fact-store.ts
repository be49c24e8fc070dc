/**
 * A place for what was found out about files, kept from one run to the next. What it is for and what it promises:
 * docs/design/facts-cache.md.
 */

/** A keyed digest of bytes that are given in pieces; how they are cut makes no difference. */
export type Fingerprint = {
  update(bytes: Uint8Array): void;
  /** 64 hex digits. Ends it: nothing may be added afterwards. */
  digest(): string;
};

/** An entry is known by the size of the file that it is about, and the fingerprint of all that it follows from. */
export type FactKey = { readonly sizeBytes: number; readonly digest: string };

export type FactStore = {
  /** Only this store can make it, or find two inputs that have the same. */
  fingerprint(): Fingerprint;
  /** False when nothing is kept about a file of that size: then its fingerprint need not be taken. */
  mayHave(sizeBytes: number): boolean;
  /** What was put, or undefined: never kept, pruned, damaged, or written by somebody else. */
  get(key: FactKey): Promise<string | undefined>;
  /** Keeps it when it can. A full disk or a read-only directory is no failure. */
  put(key: FactKey, text: string): Promise<void>;
};

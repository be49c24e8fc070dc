/**
 * The three digests of a run (docs/design/sync-protocol.md, "Digests"): tags of segments by GMAC, digests of blocks by
 * SHA-256 with the key in front, and one digest over all tags. All are secret: whoever sees tags can work out the key.
 */
import { createCipheriv, createHash, hash, randomBytes } from "node:crypto";
import { misuse } from "../base/failure.ts";
import { BLOCK_DIGEST_BYTES, KEY_BYTES, TAG_BYTES } from "./frames.ts";
import { BLOCK_BYTES, blockCount, SEGMENT_BYTES } from "./geometry.ts";

const TAG_KEY_BYTES = 16;
/** Nothing is encrypted and no tag is shown to anybody outside: the nonce need not change. tag-worker.ts has it too. */
const NONCE = new Uint8Array(12);
const ZEROES = new Uint8Array(SEGMENT_BYTES);

export function newKey(): Uint8Array {
  return randomBytes(KEY_BYTES);
}

/** What both sides compute with the key of a run. It has room for one block: not to be shared between threads. */
export class Digester {
  /** For tags alone. */
  readonly tagKey: Uint8Array;
  /** The key for blocks, and behind it room for a block: one call hashes both. */
  readonly #keyed: Uint8Array;
  readonly #blockKeyBytes: number;
  readonly #zeroTags = new Map<number, Uint8Array>();

  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES)
      throw misuse(`A key of ${key.length} bytes was given.`, `Give ${KEY_BYTES} bytes.`);
    this.tagKey = key.slice(0, TAG_KEY_BYTES);
    this.#blockKeyBytes = KEY_BYTES - TAG_KEY_BYTES;
    this.#keyed = new Uint8Array(this.#blockKeyBytes + BLOCK_BYTES);
    this.#keyed.set(key.subarray(TAG_KEY_BYTES));
  }

  /** The tag of a segment, 16 bytes. */
  tag(segment: Uint8Array): Uint8Array {
    const gmac = createCipheriv("aes-128-gcm", this.tagKey, NONCE);
    gmac.setAAD(segment);
    gmac.final();
    return gmac.getAuthTag();
  }

  /** The tag of a segment of `lengthBytes` zeroes. */
  zeroTag(lengthBytes: number): Uint8Array {
    const known = this.#zeroTags.get(lengthBytes);
    if (known) return known;
    const tag = this.tag(ZEROES.subarray(0, lengthBytes));
    // Two lengths at most: of a whole segment and of the last one.
    this.#zeroTags.set(lengthBytes, tag);
    return tag;
  }

  /** The digests of the blocks of a segment, 16 bytes each; a shorter last block is hashed as it is. */
  blockDigests(segment: Uint8Array): Uint8Array {
    const count = blockCount(segment.length);
    const out = Buffer.alloc(count * BLOCK_DIGEST_BYTES);
    for (let block = 0; block < count; block++) {
      const bytes = segment.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
      this.#keyed.set(bytes, this.#blockKeyBytes);
      const keyed = this.#keyed.subarray(0, this.#blockKeyBytes + bytes.length);
      // As text of one-byte characters: an array for each digest costs a fifth more, and leaves garbage (measured).
      const digest = hash("sha256", keyed, "binary");
      out.write(digest, block * BLOCK_DIGEST_BYTES, BLOCK_DIGEST_BYTES, "latin1");
    }
    return out;
  }
}

/** Whether all of `bytes`, a segment at most, is zero. Ends at the first byte that is not. */
export function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROES.subarray(0, bytes.length)) === 0;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The digest of a run, made as segments become verified. */
export class RunDigest {
  readonly #sha256 = createHash("sha256");
  readonly #entry = new Uint8Array(8 + TAG_BYTES);
  #count = 0;

  /** Segments ascend. */
  add(segment: number, tag: Uint8Array): void {
    const view = new DataView(this.#entry.buffer);
    view.setUint32(0, segment % 0x1_0000_0000, true);
    view.setUint32(4, Math.floor(segment / 0x1_0000_0000), true);
    this.#entry.set(tag, 8);
    this.#sha256.update(this.#entry);
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** 32 bytes. Nothing can be added after it. */
  end(): Uint8Array {
    return this.#sha256.digest();
  }
}

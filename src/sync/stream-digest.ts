/** SHA-256 of bytes that come in pieces, by the system's own code: what is written in JavaScript takes ten times as long. */
import { createHash } from "node:crypto";

export type StreamDigest = {
  update(bytes: Uint8Array): void;
  /** The first `bytes` of the digest as hex digits. Ends it. */
  hex(bytes: number): string;
};

export function streamDigest(): StreamDigest {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    hex: (bytes) => hash.digest("hex").slice(0, 2 * bytes),
  };
}

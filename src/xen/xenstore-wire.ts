/**
 * What is said to xenstored and by it (xen: xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt): a header of 16 bytes in the
 * order of the machine, little endian on x86 and Arm, and up to 4096 bytes behind it. Values are bytes that guests may have written.
 */
import { corrupt, FailureError, ioFailure, missing, overLimit } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { u32le } from "../bytes/fields.ts";
import { struct } from "../bytes/struct.ts";

/** `XENSTORE_PAYLOAD_MAX` */
export const MAX_PAYLOAD_BYTES = 4096;
/** `XENSTORE_ABS_PATH_MAX` */
export const MAX_PATH_CHARACTERS = 3072;

/** `XS_...`: those that domus uses. */
export const XS = {
  directory: 1,
  read: 2,
  watch: 4,
  unwatch: 5,
  watchEvent: 15,
  error: 16,
  directoryPart: 22,
} as const;

export const xsdSockmsg = struct("xsd_sockmsg", 16, {
  type: [0, u32le],
  req_id: [4, u32le],
  tx_id: [8, u32le],
  len: [12, u32le],
});

export type XenstoreMessage = {
  readonly type: number;
  readonly requestId: number;
  readonly payload: Uint8Array;
};

const WHERE: Where = ["xenstored"];

/** `limit` for a payload that xenstored would end the connection for. */
export function encodeMessage({ type, requestId, payload }: XenstoreMessage): Uint8Array {
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw overLimit(WHERE, "one request", `${MAX_PAYLOAD_BYTES} bytes`);
  const bytes = new Uint8Array(xsdSockmsg.size + payload.length);
  const view = new DataView(bytes.buffer);
  // Outside of transactions: tx_id is 0.
  for (const [index, value] of [type, requestId, 0, payload.length].entries())
    view.setUint32(index * 4, value, true);
  bytes.set(payload, xsdSockmsg.size);
  return bytes;
}

export type TakenMessage = {
  readonly message: XenstoreMessage;
  /** Of the bytes; behind them the next message begins. */
  readonly length: number;
};

/** The first message of `bytes`, a copy; undefined while it is not whole. `corrupt` when it can never be. */
export function takeMessage(bytes: Uint8Array): TakenMessage | undefined {
  if (bytes.length < xsdSockmsg.size) return undefined;
  const { type, req_id: requestId, len } = xsdSockmsg.read(bytes, 0, WHERE);
  if (len > MAX_PAYLOAD_BYTES)
    throw corrupt(WHERE, `a message of ${len} bytes`, `at most ${MAX_PAYLOAD_BYTES}`);
  const length = xsdSockmsg.size + len;
  if (bytes.length < length) return undefined;
  const payload = bytes.slice(xsdSockmsg.size, length);
  return { message: { type, requestId, payload }, length };
}

/** Each with its NUL, without which xenstored says EINVAL. `limit` for a path longer than it takes. */
export function encodeStrings(...texts: readonly string[]): Uint8Array {
  for (const text of texts) {
    if (text.length > MAX_PATH_CHARACTERS)
      throw overLimit(WHERE, "a path", `${MAX_PATH_CHARACTERS} characters`);
    if (!/^[\x21-\x7e]+$/.test(text))
      throw corrupt(WHERE, "a character that no path has", "a path of xenstore");
  }
  return Uint8Array.from(texts.map((text) => `${text}\0`).join(""), (char) => char.charCodeAt(0));
}

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The strings of an answer: each ends with a NUL. `corrupt` when the last does not. */
export function parseStrings(payload: Uint8Array): string[] {
  if (payload.length === 0) return [];
  if (payload.at(-1) !== 0) throw corrupt(WHERE, "a string without an end", "a NUL behind it");
  return latin1(payload.subarray(0, -1)).split("\0");
}

export type WatchEvent = { readonly path: string; readonly token: string };

/** Newer servers put the depth behind the two. */
export function parseWatchEvent(payload: Uint8Array): WatchEvent {
  const [path, token] = parseStrings(payload);
  if (path === undefined || token === undefined)
    throw corrupt(WHERE, "a watch event without a token", "a path and a token");
  return { path, token };
}

/** The name of an error, as `ENOENT`. */
export function parseError(payload: Uint8Array): string {
  const name = /^(E[A-Z0-9]{1,15})\0?$/.exec(latin1(payload))?.[1];
  if (name === undefined) throw corrupt(WHERE, "an error without a name", "the name of an error");
  return name;
}

/** What the error means for who asked for `path`. */
export function errorFailure(errno: string, path: string): FailureError {
  if (errno === "ENOENT") return missing(["xenstore", path], "such node");
  return ioFailure(["xenstore", path], "ask for it", errno);
}

export type DirectoryPart = {
  /** Another one than with the parts before: the list has changed meanwhile, and they are worth nothing. */
  readonly generation: string;
  readonly names: readonly string[];
  /** What comes next begins so many bytes behind this one. */
  readonly bytes: number;
  readonly last: boolean;
};

/** `GENERATION NUL (NAME NUL)*`, and one more NUL behind the last part. */
export function parseDirectoryPart(payload: Uint8Array): DirectoryPart {
  const [generation, ...names] = parseStrings(payload);
  if (generation === undefined || !/^\d{1,20}$/.test(generation))
    throw corrupt(WHERE, "a part of a directory without a number", "its generation");
  const last = names.at(-1) === "";
  if (last) names.pop();
  if (names.includes("")) throw corrupt(WHERE, "a name of no characters", "names of nodes");
  if (names.length === 0 && !last) throw corrupt(WHERE, "a part with nothing in it", "names");
  const bytes = names.reduce((sum, name) => sum + name.length + 1, 0);
  return { generation, names, bytes, last };
}

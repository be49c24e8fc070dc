/**
 * The frames of the sync protocol as plain data, and their bytes (docs/design/sync-protocol.md, "Bytes").
 * Here a frame is checked for itself; whether it may come now is for sender.ts and receiver.ts.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { KIB, MIB } from "../base/units.ts";
import { PayloadReader } from "./payload-reader.ts";

/** Frames that a side sends are never longer: a segment, its runs and a few fields. */
export const MAX_PAYLOAD_BYTES = MIB + 4 * KIB;
export const TAG_BYTES = 16;
export const BLOCK_DIGEST_BYTES = 16;
export const KEY_BYTES = 48;
export const MAX_TAGS_PER_FRAME = 1024;
const DIGEST_BYTES = 32;
const MAX_PROGRAM_BYTES = 64;
const MAX_ERROR_BYTES = 4096;
const ZEROES_BIT = 0x8000;
/** One for each block. */
const MAX_RUNS = 256;

export type Role = "source" | "destination";

/** Blocks of a segment: to be taken from the patch's blocks, or zero. */
export type BlockRun = { readonly first: number; readonly count: number; readonly zero: boolean };

export type Packing = "none" | "zstd";

export type Patch = {
  readonly type: "patch";
  readonly segment: number;
  /** Of the whole segment as it is to become. */
  readonly tag: Uint8Array;
  readonly packing: Packing;
  /** Of the blocks, unpacked, in bytes. */
  readonly rawBytes: number;
  readonly runs: readonly BlockRun[];
  /** The blocks of the runs that are not zero, one after the other, packed as `packing` says. */
  readonly blocks: Uint8Array;
};

export type Hello = {
  readonly type: "hello";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly role: Role;
  readonly segmentBits: number;
  readonly blockBits: number;
  readonly features: number;
  readonly program: string;
};

export type Frame =
  | Hello
  | { readonly type: "offer"; readonly sizeBytes: number; readonly identity: Uint8Array }
  | { readonly type: "accept"; readonly sizeBytes: number; readonly key: Uint8Array }
  | { readonly type: "look" | "zero"; readonly first: number; readonly count: number }
  | { readonly type: "tags"; readonly first: number; readonly tags: Uint8Array }
  | { readonly type: "ask" | "settled" | "verified" | "bad"; readonly segment: number }
  | { readonly type: "blocks"; readonly segment: number; readonly digests: Uint8Array }
  | Patch
  | { readonly type: "end"; readonly digest: Uint8Array; readonly looked: number }
  | {
      readonly type: "done";
      readonly digest: Uint8Array;
      readonly writtenBytes: number;
      readonly zeroedBytes: number;
    }
  | { readonly type: "error"; readonly code: number; readonly text: string }
  | { readonly type: "alive" };

export type FrameType = Frame["type"];

const TYPES: readonly (FrameType | undefined)[] = [
  undefined,
  "hello",
  "offer",
  "accept",
  "look",
  "tags",
  "ask",
  "blocks",
  "patch",
  "zero",
  "settled",
  "verified",
  "bad",
  "end",
  "done",
  "error",
  "alive",
];

/** The frame type with the number `code`. A `corrupt` failure when version 1 has none. */
export function frameTypeOf(code: number, where: Where): FrameType {
  const type = TYPES[code];
  if (type === undefined) throw corrupt(where, `a frame of type ${code}`, "a type from 1 to 16");
  return type;
}

export function frameCodeOf(type: FrameType): number {
  return TYPES.indexOf(type);
}

/** The payload of a frame, in pieces that may be views of the frame's own arrays. */
export function encodePayload(frame: Frame): Uint8Array[] {
  switch (frame.type) {
    case "hello":
      return [encodeHello(frame)];
    case "offer":
      return [u64(frame.sizeBytes), frame.identity];
    case "accept":
      return [u64(frame.sizeBytes), frame.key];
    case "look":
    case "zero":
      return [u64(frame.first), u64(frame.count)];
    case "tags":
      return [u64(frame.first), frame.tags];
    case "ask":
    case "settled":
    case "verified":
    case "bad":
      return [u64(frame.segment)];
    case "blocks":
      return [u64(frame.segment), frame.digests];
    case "patch":
      return [encodePatchHead(frame), frame.blocks];
    case "end":
      return [frame.digest, u64(frame.looked)];
    case "done":
      return [frame.digest, u64(frame.writtenBytes), u64(frame.zeroedBytes)];
    case "error":
      return [encodeError(frame.code, frame.text)];
    case "alive":
      return [];
  }
}

/**
 * The frame of a payload that has come whole. Byte fields are views of `payload`. A `corrupt` failure when the
 * payload is not exactly what the type says.
 */
export function parsePayload(type: FrameType, payload: Uint8Array, where: Where): Frame {
  const reader = new PayloadReader(payload, [...where, type]);
  const frame = parseFields(type, reader);
  reader.end();
  return frame;
}

function parseFields(type: FrameType, reader: PayloadReader): Frame {
  switch (type) {
    case "hello":
      return parseHello(reader);
    case "offer":
      return { type, sizeBytes: reader.u64(), identity: reader.bytes(DIGEST_BYTES) };
    case "accept":
      return { type, sizeBytes: reader.u64(), key: reader.bytes(KEY_BYTES) };
    case "look":
    case "zero":
      return { type, first: reader.u64(), count: reader.positive(reader.u64(), "segments") };
    case "tags": {
      const first = reader.u64();
      const tags = reader.rest();
      reader.whole(tags, TAG_BYTES);
      if (tags.length > MAX_TAGS_PER_FRAME * TAG_BYTES)
        throw overLimit(reader.where, "the number of tags", String(MAX_TAGS_PER_FRAME));
      return { type, first, tags };
    }
    case "ask":
    case "settled":
    case "verified":
    case "bad":
      return { type, segment: reader.u64() };
    case "blocks": {
      const segment = reader.u64();
      const digests = reader.rest();
      reader.whole(digests, BLOCK_DIGEST_BYTES);
      return { type, segment, digests };
    }
    case "patch":
      return parsePatch(reader);
    case "end":
      return { type, digest: reader.bytes(DIGEST_BYTES), looked: reader.u64() };
    case "done": {
      const digest = reader.bytes(DIGEST_BYTES);
      return { type, digest, writtenBytes: reader.u64(), zeroedBytes: reader.u64() };
    }
    case "error":
      return { type, code: reader.u16(), text: reader.text(MAX_ERROR_BYTES) };
    case "alive":
      return { type };
  }
}

function encodeHello(hello: Hello): Uint8Array {
  const program = new TextEncoder().encode(hello.program).subarray(0, MAX_PROGRAM_BYTES);
  const out = new Uint8Array(12 + program.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, hello.versionMin, true);
  view.setUint16(2, hello.versionMax, true);
  out.set([hello.role === "source" ? 1 : 2, hello.segmentBits, hello.blockBits, 0], 4);
  view.setUint32(8, hello.features, true);
  out.set(program, 12);
  return out;
}

function parseHello(reader: PayloadReader): Hello {
  const versionMin = reader.u16();
  const versionMax = reader.u16();
  const role = reader.u8();
  if (role !== 1 && role !== 2) throw corrupt(reader.where, `role ${role}`, "1 or 2");
  const segmentBits = reader.u8();
  const blockBits = reader.u8();
  reader.u8();
  return {
    type: "hello",
    versionMin,
    versionMax,
    role: role === 1 ? "source" : "destination",
    segmentBits,
    blockBits,
    features: reader.u32(),
    program: reader.text(MAX_PROGRAM_BYTES),
  };
}

const PATCH_HEAD_BYTES = 8 + TAG_BYTES + 4 + 1 + 1 + 2;

function encodePatchHead(patch: Patch): Uint8Array {
  const out = new Uint8Array(PATCH_HEAD_BYTES + 4 * patch.runs.length);
  const view = new DataView(out.buffer);
  out.set(u64(patch.segment));
  out.set(patch.tag, 8);
  view.setUint32(24, patch.rawBytes, true);
  out[28] = patch.packing === "zstd" ? 1 : 0;
  view.setUint16(30, patch.runs.length, true);
  for (const [index, run] of patch.runs.entries()) {
    view.setUint16(PATCH_HEAD_BYTES + 4 * index, run.first, true);
    view.setUint16(PATCH_HEAD_BYTES + 4 * index + 2, run.count | (run.zero ? ZEROES_BIT : 0), true);
  }
  return out;
}

function parsePatch(reader: PayloadReader): Patch {
  const segment = reader.u64();
  const tag = reader.bytes(TAG_BYTES);
  const rawBytes = reader.u32();
  if (rawBytes > MIB) throw overLimit(reader.where, "the length of the blocks", `${MIB} bytes`);
  const packing = reader.u8();
  if (packing > 1) throw corrupt(reader.where, `packing ${packing}`, "0 or 1");
  reader.u8();
  const count = reader.u16();
  if (count > MAX_RUNS) throw overLimit(reader.where, "the number of runs", String(MAX_RUNS));
  const runs: BlockRun[] = [];
  for (let i = 0; i < count; i++) {
    const first = reader.u16();
    const length = reader.u16();
    runs.push({ first, count: length & ~ZEROES_BIT, zero: (length & ZEROES_BIT) !== 0 });
  }
  const blocks = reader.rest();
  if (packing === 0 && blocks.length !== rawBytes)
    throw corrupt(reader.where, `${blocks.length} bytes of blocks`, `${rawBytes} bytes`);
  return {
    type: "patch",
    segment,
    tag,
    packing: packing === 1 ? "zstd" : "none",
    rawBytes,
    runs,
    blocks,
  };
}

function encodeError(code: number, text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_ERROR_BYTES);
  const out = new Uint8Array(2 + bytes.length);
  new DataView(out.buffer).setUint16(0, code, true);
  out.set(bytes, 2);
  return out;
}

function u64(value: number): Uint8Array {
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint32(0, value % 0x1_0000_0000, true);
  view.setUint32(4, Math.floor(value / 0x1_0000_0000), true);
  return out;
}

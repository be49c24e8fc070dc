/**
 * The record of a copy as bytes (docs/design/copy-record.md): a head that says who is copied to whom and never changes, a
 * mark that says how the run ended, and a table with a tag for each segment. Pure; host/local/copy-record.ts keeps the file.
 */
import { crc32 } from "node:zlib";
import { corrupt, misuse, unsupported } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { bytesField, u16le, u32le, u64le, u8 } from "../bytes/fields.ts";
import { struct } from "../bytes/struct.ts";
import { KEY_BYTES, TAG_BYTES } from "./frames.ts";
import { segmentCount } from "./geometry.ts";

/** As of a stream of the protocol: whatever changes line ends or strips bits changes it too. */
const MAGIC = Uint8Array.from([
  0,
  ...new TextEncoder().encode("DOMUS-COPY"),
  0x0d,
  0x0a,
  0x1a,
  0x0a,
  0,
]);
const VERSION = 1;
const SEGMENT_BITS = 20;
/** "MARK" */
const MARK_MAGIC = 0x4b52414d;

const SOURCE_NAME_BYTES = 1024;
/** PATH_MAX of Linux. */
const PATH_BYTES = 4096;
const WITNESS_BYTES = 512;
const SOURCE_STATE_BYTES = 430;
export const RUN_ID_BYTES = 16;
export const IDENTITY_BYTES = 32;

const head = struct("domus_copy_head", 8192, {
  magic: [0, bytesField(16)],
  crc: [16, u32le],
  version: [20, u16le],
  segmentBits: [22, u8],
  sizeBytes: [24, u64le],
  runId: [32, bytesField(RUN_ID_BYTES)],
  source: [48, bytesField(IDENTITY_BYTES)],
  target: [80, bytesField(IDENTITY_BYTES)],
  since: [112, bytesField(IDENTITY_BYTES)],
  key: [144, bytesField(KEY_BYTES)],
  begunMs: [192, u64le],
  sourceNameBytes: [200, u16le],
  pathBytes: [202, u16le],
  pid: [204, u32le],
  sourceName: [208, bytesField(SOURCE_NAME_BYTES)],
  path: [1232, bytesField(PATH_BYTES)],
});
const CRC_FROM = 20;

const mark = struct("domus_copy_mark", 1024, {
  magic: [0, u32le],
  crc: [4, u32le],
  runId: [8, bytesField(RUN_ID_BYTES)],
  state: [24, u8],
  tagged: [25, u8],
  witnessBytes: [26, u16le],
  digest: [32, bytesField(32)],
  endedMs: [64, u64le],
  taggedSegments: [72, u64le],
  witness: [80, bytesField(WITNESS_BYTES)],
  sourceStateBytes: [592, u16le],
  sourceState: [594, bytesField(SOURCE_STATE_BYTES)],
});
const MARK_CRC_FROM = 8;

/** Where the mark lies: in a page of its own, so that writing it leaves the head alone. */
export const MARK_OFFSET = head.size;
/** Where the table begins: the tag of segment n lies n times 16 bytes behind. A tag of zeroes is one that is not known. */
export const TABLE_OFFSET = MARK_OFFSET + 4096;

export type RecordHead = {
  /** Of the source. */
  readonly sizeBytes: number;
  /** Of this run: a mark is this head's only when it has the same. */
  readonly runId: Uint8Array;
  /** Identities of both ends, 32 bytes each. */
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  /** Of the snapshot that the target had been equal to, when only what has changed since is looked at. */
  readonly since?: Uint8Array;
  /** Of all digests of the run. It is secret. */
  readonly key: Uint8Array;
  readonly begunMs: number;
  /** For people: what the source was called. */
  readonly sourceName: string;
  /** Of the target, absolute. */
  readonly path: string;
  /** Of the process that wrote, on the host of the target. */
  readonly pid: number;
};

export type RecordMark = {
  /** `stopped`: the run ended unfinished, and nobody was cut off: what the table says is on the disk. */
  readonly state: "stopped" | "finished";
  /** Of the run, when it is finished. */
  readonly digest?: Uint8Array;
  readonly endedMs: number;
  /** How many tags the table has; 0 when they were not kept. */
  readonly taggedSegments: number;
  /** What the system said of the target when the run had ended; see target-witness.ts. Empty: nothing is known. */
  readonly witness: string;
  /** Of a source that was a snapshot, what tells it from all others: see docs/design/changed-blocks.md. */
  readonly sourceState?: string;
};

export type ParsedRecord = { readonly head: RecordHead; readonly mark?: RecordMark };

/** The head, and a place for the mark that holds none: `TABLE_OFFSET` bytes, the beginning of a record. */
export function encodeRecordHead(fields: RecordHead): Uint8Array {
  const bytes = Buffer.alloc(TABLE_OFFSET);
  const sourceName = cutText(fields.sourceName, SOURCE_NAME_BYTES);
  const path = Buffer.from(fields.path, "utf8");
  if (path.length > PATH_BYTES)
    throw misuse("The path of the destination is too long.", `Linux takes ${PATH_BYTES} bytes.`);
  bytes.set(MAGIC);
  bytes.writeUInt16LE(VERSION, 20);
  bytes.writeUInt8(SEGMENT_BITS, 22);
  writeU64(bytes, fields.sizeBytes, 24);
  bytes.set(fields.runId, 32);
  bytes.set(fields.source, 48);
  bytes.set(fields.target, 80);
  if (fields.since) bytes.set(fields.since, 112);
  bytes.set(fields.key, 144);
  writeU64(bytes, fields.begunMs, 192);
  bytes.writeUInt16LE(sourceName.length, 200);
  bytes.writeUInt16LE(path.length, 202);
  bytes.writeUInt32LE(fields.pid, 204);
  bytes.set(sourceName, 208);
  bytes.set(path, 1232);
  bytes.writeUInt32LE(crc32(bytes.subarray(CRC_FROM, head.size)), 16);
  return bytes;
}

/** The mark of the run `runId`, to be written at `MARK_OFFSET` in one piece. */
export function encodeRecordMark(runId: Uint8Array, fields: RecordMark): Uint8Array {
  const bytes = Buffer.alloc(mark.size);
  const witness = Buffer.from(fields.witness, "utf8");
  // One that does not fit proves nothing.
  const kept = witness.length <= WITNESS_BYTES ? witness : Buffer.alloc(0);
  bytes.writeUInt32LE(MARK_MAGIC, 0);
  bytes.set(runId, 8);
  bytes.writeUInt8(fields.state === "finished" ? 2 : 1, 24);
  bytes.writeUInt8(fields.taggedSegments > 0 ? 1 : 0, 25);
  bytes.writeUInt16LE(kept.length, 26);
  if (fields.digest) bytes.set(fields.digest, 32);
  writeU64(bytes, fields.endedMs, 64);
  writeU64(bytes, fields.taggedSegments, 72);
  bytes.set(kept, 80);
  const state = Buffer.from(fields.sourceState ?? "", "utf8");
  // A part of it would be another one's.
  if (state.length <= SOURCE_STATE_BYTES) {
    bytes.writeUInt16LE(state.length, 592);
    bytes.set(state, 594);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(MARK_CRC_FROM)), 4);
  return bytes;
}

/**
 * Of the first `TABLE_OFFSET` bytes of a record. A `corrupt` failure when the head is damaged, `unsupported` for one of
 * another version. A mark that is damaged, of another run or not there is none: then the copy is unfinished.
 */
export function parseRecord(bytes: Uint8Array, where: Where): ParsedRecord {
  const fields = head.read(bytes, 0, where);
  if (!same(fields.magic, MAGIC)) throw corrupt(where, "something else", "the record of a copy");
  if (fields.crc !== crc32(bytes.subarray(CRC_FROM, head.size)))
    throw corrupt(where, "a head whose checksum is wrong", "the record of a copy");
  if (fields.version !== VERSION || fields.segmentBits !== SEGMENT_BITS)
    throw unsupported(where, `version ${fields.version} of the record of a copy`);
  const { sourceNameBytes, pathBytes } = fields;
  if (sourceNameBytes > SOURCE_NAME_BYTES || pathBytes > PATH_BYTES)
    throw corrupt(where, "a name that leaves its field", "the record of a copy");
  const since = fields.since.some((byte) => byte !== 0) ? fields.since.slice() : undefined;
  const parsed: RecordHead = {
    sizeBytes: fields.sizeBytes,
    runId: fields.runId.slice(),
    source: fields.source.slice(),
    target: fields.target.slice(),
    ...(since && { since }),
    key: fields.key.slice(),
    begunMs: fields.begunMs,
    sourceName: text(fields.sourceName.subarray(0, sourceNameBytes)),
    path: text(fields.path.subarray(0, pathBytes)),
    pid: fields.pid,
  };
  const found = parseMark(bytes, parsed);
  return { head: parsed, ...(found && { mark: found }) };
}

function parseMark(bytes: Uint8Array, { runId, sizeBytes }: RecordHead): RecordMark | undefined {
  if (bytes.length < MARK_OFFSET + mark.size) return undefined;
  const whole = bytes.subarray(MARK_OFFSET, MARK_OFFSET + mark.size);
  const fields = mark.read(whole);
  const sound =
    fields.magic === MARK_MAGIC &&
    fields.crc === crc32(whole.subarray(MARK_CRC_FROM)) &&
    same(fields.runId, runId) &&
    (fields.state === 1 || fields.state === 2) &&
    fields.witnessBytes <= WITNESS_BYTES &&
    fields.sourceStateBytes <= SOURCE_STATE_BYTES;
  if (!sound || fields.taggedSegments > segmentCount(sizeBytes)) return undefined;
  const finished = fields.state === 2;
  return {
    state: finished ? "finished" : "stopped",
    ...(finished && { digest: fields.digest.slice() }),
    endedMs: fields.endedMs,
    taggedSegments: fields.tagged === 1 ? fields.taggedSegments : 0,
    witness: text(fields.witness.subarray(0, fields.witnessBytes)),
    ...(fields.sourceStateBytes > 0 && {
      sourceState: text(fields.sourceState.subarray(0, fields.sourceStateBytes)),
    }),
  };
}

/** Where the tag of a segment lies in the file. */
export function tagOffset(segment: number): number {
  return TABLE_OFFSET + segment * TAG_BYTES;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** At most `length` bytes, cut between characters. */
function cutText(value: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, new TextEncoder().encodeInto(value, bytes).written);
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

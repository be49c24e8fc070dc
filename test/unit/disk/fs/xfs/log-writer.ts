/** Writes a log into an image, record by record, as the kernel does. */
import { crc32c } from "../../../../../src/bytes/crc32c.ts";
import { INODE_SIZE, LOG_BLOCK, LOG_BLOCKS, UUID } from "./image.ts";
import type { Image } from "./image.ts";

const BASIC = 512;
const LOG_AT = LOG_BLOCK * 1024;
export const LOG_LENGTH = LOG_BLOCKS * 2;
/** Flags of operations. */
export const OP = { start: 1, commit: 2, continues: 4, continued: 8, end: 16, unmount: 32 };

export type Operation = {
  readonly id: number;
  readonly flags: number;
  readonly bytes?: Uint8Array;
  readonly client?: number;
};

/** An item: its regions, the format first. */
export type Item = readonly Uint8Array[];

export type RecordOptions = {
  readonly format?: number;
  readonly version?: number;
  readonly uuid?: Uint8Array;
  /** h_size; the number of header blocks follows from it. */
  readonly size?: number;
  readonly damaged?: boolean;
};

export class LogWriter {
  readonly image: Image;
  /** Where the next record goes, in basic blocks. */
  head: number;
  #cycle: number;
  /** Block and cycle of the oldest record that is needed. */
  #tail: readonly [number, number];
  #id = 1;

  /** `start` other than 0: the log was all written once, and the new cycle ends there. */
  constructor(image: Image, { start = 0, cycle = 1 }: { start?: number; cycle?: number } = {}) {
    this.image = image;
    this.head = start;
    this.#cycle = cycle;
    this.#tail = [start, cycle];
    if (cycle === 1) return;
    for (let block = 0; block < LOG_LENGTH; block++) {
      image.u32(LOG_AT + block * BASIC, block < start ? cycle : cycle - 1);
    }
  }

  /** Makes the next record the oldest that is needed. */
  forget(): this {
    this.#tail = [this.head, this.#cycle];
    return this;
  }

  get lsn(): bigint {
    return (BigInt(this.#cycle) << 32n) | BigInt(this.head);
  }

  /** A transaction in a record of its own. */
  transaction(...items: Item[]): this {
    return this.record(this.operations(...items));
  }

  operations(...items: Item[]): Operation[] {
    const id = this.#id++;
    const header = new Uint8Array(16);
    put(header).setUint32(0, 0x5452414e, true);
    const regions = [header, ...items.flat()];
    return [
      { id, flags: OP.start },
      ...regions.map((bytes) => ({ id, flags: 0, bytes })),
      { id, flags: OP.commit },
    ];
  }

  unmount(): this {
    return this.record([{ id: 99, flags: OP.unmount, bytes: new Uint8Array(8), client: 0xaa }]);
  }

  record(operations: readonly Operation[], options: RecordOptions = {}): this {
    const data = packOperations(operations);
    const headers = Math.max(1, Math.ceil((options.size ?? 32_768) / 32_768));
    const dataBlocks = Math.ceil(data.length / BASIC);
    const blocks = headers + dataBlocks;
    const bytes = new Uint8Array(blocks * BASIC);
    bytes.set(data, headers * BASIC);
    this.#header(bytes, { operations: operations.length, length: data.length, headers }, options);
    const used = Math.ceil(dataBlocks / 64);
    if (this.image.version === 5) seal(bytes, { headers, used, length: data.length });
    if (options.damaged) bytes[headers * BASIC + 20]! ^= 1;
    for (let i = 0; i < blocks; i++) {
      const at = LOG_AT + ((this.head + i) % LOG_LENGTH) * BASIC;
      this.image.bytes.set(bytes.subarray(i * BASIC, (i + 1) * BASIC), at);
    }
    if (this.head + blocks >= LOG_LENGTH) this.#cycle += 1;
    this.head = (this.head + blocks) % LOG_LENGTH;
    return this;
  }

  /** The header, and the cycle numbers in the place of each block's first word. */
  #header(
    bytes: Uint8Array,
    record: { operations: number; length: number; headers: number },
    options: RecordOptions,
  ): void {
    const view = put(bytes);
    const { headers } = record;
    const cycleAt = (block: number) =>
      this.head + block >= LOG_LENGTH ? this.#cycle + 1 : this.#cycle;
    view.setUint32(0, 0xfeedbabe);
    view.setUint32(4, this.#cycle);
    view.setUint32(8, options.version ?? 2);
    view.setUint32(12, record.length);
    view.setBigUint64(16, this.lsn);
    view.setUint32(24, this.#tail[1]);
    view.setUint32(28, this.#tail[0]);
    view.setUint32(40, record.operations);
    view.setUint32(300, options.format ?? 1);
    bytes.set(options.uuid ?? UUID, 304);
    view.setUint32(320, options.size ?? 32_768);
    for (let i = 1; i < headers; i++) view.setUint32(i * BASIC, cycleAt(i));
    for (let i = headers; i * BASIC < bytes.length; i++) {
      const index = i - headers;
      const table = index < 64 ? 44 : Math.floor(index / 64) * BASIC + 4;
      view.setUint32(table + 4 * (index % 64), view.getUint32(i * BASIC));
      view.setUint32(i * BASIC, cycleAt(i));
    }
  }
}

function put(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function packOperations(operations: readonly Operation[]): Uint8Array {
  const parts = operations.flatMap(({ id, flags, bytes = new Uint8Array(0), client = 0x69 }) => {
    const header = new Uint8Array(12);
    put(header).setUint32(0, id);
    put(header).setUint32(4, bytes.length);
    header[8] = client;
    header[9] = flags;
    return [header, bytes];
  });
  return Uint8Array.from(Buffer.concat(parts));
}

function seal(
  bytes: Uint8Array,
  { headers, used, length }: { headers: number; used: number; length: number },
): void {
  const pieces = [bytes.subarray(0, 328)];
  for (let i = 1; i < used; i++) pieces.push(bytes.subarray(i * BASIC, i * BASIC + 260));
  pieces.push(bytes.subarray(headers * BASIC, headers * BASIC + length));
  put(bytes).setUint32(32, crc32c(Buffer.concat(pieces)), true);
}

/** Seals every record that still looks like one, whatever happened to it. */
export function sealRecords(image: Image): void {
  for (let block = 0; block < LOG_LENGTH; block++) {
    const at = LOG_AT + block * BASIC;
    const bytes = image.bytes.subarray(at, LOG_AT + LOG_LENGTH * BASIC);
    const view = put(bytes);
    const length = view.getUint32(12);
    if (view.getUint32(0) !== 0xfeedbabe || BASIC + length > bytes.length) continue;
    view.setUint32(32, 0);
    seal(bytes, { headers: 1, used: 1, length });
  }
}

/** A change of a buffer; `at` and the length of the bytes are multiples of 128. `block` and `length` in basic blocks. */
export function bufferItem(
  block: number,
  length: number,
  changes: readonly { readonly at: number; readonly bytes: Uint8Array }[],
  flags = 0,
): Item {
  const format = new Uint8Array(24);
  const view = put(format);
  view.setUint16(0, 0x123c, true);
  view.setUint16(2, 1 + changes.length, true);
  view.setUint16(4, flags, true);
  view.setUint16(6, length, true);
  view.setBigUint64(8, BigInt(block), true);
  view.setUint32(16, 1, true);
  let map = 0;
  for (const { at, bytes } of changes) {
    for (let bit = at / 128; bit < (at + bytes.length) / 128; bit++) map |= 1 << bit;
  }
  view.setUint32(20, map, true);
  return [format, ...changes.map(({ bytes }) => bytes)];
}

/** Says that a buffer was freed. */
export function cancelItem(block: number, length: number): Item {
  return bufferItem(block, length, [], 2);
}

/** [offset, width] of what is set in the inodes of `image.ts`, for another byte order. */
const FIELDS = [
  [0, 2],
  [2, 2],
  [4, 1],
  [5, 1],
  [8, 4],
  [12, 4],
  [16, 4],
  [40, 8],
  [56, 8],
  [76, 4],
  [80, 2],
  [82, 1],
  [90, 2],
  [92, 4],
  [120, 8],
  [152, 8],
] as const;

/** An inode as it is in an image, with its data fork; `number` decides where it goes. */
export function inodeItem(image: Image, number: number, fork = 0x4): Item {
  const at = image.inodeAt(number);
  const disk = image.bytes.subarray(at, at + INODE_SIZE);
  const core = new Uint8Array(image.version === 5 ? 176 : 96);
  for (const [offset, width] of FIELDS) {
    if (offset + width > core.length) continue;
    for (let i = 0; i < width; i++) core[offset + i] = disk[offset + width - 1 - i]!;
  }
  if (image.version === 5) core.set(disk.subarray(160, 176), 160);
  const format = new Uint8Array(56);
  const view = put(format);
  view.setUint16(0, 0x123b, true);
  view.setUint16(2, fork === 0 ? 2 : 3, true);
  view.setUint32(4, 1 | fork, true);
  view.setBigUint64(16, BigInt(number), true);
  view.setBigUint64(40, BigInt(Math.floor(number / 4) * 4), true);
  view.setUint32(48, 4, true);
  return fork === 0 ? [format, core] : [format, core, disk.slice(image.core)];
}

/** An inode with a tree of extents: in memory its root has a long header, and room for what it holds only. */
export function rootItem(image: Image, number: number): Item {
  const [format, core, fork] = inodeItem(image, number, 0x8);
  const header = image.version === 5 ? 72 : 24;
  const count = put(fork!).getUint16(2);
  const room = Math.floor((fork!.length - 4) / 16);
  const root = new Uint8Array(header + 16 * count);
  root.set(fork!.subarray(0, 4), 4);
  root.set(fork!.subarray(4, 4 + 8 * count), header);
  root.set(fork!.subarray(4 + 8 * room, 4 + 8 * room + 8 * count), header + 8 * count);
  return [format!, core!, root];
}

/** Fresh inodes in a group's blocks. */
export function createItem(group: number, block: number, length: number): Item {
  const item = new Uint8Array(28);
  const view = put(item);
  view.setUint16(0, 0x123f, true);
  view.setUint16(2, 1, true);
  for (const [i, value] of [group, block, length * 2, INODE_SIZE, length, 7].entries()) {
    view.setUint32(4 + 4 * i, value, false);
  }
  return [item];
}

/** Any item of one region that has a number: intents, and what ends them. */
export function intentItem(type: number, id: number): Item {
  const item = new Uint8Array(32);
  put(item).setUint16(0, type, true);
  put(item).setUint16(2, 1, true);
  put(item).setBigUint64(8, BigInt(id), true);
  return [item];
}

/** Small ISO 9660 volumes, put together record by record so that tests can make them as wrong as they like. */
import { memorySource } from "../../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

export const SECTOR = 2048;
const SECTORS = 64;

/** Sectors of what the volumes have. */
export const PRIMARY = 16;
export const ROOT = 20;
export const DIRECTORY = 21;
export const JOLIET_ROOT = 22;
export const CONTINUED = 24;
export const FILE = 30;

export type RecordFields = {
  /** Bytes 0 and 1 are `.` and `..`. */
  readonly name: string | Uint8Array;
  readonly extent: number;
  readonly size?: number;
  readonly flags?: number;
  readonly systemUse?: Uint8Array;
};

export type Image = {
  readonly bytes: Uint8Array;
  source(): ByteSource;
  u8(at: number, value: number): void;
  /** In both byte orders. */
  both32(at: number, value: number): void;
  /** Writes the records of a directory, from the start of its sector on; gives their places. */
  directory(sector: number, records: readonly RecordFields[]): number[];
};

export function blankImage(): Image {
  const bytes = new Uint8Array(SECTORS * SECTOR);
  const view = new DataView(bytes.buffer);
  const image: Image = {
    bytes,
    source: () => memorySource(bytes, ["image"]),
    u8: (at, value) => view.setUint8(at, value),
    both32(at, value) {
      view.setUint32(at, value, true);
      view.setUint32(at + 4, value, false);
    },
    directory(sector, records) {
      let at = sector * SECTOR;
      bytes.fill(0, at, at + SECTOR);
      return records.map((fields) => {
        const record = makeRecord(fields);
        bytes.set(record, at);
        at += record.length;
        return at - record.length;
      });
    },
  };
  putDescriptor(image, { sector: PRIMARY, type: 1, root: ROOT, label: "VOLUME_LABEL" });
  putText(image, (PRIMARY + 1) * SECTOR, "\xffCD001\x01");
  return image;
}

type DescriptorFields = {
  readonly sector: number;
  readonly type: number;
  readonly root: number;
  readonly label: string;
};

function putDescriptor(image: Image, { sector, type, root, label }: DescriptorFields): void {
  const at = sector * SECTOR;
  putText(image, at, `${String.fromCharCode(type)}CD001\x01`);
  putText(image, at + 40, label.padEnd(32));
  image.both32(at + 80, SECTORS);
  image.u8(at + 129, SECTOR >> 8);
  image.bytes.set(makeRecord({ name: "\0", extent: root, size: SECTOR, flags: 2 }), at + 156);
  putText(image, at + 813, "2020010203040506\0");
  putText(image, at + 830, "2026112103343600\0");
}

/** Adds a Joliet tree, whose root is in a sector of its own. */
export function addJoliet(image: Image, label = "Joliet Label"): void {
  const at = (PRIMARY + 1) * SECTOR;
  putDescriptor(image, { sector: PRIMARY + 1, type: 2, root: JOLIET_ROOT, label: "" });
  image.bytes.set(utf16be(label.padEnd(16)), at + 40);
  putText(image, at + 88, "%/E");
  putText(image, (PRIMARY + 2) * SECTOR, "\xffCD001\x01");
}

export function putText(image: Image, at: number, text: string): void {
  image.bytes.set(Buffer.from(text, "latin1"), at);
}

export function utf16be(text: string): Uint8Array {
  return Buffer.from(text, "utf16le").swap16();
}

export function makeRecord({
  name,
  extent,
  size = 0,
  flags = 0,
  systemUse,
}: RecordFields): Uint8Array {
  const nameBytes = typeof name === "string" ? Buffer.from(name, "latin1") : name;
  const nameEnd = 33 + nameBytes.length + (nameBytes.length % 2 === 0 ? 1 : 0);
  const use = systemUse ?? new Uint8Array(0);
  const length = nameEnd + use.length + ((nameEnd + use.length) % 2);
  const record = new Uint8Array(length);
  const view = new DataView(record.buffer);
  record[0] = length;
  view.setUint32(2, extent, true);
  view.setUint32(6, extent, false);
  view.setUint32(10, size, true);
  view.setUint32(14, size, false);
  record.set([120, 1, 2, 3, 4, 5, 0], 18);
  record[25] = flags;
  record[32] = nameBytes.length;
  record.set(nameBytes, 33);
  record.set(use, nameEnd);
  return record;
}

const both = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
};

/** A system use entry with the right length; `len` for another. */
export function susp(
  signature: string,
  data: Uint8Array | readonly number[],
  len?: number,
): Uint8Array {
  const length = 4 + data.length;
  return Uint8Array.from([...Buffer.from(signature), len ?? length, 1, ...data]);
}

export const SP = susp("SP", [0xbe, 0xef, 0]);
export const ER = susp("ER", [4, 0, 0, 1, ...Buffer.from("RRIP")]);
export const nm = (name: string, flags = 0) => susp("NM", [flags, ...Buffer.from(name)]);
export const px = (mode: number, links = 1, uid = 0, gid = 0) =>
  susp("PX", Buffer.concat([both(mode), both(links), both(uid), both(gid)]));
export const ce = (extent: number, offset: number, size: number) =>
  susp("CE", Buffer.concat([both(extent), both(offset), both(size)]));
export const cl = (extent: number) => susp("CL", both(extent));
export const pn = (high: number, low: number) => susp("PN", Buffer.concat([both(high), both(low)]));
/** Components as [flags, text]. */
export const sl = (components: readonly (readonly [number, string])[], flags = 0) =>
  susp("SL", [
    flags,
    ...components.flatMap(([kind, text]) => [kind, text.length, ...Buffer.from(text)]),
  ]);
export const all = (...entries: readonly Uint8Array[]): Uint8Array => Buffer.concat(entries);

export const SELF = (extent: number, systemUse?: Uint8Array): RecordFields => ({
  name: "\0",
  extent,
  size: SECTOR,
  flags: 2,
  ...(systemUse ? { systemUse } : {}),
});
export const PARENT = (extent: number): RecordFields => ({
  name: "\x01",
  extent,
  size: SECTOR,
  flags: 2,
});

/** Rock Ridge: `file` of 5 bytes, `link`, `dir` with `inner` in it. `extra` is put behind them. */
export function rockImage(...extra: readonly RecordFields[]): Image {
  const image = blankImage();
  image.directory(ROOT, [
    SELF(ROOT, all(SP, px(0o40755, 3), ER)),
    PARENT(ROOT),
    { name: "FILE.;1", extent: FILE, size: 5, systemUse: all(nm("file"), px(0o100640, 1, 7, 8)) },
    {
      name: "LINK.;1",
      extent: 0,
      systemUse: all(
        nm("link"),
        px(0o120777),
        sl([
          [8, ""],
          [0, "a"],
          [4, ""],
          [2, ""],
        ]),
      ),
    },
    {
      name: "DIR",
      extent: DIRECTORY,
      size: SECTOR,
      flags: 2,
      systemUse: all(nm("dir"), px(0o40755, 2)),
    },
    ...extra,
  ]);
  image.directory(DIRECTORY, [
    SELF(DIRECTORY, px(0o40700, 2)),
    PARENT(ROOT),
    { name: "INNER.;1", extent: FILE, size: 5, systemUse: all(nm("inner"), px(0o100600)) },
  ]);
  putText(image, FILE * SECTOR, "hello");
  return image;
}

/** Names of ISO 9660 alone. */
export function plainImage(...extra: readonly RecordFields[]): Image {
  const image = blankImage();
  image.directory(ROOT, [
    SELF(ROOT),
    PARENT(ROOT),
    { name: "FILE.TXT;1", extent: FILE, size: 5 },
    ...extra,
  ]);
  putText(image, FILE * SECTOR, "hello");
  return image;
}

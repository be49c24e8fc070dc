/**
 * Save images from the specifications (docs/specs/libxl-migration-stream.pandoc and libxc-migration-stream.pandoc of
 * Xen; xl's header from facts of real images), byte by byte and without the code under test.
 */
import type { ImageBytes } from "../../src/xen/save-image/image-bytes.ts";

const MAGIC = Buffer.from("Xen saved domain, xl format\n \0 \r", "latin1");

function u32le(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) out.writeUInt32LE(value >>> 0, 4 * index);
  return out;
}

function u32be(...values: readonly number[]): Buffer {
  return u32le(...values).swap32();
}

/** A record of either stream: type, length, body, zeroes up to a multiple of 8. */
export function record(type: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const padding = Buffer.alloc((8 - (body.length % 8)) % 8);
  return Buffer.concat([u32le(type, body.length), body, padding]);
}

/** `count` frames of which `present` have their 4 KiB in the image; the others are only allocated. */
export function pageData(count: number, present = count): Buffer {
  const frames = Buffer.alloc(8 * count);
  for (let index = 0; index < count; index++) {
    frames.writeUInt32LE(index, 8 * index);
    if (index >= present) frames.writeUInt32LE(0xe000_0000, 8 * index + 4);
  }
  return record(1, Buffer.concat([u32le(count, 0), frames, Buffer.alloc(4096 * present, 0xa5)]));
}

export type LibxcOptions = {
  readonly type?: number;
  readonly version?: number;
  readonly options?: number;
  readonly pageShift?: number;
  readonly xen?: readonly [major: number, minor: number];
  /** Between the headers and END. */
  readonly records?: readonly Uint8Array[];
};

/** libxc's stream, END included. */
export function libxcStream(given: LibxcOptions = {}): Buffer {
  const { type = 1, version = 3, options = 0, pageShift = 12, xen = [4, 17] } = given;
  const records = given.records ?? [
    record(2, Buffer.from([8, 4, 0, 0, 0, 0, 0, 0])),
    record(0x10),
    pageData(1024),
    pageData(3, 2),
    record(7, Buffer.alloc(4096)),
  ];
  return Buffer.concat([
    Buffer.alloc(8, 0xff),
    u32be(0x58454e46, version),
    Buffer.from([options >> 8, options & 0xff, 0, 0, 0, 0, 0, 0]),
    u32le(type, pageShift, xen[0], xen[1]),
    ...records,
    record(0),
  ]);
}

export type LibxlOptions = {
  readonly version?: number;
  readonly options?: number;
  /** Between the header and END. Left out: the context with `libxcStream()`, and the emulator's keys. */
  readonly records?: readonly Uint8Array[];
};

/** A record of libxl's with libxc's stream behind it. */
export function libxcContext(stream: Uint8Array = libxcStream()): Buffer {
  return Buffer.concat([record(1), stream]);
}

/** libxl's stream, END included. */
export function libxlStream({ version = 2, options = 0, records }: LibxlOptions = {}): Buffer {
  const keys = Buffer.concat([u32le(2, 0), Buffer.from("physmap/0\x001\0", "latin1")]);
  return Buffer.concat([
    Buffer.from("LibxlFmt", "latin1"),
    u32be(version, options),
    ...(records ?? [libxcContext(), record(2, keys)]),
    record(0),
  ]);
}

export type ImageOptions = {
  /** An object is JSON, as since Xen 4.5; text is xl.cfg, as before. */
  readonly config?: object | string;
  /** Left out: as `config` wants it, with stream v2. */
  readonly flags?: number;
  readonly byteorder?: number;
  /** Left out: `libxlStream()`. */
  readonly stream?: Uint8Array;
};

export const PANDORA_UUID = "22f7f7cc-5a0b-4f2d-9c1e-0123456789ab";

/** A configuration as libxl saves it; what has its default is left out. */
export function domainJson(name = "pandora", uuid = PANDORA_UUID): Record<string, unknown> {
  return {
    c_info: { type: "pv", name, uuid, run_hotplug_scripts: "True" },
    b_info: {
      max_vcpus: 2,
      avail_vcpus: [0],
      max_memkb: 196608,
      target_memkb: 131072,
      shadow_memkb: 2560,
      "type.pv": { bootloader: "pygrub" },
    },
    disks: [
      { pdev_path: `/dev/vg0/${name}-disk`, vdev: "xvda", format: "raw", readwrite: 1 },
      { pdev_path: "/srv/cd.iso", vdev: "hdc", format: "raw", is_cdrom: 1 },
    ],
    nics: [{ devid: 0, mac: "00:16:3E:00:00:01", bridge: "xenbr0", nictype: "vif" }],
    on_reboot: "restart",
  };
}

/** A whole image, as `xl save` writes it. */
export function saveImage(options: ImageOptions = {}): Buffer {
  const { config = domainJson(), byteorder = 0x01020304, stream = libxlStream() } = options;
  const isJson = typeof config !== "string";
  const text = Buffer.from(`${isJson ? JSON.stringify(config, null, 4) : config}\0`);
  const data = Buffer.concat([u32le(text.length), text]);
  const flags = options.flags ?? (isJson ? 3 : 2);
  return Buffer.concat([MAGIC, u32le(byteorder, flags, 0, data.length), data, stream]);
}

/** Bytes in memory; counts what is read of them. */
export function imageBytes(bytes: Uint8Array): ImageBytes & { readBytes: number; reads: number } {
  const source = {
    size: bytes.length,
    where: ["/var/lib/xen/save/pandora"],
    readBytes: 0,
    reads: 0,
    async read(offset: number, length: number) {
      if (offset < 0 || length < 0 || offset + length > bytes.length)
        throw new Error(`read outside of the image: ${length} bytes at ${offset}`);
      source.readBytes += length;
      source.reads += 1;
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
  };
  return source;
}

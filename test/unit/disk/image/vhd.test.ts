import { describe, expect, test } from "vitest";
import { sniffImage } from "../../../../src/disk/image/formats.ts";
import type { ImageOptions } from "../../../../src/disk/image/image.ts";
import { openVhd } from "../../../../src/disk/image/vhd.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const BLOCK = 4096;

/** The complement of the sum of all bytes; the checksum's own are zero still. */
function seal(bytes: Uint8Array, own: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(own, 0);
  view.setUint32(own, ~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0);
}

type FooterBytes = {
  readonly type: number;
  readonly size: number;
  readonly creator?: string;
  readonly geometry?: readonly [number, number, number];
};

function footer({ type, size, creator = "tap\0", geometry = [1, 1, 1] }: FooterBytes): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from("conectix"));
  view.setUint32(12, 0x00010000);
  view.setBigUint64(16, type === 2 ? 0xffff_ffff_ffff_ffffn : 512n);
  bytes.set(Buffer.from(creator, "latin1"), 28);
  view.setBigUint64(48, BigInt(size));
  view.setUint16(56, geometry[0]);
  bytes[58] = geometry[1];
  bytes[59] = geometry[2];
  view.setUint32(60, type);
  seal(bytes, 64);
  return bytes;
}

type Vhd = {
  readonly type?: number;
  readonly size?: number;
  /** By block: the sector of its bitmap. */
  readonly table?: Readonly<Record<number, number>>;
  readonly entries?: number;
  readonly blockBytes?: number;
  /** Of every block. */
  readonly bitmap?: readonly number[];
};

/** Footer, header, table at 2 KiB, blocks from 4 KiB on, 4608 bytes each; block n is filled with n. */
function dynamic(vhd: Vhd = {}): Uint8Array {
  const { type = 3, size = 4 * BLOCK, table = { 0: 8, 2: 17 }, entries = 4 } = vhd;
  const bytes = new Uint8Array(4096 + 3 * 4608 + 512);
  const view = new DataView(bytes.buffer);
  bytes.set(footer({ type, size }));
  bytes.set(Buffer.from("cxsparse"), 512);
  view.setBigUint64(512 + 16, 2048n);
  view.setUint32(512 + 28, entries);
  view.setUint32(512 + 32, vhd.blockBytes ?? BLOCK);
  bytes.set(Buffer.from("parent.vhd", "utf16le").swap16(), 512 + 64);
  seal(bytes.subarray(512, 1536), 36);
  bytes.fill(0xff, 2048, 2048 + 4 * entries);
  for (const [block, sector] of Object.entries(table)) {
    view.setUint32(2048 + 4 * Number(block), sector);
  }
  for (let n = 0; n < 3; n++) {
    bytes.set(vhd.bitmap ?? [0xff], 4096 + n * 4608);
    bytes.fill(n + 1, 4096 + n * 4608 + 512, 4096 + n * 4608 + 4608);
  }
  bytes.set(footer({ type, size }), bytes.length - 512);
  return bytes;
}

const open = (bytes: Uint8Array, options: Partial<ImageOptions> = {}) =>
  openVhd(memorySource(bytes, ["xvda", "vhd"]), { where: ["xvda"], ...options });

const eight = (value: number): number[] => Array(8).fill(value);

/** Smaller than what it is behind. */
const smallParent = async () => memorySource(new Uint8Array(100));

async function sectors(bytes: Uint8Array, options?: Partial<ImageOptions>) {
  const { source } = await open(bytes, options);
  const all = await source.read(0, source.size);
  return Array.from({ length: source.size / 512 }, (_, index) => all[index * 512]);
}

describe("a VHD", () => {
  test("dynamic: blocks in any order, holes are zero", async () => {
    expect(await sectors(dynamic({ table: { 0: 17, 3: 8 } }))).toEqual([
      ...eight(2),
      ...eight(0),
      ...eight(0),
      ...eight(1),
    ]);
  });

  test("differencing: what the bitmap does not have is the parent's", async () => {
    const bytes = dynamic({ type: 4, bitmap: [0b1010_0001], table: { 1: 8 } });
    const asked: unknown[] = [];
    const openBacking = async (...args: unknown[]) => {
      asked.push(args);
      return memorySource(new Uint8Array(BLOCK * 2).fill(9));
    };
    expect(await sectors(bytes, { openBacking })).toEqual([
      ...eight(9),
      1,
      9,
      1,
      9,
      9,
      9,
      9,
      1,
      ...eight(0),
      ...eight(0),
    ]);
    expect(asked).toEqual([["parent.vhd", "vhd"]]);
    const { source } = await open(bytes, { openBacking });
    expect([...(await source.read(BLOCK + 511, 2))]).toEqual([1, 9]);
    await expect(open(bytes)).rejects.toThrow(
      "differencing VHD images (their parent is parent.vhd)",
    );
  });

  test("fixed: the disk, and the footer behind it", async () => {
    const bytes = new Uint8Array(8192 + 512).fill(5);
    bytes.set(footer({ type: 2, size: 8192 }), 8192);
    const { source } = await open(bytes);
    expect([source.size, (await source.read(8191, 1))[0]]).toEqual([8192, 5]);
    expect(await sniffImage(memorySource(bytes))).toBe("vhd");
    bytes.set(footer({ type: 2, size: 8704 }), 8192);
    await expect(open(bytes)).rejects.toThrow("a disk of 8704 bytes");
  });

  test("the size by geometry, where the creator means that", async () => {
    const bytes = new Uint8Array(8192 + 512);
    const by = async (creator: string, geometry: [number, number, number]) => {
      bytes.set(footer({ type: 2, size: 8192, creator, geometry }), 8192);
      return (await open(bytes)).source.size;
    };
    expect(await by("qemu", [2, 1, 5])).toBe(5120);
    expect(await by("qem2", [2, 1, 5])).toBe(8192);
    expect(await by("qemu", [65535, 16, 255])).toBe(8192);
  });

  test("that is damaged is a failure", async () => {
    const edit = (at: number, value: number) => {
      const bytes = dynamic();
      bytes[at]! ^= value;
      return open(bytes).then(({ source }) => source.read(0, 512));
    };
    await expect(edit(50, 1)).rejects.toThrow("footer at byte 0: found checksum");
    await expect(edit(600, 1)).rejects.toThrow("dynamic header: found checksum");
    await expect(edit(512, 1)).rejects.toThrow("another cookie");
    await expect(edit(2049, 1)).rejects.toThrow("a reference to");
    await expect(open(new Uint8Array(4096))).rejects.toThrow("without the footer");
    await expect(open(new Uint8Array(10))).rejects.toThrow("without the footer");
    await expect(open(dynamic({ type: 5 }))).rejects.toThrow("disk type 5");
    await expect(open(dynamic({ size: 2 ** 40 }))).rejects.toThrow("a table of 4 blocks");
    await expect(open(dynamic({ blockBytes: 3000 }))).rejects.toThrow("a power of two");
    await expect(open(dynamic({ blockBytes: 0 }))).rejects.toThrow("a power of two");
  });

  test("damaged, with good checksums", async () => {
    const good = dynamic({ type: 4, bitmap: [0x55] });
    const run = await survivesMutation(
      [good.slice(0, 2100)],
      async (mutated) => {
        const bytes = Uint8Array.from(good);
        bytes.set(mutated.subarray(0, 2100));
        seal(bytes.subarray(0, 512), 64);
        seal(bytes.subarray(512, 1536), 36);
        const { source } = await open(bytes, { openBacking: smallParent });
        await source.read(0, Math.min(source.size, 1 << 20));
      },
      { count: 600 },
    );
    expect(run.failures).toBeGreaterThan(20);
    expect(run.values).toBeGreaterThan(20);
  });
});

test.each([
  ["QFI\xfb\0\0\0\x03", "qcow2"],
  ["QFI\xfb\0\0\0\x01", "qcow"],
  ["QED\0", "qed"],
  ["conectix", "vhd"],
  ["KDMV", "vmdk"],
  ["vhdxfile", "vhdx"],
  [`${"\0".repeat(64)}\x7f\x10\xda\xbe`, "vdi"],
  ["QFI", undefined],
  ["", undefined],
])("%j is sniffed as %s", async (text, format) => {
  const bytes = new Uint8Array(2048);
  bytes.set(Buffer.from(text, "latin1"));
  expect(await sniffImage(memorySource(bytes))).toBe(format);
  expect(await sniffImage(memorySource(bytes.subarray(0, 100)))).toBe(format);
});

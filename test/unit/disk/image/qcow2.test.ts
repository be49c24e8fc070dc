import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { openQcow2 } from "../../../../src/disk/image/qcow2.ts";
import type { ImageOptions } from "../../../../src/disk/image/image.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { qcow2Image } from "../../../support/qcow2.ts";
import type { Qcow2Bytes } from "../../../support/qcow2.ts";

const CLUSTER = 4096;

function open(image: Qcow2Bytes | Uint8Array, options: Partial<ImageOptions> = {}) {
  const bytes = image instanceof Uint8Array ? image : qcow2Image(image);
  return openQcow2(memorySource(bytes, ["xvda", "qcow2"]), { where: ["xvda"], ...options });
}

/** The first byte of each cluster. */
async function clusters(image: Qcow2Bytes | Uint8Array, options?: Partial<ImageOptions>) {
  const { source } = await open(image, options);
  const bytes = await source.read(0, source.size);
  return Array.from({ length: source.size / CLUSTER }, (_, index) => bytes[index * CLUSTER]);
}

const read = async (bytes: Uint8Array) => (await open(bytes)).source.read(0, 512);

/** Smaller than what it is behind. */
const smallBacking = async () => memorySource(new Uint8Array(100));

const at = (cluster: number) => BigInt(cluster * CLUSTER);

describe("a qcow2 image", () => {
  test("clusters in any order, holes, zeroes", async () => {
    const l2 = { 0: at(5) | (1n << 63n), 1: at(6), 3: at(4) | 1n, 4: at(7), 5: at(3), 15: at(3) };
    expect(await clusters({ l2 })).toEqual([5, 6, 0, 0, 7, 3, ...Array(9).fill(0), 3]);
  });

  test("in version 2 the lowest bit is no zero flag", async () => {
    expect((await clusters({ version: 2, l2: { 0: at(4) | 1n } }))[0]).toBe(4);
  });

  test("a hole is the backing file's, and zero behind its end", async () => {
    const asked: unknown[] = [];
    const openBacking = async (...args: unknown[]) => {
      asked.push(args);
      return memorySource(new Uint8Array(6000).fill(9));
    };
    const image = { l2: { 0: at(5) }, backing: { name: "base", format: "raw" } };
    const { source } = await open(image, { openBacking });
    const bytes = await source.read(0, 3 * CLUSTER);
    expect([bytes[4095], bytes[4096], bytes[5999], bytes[6000], bytes[9000]]).toEqual([
      5, 9, 9, 0, 0,
    ]);
    expect(asked).toEqual([["base", "raw"]]);
    const nameless = { ...image, backing: { name: "base" } };
    await open(nameless, { openBacking });
    expect(asked.at(-1)).toEqual(["base", ""]);
  });

  test("subclusters: data, zero, not there", async () => {
    const clusterBits = 14;
    const big = 2 ** clusterBits;
    const { source } = await open(
      {
        clusterBits,
        sizeBytes: 2 * big,
        incompatible: 16n,
        l2: { 0: BigInt(4 * big) },
        bitmaps: { 0: (0b100n << 32n) | 0b1001n },
        backing: { name: "b" },
      },
      { openBacking: async () => memorySource(new Uint8Array(2 * big).fill(9)) },
    );
    const bytes = await source.read(0, big + 1);
    expect([0, 512, 1024, 1536, 2048, big].map((place) => bytes[place])).toEqual([
      4, 9, 0, 4, 9, 9,
    ]);
  });

  test("the last cluster may end early, and one behind the end is damage", async () => {
    const short = qcow2Image({ l2: { 0: at(7) } }).slice(0, 7 * CLUSTER + 100);
    const { source } = await open(short);
    const bytes = await source.read(0, CLUSTER);
    expect([bytes[99], bytes[100]]).toEqual([7, 0]);
    expect((await source.read(200, 10)).every((byte) => byte === 0)).toBe(true);
    for (const place of [8, 9, 1 << 20]) {
      const gone = await open({ l2: { 0: at(place) } });
      await expect(gone.source.read(0, 512)).rejects.toThrow("a reference to 512 bytes");
    }
  });
});

describe("compressed clusters", () => {
  const place = 3 * CLUSTER + 100;
  /** Bits 62 - (12 - 8) = 58 and up count sectors. */
  const entry = (sectors: bigint) => (1n << 62n) | (sectors << 58n) | BigInt(place);
  function image(packed: Uint8Array, sectors = 2n): Uint8Array {
    const bytes = qcow2Image({ l2: { 0: entry(sectors) } });
    bytes.set(packed, place);
    return bytes;
  }
  const content = Uint8Array.from({ length: CLUSTER }, (_, index) => index % 251);

  test("are unpacked, whatever follows the stream", async () => {
    const { source } = await open(image(deflateRawSync(content)));
    expect(await source.read(0, CLUSTER)).toEqual(content);
    expect([...(await source.read(1000, 3))]).toEqual([247, 248, 249]);
  });

  test("that are damaged, too long or too short are failures", async () => {
    await expect(read(image(Uint8Array.of(0xff, 0xff, 0xff)))).rejects.toThrow("damaged data");
    await expect(read(image(deflateRawSync(Buffer.alloc(1 << 20))))).rejects.toThrow(
      "over the limit",
    );
    await expect(read(image(deflateRawSync(Buffer.alloc(100))))).rejects.toThrow("unpacks to 100");
    const far = qcow2Image({ l2: { 0: (1n << 62n) | ((1n << 58n) - 1n) } });
    await expect(read(far)).rejects.toThrow("a reference to 0 bytes");
  });
});

describe("what is declined", () => {
  test.each<[string, Qcow2Bytes]>([
    ["the qcow disk format (version 1)", { version: 1 }],
    ["qcow2 version 4", { version: 4 }],
    ["encrypted qcow2 images (method 1)", { crypt: 1 }],
    ["an external data file", { incompatible: 4n }],
    ["qcow2 features 0x10000000000", { incompatible: 1n << 40n }],
    ["compression type 2", { incompatible: 8n, compressionType: 2 }],
    ["a backing file (/etc/shadow)", { backing: { name: "/etc/shadow" } }],
  ])("%s", async (message, image) => {
    await expect(open(image)).rejects.toThrow(`${message} is not supported`);
  });

  test.each<[string, Qcow2Bytes]>([
    ["clusters of 2^8 bytes", { clusterBits: 8, fileBytes: 65536 }],
    ["compression type 0", { incompatible: 8n }],
    ["compression type 1", { compressionType: 1 }],
    ["subclusters in clusters of 2^12", { incompatible: 16n }],
    ["an L1 table of 1 entries", { sizeBytes: 2 ** 50 }],
    ["a cluster at byte 512", { l2: { 0: 512n } }],
    ["the name of a backing file of 1024 bytes", { backing: { name: "x".repeat(1024) } }],
  ])("%s is damage", async (message, image) => {
    await expect(open(image).then(({ source }) => source.read(0, 512))).rejects.toThrow(message);
  });

  test("clusters of 2^22 bytes and L1 tables of 32 MiB are too large", async () => {
    const image = qcow2Image();
    new DataView(image.buffer).setUint32(20, 22);
    await expect(open(image)).rejects.toThrow("2^9 to 2^21");
    await expect(open({ l1Entries: 0xffff_ffff })).rejects.toThrow("over the limit");
  });

  test("a mark of corruption is a finding", async () => {
    const { findings } = await open({ incompatible: 2n });
    expect(findings.map((one) => [one.code, one.severity])).toEqual([
      ["qcow2-marked-corrupt", "error"],
    ]);
  });
});

describe("hostile images", () => {
  test("a table that is its own data ends", async () => {
    const loop = qcow2Image({ l2: { 0: at(2) } });
    new DataView(loop.buffer).setBigUint64(CLUSTER, at(1));
    expect((await clusters(loop)).length).toBe(16);
  });

  test("a huge disk costs what is read of it", async () => {
    const image = qcow2Image({ clusterBits: 21, sizeBytes: 2 ** 39, fileBytes: 8 << 20 });
    const { source } = await open(image);
    const took = cpuTime();
    for (let i = 0; i < 100; i++) await source.read(2 ** 39 - 4096 - i * 2 ** 30, 4096);
    expect(took()).toBeLessThan(1000);
  });

  test("damaged", async () => {
    const packed = deflateRawSync(Buffer.alloc(CLUSTER, 3));
    const good = qcow2Image({ l2: { 0: at(5), 1: (1n << 62n) | at(7), 2: at(4) | 1n } });
    good.set(packed, 7 * CLUSTER);
    const subclusters = qcow2Image({
      clusterBits: 14,
      incompatible: 16n,
      l2: { 0: BigInt(4 << 14) },
      bitmaps: { 0: (0xf00n << 32n) | 0xffn },
    });
    // The first bytes of each cluster, where header and tables are.
    for (const [image, bits] of [
      [good, 12],
      [subclusters, 14],
    ] as const) {
      await (await open(image)).source.read(0, 65536);
      const parts = [0, 1, 2, 7].map((cluster) => cluster << bits);
      const heads = Buffer.concat(parts.map((offset) => image.subarray(offset, offset + 128)));
      const run = await survivesMutation(
        [heads],
        async (bytes) => {
          const damaged = Uint8Array.from(image);
          for (const [index, offset] of parts.entries()) {
            damaged.set(bytes.subarray(index * 128, index * 128 + 128), offset);
          }
          const { source } = await open(damaged, { openBacking: smallBacking });
          await source.read(0, Math.min(source.size, 1 << 20));
          await source.read(Math.max(0, source.size - 1000), Math.min(source.size, 1000));
        },
        { count: 400 },
      );
      expect(run.failures).toBeGreaterThan(20);
      // Most of these bytes are entries, and most values of an entry are damage.
      expect(run.values).toBeGreaterThan(5);
    }
  });
});

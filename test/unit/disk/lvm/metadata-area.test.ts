import { describe, expect, test } from "vitest";
import { readMetadataArea } from "../../../../src/disk/lvm/metadata-area.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { lvmCrc, metadataArea } from "../../../support/lvm.ts";
import type { MetadataAreaBytes } from "../../../support/lvm.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const AREA = { offset: 4096, size: 8192 };
const TEXT = "vg0 {\nseqno = 1\n}\n";

function volume(area: Partial<MetadataAreaBytes> = {}): Uint8Array {
  const bytes = new Uint8Array(16384);
  bytes.set(metadataArea({ ...AREA, text: TEXT, ...area }), area.offset ?? AREA.offset);
  return bytes;
}

/** Changes the header and makes its checksum right again: hostile rather than damaged. */
function edited(edit: (fields: DataView) => void, area: Partial<MetadataAreaBytes> = {}) {
  const bytes = volume(area);
  const header = bytes.subarray(AREA.offset, AREA.offset + 512);
  edit(new DataView(header.buffer, header.byteOffset, 512));
  new DataView(header.buffer, header.byteOffset).setUint32(0, lvmCrc(header.subarray(4)), true);
  return bytes;
}

const read = (bytes: Uint8Array) => readMetadataArea(memorySource(bytes, ["xvda2"]), AREA);
const textOf = async (bytes: Uint8Array) => {
  const { text } = await read(bytes);
  return text && Buffer.from(text).toString();
};

describe("an LVM2 metadata area", () => {
  test("gives the text, without the NUL at its end", async () => {
    expect(await textOf(volume())).toBe(TEXT);
    expect(await textOf(volume({ textOffset: 3072 }))).toBe(TEXT);
  });

  test("the text goes on at the start of the ring", async () => {
    for (let left = 1; left <= TEXT.length + 1; left++) {
      expect(await textOf(volume({ textOffset: AREA.size - left }))).toBe(TEXT);
    }
  });

  test("a text that fills the ring, from any place", async () => {
    const text = "x".repeat(AREA.size - 512 - 1);
    for (const textOffset of [512, 4000, AREA.size - 1]) {
      expect(await textOf(volume({ text, textOffset }))).toBe(text);
    }
  });

  test("that is ignored, or of a volume without a group, has none", async () => {
    expect(await read(volume({ ignored: true }))).toMatchObject({ ignored: true });
    expect(await textOf(volume({ ignored: true }))).toBe(undefined);
    const free = new Uint8Array(16384);
    free.set(metadataArea(AREA), AREA.offset);
    expect(await read(free)).toEqual({
      ignored: false,
      where: ["xvda2", "LVM2", "metadata area at byte 4096"],
    });
  });

  test("that is damaged is a failure", async () => {
    const header = volume();
    header[AREA.offset + 300] = 1;
    await expect(read(header)).rejects.toThrow("expected 0x");
    const text = volume();
    text[AREA.offset + 515] = 1;
    await expect(read(text)).rejects.toThrow("a text with checksum");
    const elsewhere = new Uint8Array(16384);
    elsewhere.set(metadataArea({ ...AREA, offset: 8192, text: TEXT }), AREA.offset);
    await expect(read(elsewhere)).rejects.toThrow("an area that begins at byte 8192");
  });

  test.each([
    ["before the ring", 40, 511n],
    ["after it", 40, 8192n],
    ["larger than the ring", 48, 7681n],
    ["empty", 48, 0n],
    ["far too large", 48, 0xffff_ffffn],
  ])("with a text %s is a failure", async (_, field, value) => {
    const bytes = edited((fields) => fields.setBigUint64(field, value, true));
    await expect(read(bytes)).rejects.toThrow(/a text of \d+ bytes|inside the area/);
  });

  test("that claims to be larger than the disk allocates nothing for it", async () => {
    const huge = edited((fields) => {
      fields.setBigUint64(32, 1n << 50n, true);
      fields.setBigUint64(48, 1n << 40n, true);
    });
    await expect(read(huge)).rejects.toThrow("over the limit");
    const past = edited((fields) => {
      fields.setBigUint64(32, 1n << 50n, true);
      fields.setBigUint64(40, 1n << 49n, true);
    });
    await expect(read(past)).rejects.toThrow("a range inside");
  });

  test("damaged, with good checksums of the header", async () => {
    const start = AREA.offset;
    const run = await survivesMutation([volume({ textOffset: 8180 }).slice(start)], (bytes) => {
      const disk = new Uint8Array(16384);
      disk.set(bytes.subarray(0, AREA.size), start);
      const header = disk.subarray(start, start + 512);
      new DataView(disk.buffer, start).setUint32(0, lvmCrc(header.subarray(4)), true);
      return read(disk);
    });
    expect(run.failures).toBeGreaterThan(0);
  });
});

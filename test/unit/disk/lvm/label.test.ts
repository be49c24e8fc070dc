import { describe, expect, test } from "vitest";
import { lvm2Prober, parsePvLabel } from "../../../../src/disk/lvm/label.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { survivesMutation } from "../../../support/mutate.ts";

/** CRC-32 register update a bit at a time: start value of LVM2, no inversion. */
function lvmCrc(bytes: Uint8Array): number {
  let crc = 0xf597a6cf;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1) >>> 0;
  }
  return crc;
}

function labelSector(index: number, uuid = "abcdefGHIJKLmnopQRST0123456789uv"): Uint8Array {
  const sector = new Uint8Array(512);
  const view = new DataView(sector.buffer);
  sector.set(Buffer.from("LABELONE"));
  view.setBigUint64(8, BigInt(index), true);
  view.setUint32(20, 32, true);
  sector.set(Buffer.from("LVM2 001"), 24);
  sector.set(Buffer.from(uuid), 32);
  view.setUint32(16, lvmCrc(sector.subarray(20)), true);
  return sector;
}

function volume(sector: Uint8Array, index: number): Uint8Array {
  const bytes = new Uint8Array(8192);
  bytes.set(sector, index * 512);
  return bytes;
}

const probe = (bytes: Uint8Array) => lvm2Prober.probe(memorySource(bytes, ["xvda"]), {});

describe("an LVM2 label", () => {
  test.each([0, 1, 2, 3])("in sector %i", async (index) => {
    expect(await probe(volume(labelSector(index), index))).toEqual({
      kind: "member",
      member: { system: "lvm2", group: "", id: "abcdef-GHIJ-KLmn-opQR-ST01-2345-6789uv" },
    });
  });

  test("of another sector, damaged or with a strange uuid is a failure", async () => {
    await expect(probe(volume(labelSector(1), 2))).rejects.toThrow("belongs to sector 1");
    const damaged = labelSector(1);
    damaged[100] = 1;
    await expect(probe(volume(damaged, 1))).rejects.toThrow("label CRC");
    await expect(probe(volume(labelSector(1, "\x1b[2J".repeat(8)), 1))).rejects.toThrow("uuid");
  });

  test("of LVM1, or none", async () => {
    const other = labelSector(1);
    other[24] = 0x58;
    expect(await probe(volume(other, 1))).toBe(undefined);
    expect(await probe(new Uint8Array(700))).toBe(undefined);
  });

  test("damaged, with a good CRC", async () => {
    const run = await survivesMutation([labelSector(1)], (bytes) => {
      const sector = labelSector(1);
      sector.set(bytes.subarray(0, 512));
      new DataView(sector.buffer).setUint32(16, lvmCrc(sector.subarray(20)), true);
      return parsePvLabel(sector, 1, []);
    });
    expect(run.failures).toBeGreaterThan(0);
  });
});

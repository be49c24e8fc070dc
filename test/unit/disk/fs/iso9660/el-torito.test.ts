import { describe, expect, test } from "vitest";
import { parseElTorito, readElTorito } from "../../../../../src/disk/fs/iso9660/el-torito.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { plainImage, putText, SECTOR } from "./image.ts";

/** An entry of the catalog: [at, value, bytes] of its fields. */
function entry(...fields: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(32);
  for (const [at, value, size] of fields) bytes.writeUIntLE(value, at, size);
  return bytes;
}

const image = (indicator: number, media: number, rba: number, sectors = 4) =>
  entry([0, indicator, 1], [1, media, 1], [6, sectors, 2], [8, rba, 4]);
const section = (id: number, platform: number, count: number) =>
  entry([0, id, 1], [1, platform, 1], [2, count, 2]);
const EXTENSION = entry([0, 0x44, 1]);

function validation(platform = 0): Buffer {
  const bytes = entry([0, 1, 1], [1, platform, 1], [30, 0xaa55, 2]);
  bytes.write("DOMUS", 4, "latin1");
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += bytes.readUInt16LE(at);
  bytes.writeUInt16LE(-sum & 0xffff, 28);
  return bytes;
}

const catalog = (...entries: readonly Buffer[]) => {
  const bytes = Buffer.alloc(SECTOR);
  Buffer.concat(entries).copy(bytes);
  return bytes;
};

const parse = (...entries: readonly Buffer[]) =>
  parseElTorito(catalog(...entries), ["cd"]).images.map(
    ({ platform, bootable, emulation, offset }) =>
      `${platform} ${bootable} ${emulation} ${offset / SECTOR}`,
  );

describe("the boot catalog", () => {
  test("BIOS, then UEFI", () => {
    const found = parseElTorito(
      catalog(validation(), image(0x88, 0, 100), section(0x91, 0xef, 1), image(0x88, 0, 200, 1)),
      ["cd"],
    );
    expect(found.id).toBe("DOMUS");
    expect(found.images).toEqual([
      {
        platform: "bios",
        bootable: true,
        emulation: "none",
        loadSegment: 0,
        loadBytes: 2048,
        offset: 204_800,
      },
      {
        platform: "uefi",
        bootable: true,
        emulation: "none",
        loadSegment: 0,
        loadBytes: 512,
        offset: 409_600,
      },
    ]);
  });

  test("sections, extensions, entries that are not to be started", () => {
    expect(
      parse(
        validation(0xef),
        image(0x88, 0, 1),
        section(0x90, 0, 2),
        image(0x00, 2, 2),
        EXTENSION,
        EXTENSION,
        image(0x88, 4, 3),
        section(0x91, 9, 1),
        image(0x88, 0x0f, 4),
        section(0x91, 0, 1),
        image(0x88, 0, 5),
      ),
    ).toEqual([
      "uefi true none 1",
      "bios false floppy-1.44 2",
      "bios true hard-disk 3",
      "unknown true none 4",
    ]);
  });

  test("a section that claims more than there is room for", () => {
    const found = parse(
      validation(),
      image(0x88, 0, 1),
      section(0x91, 0, 0xffff),
      image(0x88, 0, 2),
    );
    expect(found).toHaveLength(63 - 1);
    const full = Array.from({ length: 61 }, () => EXTENSION);
    expect(
      parse(validation(), image(0x88, 0, 1), section(0x90, 0, 9), image(0x88, 0, 2), ...full),
    ).toHaveLength(2);
  });

  test.each([
    ["its signature", (bytes: Buffer) => bytes.writeUInt8(0, 30)],
    ["its checksum", (bytes: Buffer) => bytes.writeUInt8(9, 28)],
    ["its number", (bytes: Buffer) => bytes.writeUInt8(2, 0)],
  ])("a validation entry without %s", (_, spoil) => {
    const bytes = catalog(validation(), image(0x88, 0, 1));
    spoil(bytes);
    expect(() => parseElTorito(bytes, ["cd"])).toThrow(
      /cd > boot catalog: found no sound validation/,
    );
  });

  test("damaged", async () => {
    const bytes = catalog(
      validation(),
      image(0x88, 0, 1),
      section(0x91, 0xef, 2),
      image(0x88, 0, 2),
    );
    await survivesMutation([bytes.subarray(0, 160)], (damaged) => parseElTorito(damaged, []), {
      count: 2000,
    });
  });
});

describe("the boot record", () => {
  const volume = () => {
    const disc = plainImage();
    putText(disc, 17 * SECTOR, "\0CD001\x01EL TORITO SPECIFICATION");
    disc.both32(17 * SECTOR + 71, 40);
    disc.bytes.set(catalog(validation(), image(0x88, 0, 41)), 40 * SECTOR);
    return disc;
  };

  test("leads to the catalog", async () => {
    const found = await readElTorito(volume().source());
    expect(found?.images).toMatchObject([{ offset: 41 * SECTOR }]);
  });

  test("is missing, is another's, or leads outside", async () => {
    expect(await readElTorito(plainImage().source())).toBeUndefined();
    const other = volume();
    putText(other, 17 * SECTOR + 7, "SOMETHING ELSE");
    expect(await readElTorito(other.source())).toBeUndefined();
    const outside = volume();
    outside.both32(17 * SECTOR + 71, 64);
    await expect(readElTorito(outside.source())).rejects.toThrow(/at byte 131072/);
    const short = volume().source();
    expect(await readElTorito({ ...short, size: 17 * SECTOR })).toBeUndefined();
  });
});

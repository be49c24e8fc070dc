import { describe, expect, test } from "vitest";
import { parseElTorito, readElTorito } from "../../../../../src/disk/fs/iso9660/el-torito.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { addBootCatalog, catalog, EXTENSION, image, section, validation } from "./boot-catalog.ts";
import { plainImage, putText, SECTOR } from "./image.ts";

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
    addBootCatalog(disc, validation(), image(0x88, 0, 41));
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

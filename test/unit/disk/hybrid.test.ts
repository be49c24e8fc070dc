import { describe, expect, test } from "vitest";
import { tableOf } from "../../../src/disk/content.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { survivesMutation } from "../../support/mutate.ts";
import { gptDisk, mbrSector } from "../../support/tables.ts";
import type { MbrEntryBytes } from "../../support/tables.ts";
import { makeImage } from "./fs/fat/image.ts";
import { addBootCatalog, image, section, validation } from "./fs/iso9660/boot-catalog.ts";
import { plainImage, ROOT, SECTOR } from "./fs/iso9660/image.ts";

/** In sectors of the disc; the small volume has 64. */
const ESP = 45;
const END = 64;

/** A disc with a FAT volume on it, or behind it, that its boot catalog knows or not. */
function disc({ fatAt = ESP, bootImageAt = ESP, table = [] as readonly MbrEntryBytes[] } = {}) {
  const iso = plainImage();
  addBootCatalog(
    iso,
    validation(),
    image(0x88, 0, 30),
    section(0x91, 0xef, 1),
    image(0x88, 0, bootImageAt),
  );
  const bytes = new Uint8Array(200 * SECTOR);
  bytes.set(iso.bytes);
  bytes.set(makeImage(12).bytes, fatAt * SECTOR);
  bytes.set(mbrSector(table));
  return bytes;
}

const whole = { slot: 1, type: 0x00, start: 0, sectors: END * 4, status: 0x80 } as const;
const esp = (at: number) => ({ slot: 2, type: 0xef, start: at * 4, sectors: 120 }) as const;

async function look(bytes: Uint8Array) {
  const { content, tried, children } = await readVolumes(memorySource(bytes, ["xvdd"]));
  return {
    content: content.kind === "filesystem" ? content.fs.kind : content.kind,
    table: tableOf(content)?.type,
    tried: tried.map(({ name }) => name),
    children: children.map(({ name, content: inside }) =>
      [name, inside.kind === "filesystem" ? inside.fs.kind : inside.kind].join(": "),
    ),
  };
}

describe("a filesystem with a table in front", () => {
  test("isohybrid: both, and its EFI system partition", async () => {
    expect(await look(disc({ table: [whole, esp(ESP)] }))).toEqual({
      content: "iso9660",
      table: "mbr",
      tried: [],
      children: ["partition 1: iso9660", "partition 2: vfat"],
    });
  });

  test("what is usual for such tables is no finding", async () => {
    const table = [{ ...whole, sectors: 5000 }, esp(ESP)];
    const { content } = await readVolumes(memorySource(disc({ table })));
    expect(tableOf(content)?.findings).toEqual([]);
    const alone = await readVolumes(memorySource(disc({ bootImageAt: 46, table })));
    const codes = tableOf(alone.content)?.findings.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(["partition-overlap", "partition-past-end"]));
  });

  test("a partition that was put behind it", async () => {
    const bytes = disc({ fatAt: END, bootImageAt: 30, table: [whole, esp(END)] });
    expect(await look(bytes)).toMatchObject({ content: "iso9660", table: "mbr" });
  });

  test("a GPT", async () => {
    const parts = [{ first: ESP * 4, last: ESP * 4 + 119 }];
    const bytes = gptDisk({ diskSectors: 800, parts });
    const iso = disc();
    bytes.set(iso.subarray(16 * SECTOR, 100 * SECTOR), 16 * SECTOR);
    expect(await look(bytes)).toEqual({
      content: "iso9660",
      table: "gpt",
      tried: [],
      children: ["partition 1: vfat"],
    });
  });

  test("an MBR without partitions, or none at all, is no table", async () => {
    for (const table of [[], undefined]) {
      const bytes = disc(table ? { table } : {});
      if (!table) bytes.fill(0, 0, 512);
      expect(await look(bytes)).toEqual({
        content: "iso9660",
        table: undefined,
        tried: [],
        children: [],
      });
    }
  });
});

describe("a disk that was partitioned over an old image", () => {
  test("with a filesystem where the image had its files", async () => {
    expect(await look(disc({ bootImageAt: 46, table: [esp(ESP)] }))).toEqual({
      content: "table",
      table: "mbr",
      tried: [],
      children: ["partition 2: vfat"],
    });
  });

  test("with swap there", async () => {
    const bytes = disc({ table: [{ slot: 1, type: 0x82, start: 200, sectors: 300 }] });
    bytes.fill(0, 200 * 512, 500 * 512);
    const view = new DataView(bytes.buffer, 200 * 512);
    view.setUint32(1024, 1, true);
    view.setUint32(1028, 36, true);
    bytes.set(Buffer.from("SWAPSPACE2"), 200 * 512 + 4086);
    expect(await look(bytes)).toMatchObject({ content: "table", children: ["partition 1: swap"] });
  });

  test("when nothing of it can be read", async () => {
    const bytes = disc({ table: [esp(ESP)] });
    bytes.fill(0, ROOT * SECTOR, (ROOT + 1) * SECTOR);
    expect(await look(bytes)).toMatchObject({ content: "table", tried: [] });
    bytes.fill(0, 0, 512);
    expect(await look(bytes)).toMatchObject({ content: "unknown", tried: ["ISO 9660"] });
  });
});

test("damage", async () => {
  const bytes = disc({ table: [whole, esp(ESP)] });
  const head = bytes.slice(0, 512);
  const run = await survivesMutation(
    [head, bytes.slice(40 * SECTOR, 40 * SECTOR + 160)],
    (damaged) => {
      const copy = Uint8Array.from(bytes);
      copy.set(damaged.subarray(0, 512), damaged.length > 300 ? 0 : 40 * SECTOR);
      return readVolumes(memorySource(copy));
    },
    { count: 150 },
  );
  expect(run.failures).toBe(0);
});

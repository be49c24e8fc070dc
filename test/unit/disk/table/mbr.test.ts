import { describe, expect, test } from "vitest";
import type { Content, PartitionTable } from "../../../../src/disk/content.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { isSaneLayout, parseMbr } from "../../../../src/disk/table/mbr.ts";
import { emptyMbrProber, mbrProber } from "../../../../src/disk/table/prober.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { mbrSector } from "../../../support/tables.ts";
import type { MbrEntryBytes } from "../../../support/tables.ts";

const SECTORS = 4096;

/** A disk with the MBR and, by sector number, extended boot records. */
function diskWith(
  entries: readonly MbrEntryBytes[],
  records: Record<number, readonly MbrEntryBytes[]> = {},
): Uint8Array {
  const disk = new Uint8Array(SECTORS * 512);
  disk.set(mbrSector(entries, 0xdeadbeef));
  for (const [sector, list] of Object.entries(records))
    disk.set(mbrSector(list, 0), Number(sector) * 512);
  return disk;
}

async function tableOf(disk: Uint8Array, sectorSizeBytes?: number): Promise<PartitionTable> {
  const content = await probe(disk, sectorSizeBytes);
  if (content?.kind !== "table") throw new Error(`no table: ${content?.kind}`);
  return content.table;
}

async function probe(disk: Uint8Array, sectorSizeBytes?: number): Promise<Content | undefined> {
  const source = memorySource(disk, ["xvda"]);
  const context = sectorSizeBytes === undefined ? {} : { sectorSizeBytes };
  return (await mbrProber.probe(source, context)) ?? emptyMbrProber.probe(source, context);
}

const codes = (table: PartitionTable) => table.findings.map(({ code }) => code);
const starts = (table: PartitionTable) =>
  table.partitions.map(({ number, offset }) => [number, offset / 512]);

const linux = { type: 0x83 } as const;

describe("primary partitions", () => {
  test("are listed with everything that is known of them", async () => {
    const table = await tableOf(
      diskWith([
        { slot: 1, ...linux, start: 63, sectors: 100, status: 0x80 },
        { slot: 4, type: 0x99, start: 200, sectors: 50 },
      ]),
    );
    expect(table).toMatchObject({
      type: "mbr",
      id: "deadbeef",
      sectorSizeBytes: 512,
      findings: [],
    });
    expect(table.partitions).toEqual([
      {
        number: 1,
        offset: 63 * 512,
        size: 100 * 512,
        type: "0x83",
        typeName: "Linux",
        bootable: true,
        partuuid: "deadbeef-01",
        label: "",
        logical: false,
      },
      expect.objectContaining({ number: 4, typeName: "0x99", bootable: false }),
    ]);
  });

  test("count in the device's sectors", async () => {
    const disk = diskWith([{ slot: 1, ...linux, start: 10, sectors: 20 }]);
    const [partition] = (await tableOf(disk, 4096)).partitions;
    expect(partition).toMatchObject({ offset: 10 * 4096, size: 20 * 4096 });
  });

  test("that overlap or reach past the end are kept, with a finding", async () => {
    const table = await tableOf(
      diskWith([
        { slot: 1, ...linux, start: 1, sectors: 100 },
        { slot: 2, ...linux, start: 100, sectors: SECTORS },
        { slot: 3, ...linux, start: 4_000_000_000, sectors: 4_000_000_000 },
      ]),
    );
    expect(table.partitions).toHaveLength(3);
    expect(codes(table)).toEqual(["partition-past-end", "partition-past-end", "partition-overlap"]);
    expect(table.findings[2]!.where).toEqual(["xvda", "MBR", "partition 2"]);
    expect(table.findings[2]!.what).toContain("Partitions 1 and 2");
  });

  test("an overlap is seen across a partition in between", async () => {
    const table = await tableOf(
      diskWith([
        { slot: 1, ...linux, start: 1, sectors: 1000 },
        { slot: 2, ...linux, start: 10, sectors: 10 },
        { slot: 3, ...linux, start: 900, sectors: 10 },
      ]),
    );
    expect(codes(table)).toEqual(["partition-overlap", "partition-overlap"]);
  });
});

describe("logical partitions", () => {
  const extended = { slot: 2, type: 0x05, start: 1000, sectors: 3000 } as const;

  test("start relative to their record, links relative to the extended partition", async () => {
    const table = await tableOf(
      diskWith([{ slot: 1, ...linux, start: 1, sectors: 10 }, extended], {
        1000: [
          { slot: 1, ...linux, start: 8, sectors: 100 },
          { slot: 2, type: 0x05, start: 500, sectors: 200 },
        ],
        1500: [
          { slot: 1, type: 0x82, start: 8, sectors: 100 },
          { slot: 2, type: 0x05, start: 900, sectors: 200 },
        ],
        1900: [{ slot: 1, ...linux, start: 8, sectors: 100 }],
      }),
    );
    expect(starts(table)).toEqual([
      [1, 1],
      [2, 1000],
      [5, 1008],
      [6, 1508],
      [7, 1908],
    ]);
    expect(table.partitions.map((partition) => partition.logical)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(table.partitions[4]!.partuuid).toBe("deadbeef-07");
    expect(table.findings).toEqual([]);
  });

  test.each([0x05, 0x0f, 0x85])(
    "are found behind type %i, in the third entry, too",
    async (type) => {
      const table = await tableOf(
        diskWith([{ ...extended, type }], {
          1000: [
            { slot: 1, type, start: 500, sectors: 200 },
            { slot: 3, ...linux, start: 8, sectors: 100 },
            { slot: 4, ...linux, start: 8, sectors: 9999 },
          ],
          1500: [{ slot: 1, ...linux, start: 1, sectors: 2, status: 0x13 }],
        }),
      );
      expect(starts(table)).toEqual([
        [2, 1000],
        [5, 1008],
        [6, 1501],
      ]);
    },
  );

  test("of two extended partitions are numbered on", async () => {
    const table = await tableOf(
      diskWith([extended, { slot: 3, type: 0x0f, start: 100, sectors: 500 }], {
        1000: [{ slot: 1, ...linux, start: 8, sectors: 1 }],
        100: [{ slot: 1, ...linux, start: 8, sectors: 1 }],
      }),
    );
    expect(starts(table)).toEqual([
      [2, 1000],
      [3, 100],
      [5, 1008],
      [6, 108],
    ]);
  });

  test("a record that links to itself ends the chain, with a finding", async () => {
    const table = await tableOf(
      diskWith([extended], {
        1000: [
          { slot: 1, ...linux, start: 8, sectors: 100 },
          { slot: 2, type: 0x05, start: 0, sectors: 3000 },
        ],
      }),
    );
    expect(starts(table)).toEqual([
      [2, 1000],
      [5, 1008],
    ]);
    expect(codes(table)).toEqual(["mbr-chain-loop"]);
  });

  test("a longer loop ends, too", async () => {
    const table = await tableOf(
      diskWith([extended], {
        1000: [
          { slot: 1, ...linux, start: 8, sectors: 1 },
          { slot: 2, type: 0x05, start: 500, sectors: 1 },
        ],
        1500: [
          { slot: 1, ...linux, start: 8, sectors: 1 },
          { slot: 2, type: 0x05, start: 0, sectors: 1 },
        ],
      }),
    );
    expect(starts(table).slice(1)).toEqual([
      [5, 1008],
      [6, 1508],
    ]);
    expect(codes(table)).toEqual(["mbr-chain-loop"]);
  });

  test.each([
    ["nothing at the link", 500, "error"],
    ["a link past the end", 900_000, "error"],
  ] as const)("%s is a finding", async (_name, start, severity) => {
    const table = await tableOf(
      diskWith([extended], {
        1000: [
          { slot: 1, ...linux, start: 8, sectors: 1 },
          { slot: 2, type: 0x05, start, sectors: 1 },
        ],
      }),
    );
    expect(starts(table)).toHaveLength(2);
    expect(table.findings).toMatchObject([{ code: "mbr-chain-damaged", severity }]);
  });

  test("an extended partition without a record is a warning: it may be empty", async () => {
    const table = await tableOf(diskWith([extended]));
    expect(table.findings).toMatchObject([{ code: "mbr-chain-damaged", severity: "warning" }]);
  });

  function chainOf(count: number, entries: readonly MbrEntryBytes[]): Uint8Array {
    const records: Record<number, MbrEntryBytes[]> = {};
    for (let i = 0; i < count; i++) {
      const link = { slot: 4, type: 0x05, start: (i + 1) * 4, sectors: 4 };
      records[1000 + i * 4] = i < count - 1 ? [...entries, link] : [...entries];
    }
    return diskWith([extended], records);
  }

  test("numbers end at 255, as in Linux", async () => {
    const one = [{ slot: 1, ...linux, start: 1, sectors: 1 }];
    const fits = await tableOf(chainOf(251, one));
    expect([fits.partitions.at(-1)!.number, codes(fits)]).toEqual([255, []]);
    const over = await tableOf(chainOf(252, one));
    expect([over.partitions.at(-1)!.number, codes(over)]).toEqual([255, ["mbr-chain-damaged"]]);
  });

  test("a long chain without partitions is given up", async () => {
    expect(codes(await tableOf(chainOf(100, [])))).toEqual([]);
    expect(codes(await tableOf(chainOf(700, [])))).toEqual(["mbr-chain-damaged"]);
  });
});

/** Jump, 512-byte sectors, 8 a cluster, one reserved, two tables, media 0xf8. */
function withBootSector(disk: Uint8Array): Uint8Array {
  disk.set([0xeb, 0x3c, 0x90], 0);
  disk.set([0, 2, 8, 1, 0, 2, 0, 2, 0, 0, 0xf8], 11);
  return disk;
}

describe("what is no table", () => {
  test("a status that is neither 0 nor 0x80", async () => {
    expect(await probe(diskWith([{ slot: 3, ...linux, start: 1, sectors: 1, status: 1 }]))).toBe(
      undefined,
    );
  });

  test("but no entries at all are a table without partitions", async () => {
    expect(await tableOf(diskWith([]))).toMatchObject({ partitions: [], findings: [] });
  });

  test("no signature", () => {
    const sector = mbrSector([{ slot: 1, ...linux, start: 1, sectors: 1 }]);
    sector[511] = 0;
    expect(parseMbr(sector, [])).toBe(undefined);
  });

  test("a FAT boot sector whose program looks like entries", async () => {
    const program = { slot: 1, type: 0x6c, start: 0x20736b73, sectors: 0x6f207265 };
    expect(await probe(withBootSector(diskWith([program])))).toBe(undefined);
    expect(await probe(withBootSector(diskWith([])))).toBe(undefined);
  });

  test("but a good table behind what was a FAT boot sector is one", async () => {
    const disk = withBootSector(diskWith([{ slot: 1, ...linux, start: 63, sectors: 100 }]));
    expect(starts(await tableOf(disk))).toEqual([[1, 63]]);
  });

  test.each([
    ["one partition", [[1, 4095]], true],
    [
      "two in any order",
      [
        [100, 10],
        [50, 50],
      ],
      true,
    ],
    ["no partition", [], false],
    ["one that begins at sector 0", [[0, 10]], false],
    [
      "an overlap",
      [
        [1, 10],
        [10, 1],
      ],
      false,
    ],
    ["one past the end", [[1, 4096]], false],
  ] as const)("isSaneLayout: %s", (_name, list, expected) => {
    const entries = list.map(([start, sectors], i) => ({ slot: i + 1, ...linux, start, sectors }));
    expect(isSaneLayout(parseMbr(mbrSector(entries), [])!, SECTORS)).toBe(expected);
  });
});

test("damaged tables give a table, or none", async () => {
  const disk = diskWith(
    [
      { slot: 1, ...linux, start: 1, sectors: 10 },
      { slot: 2, type: 5, start: 20, sectors: 60 },
    ],
    {
      20: [
        { slot: 1, ...linux, start: 1, sectors: 2 },
        { slot: 2, type: 5, start: 2, sectors: 20 },
      ],
      22: [{ slot: 1, ...linux, start: 1, sectors: 2 }],
    },
  ).slice(0, 30 * 512);
  // The program part is all zero; cutting it away puts the mutations where they matter.
  const tables = Buffer.concat([disk.subarray(440, 512), disk.subarray(20 * 512 + 446, 21 * 512)]);
  const whole = (bytes: Uint8Array) => {
    const damaged = Uint8Array.from(disk);
    damaged.set(bytes.subarray(0, 72), 440);
    damaged.set(bytes.subarray(72, 138), 20 * 512 + 446);
    return probe(damaged);
  };
  const run = await survivesMutation([new Uint8Array(tables)], whole, { count: 2000 });
  expect(run.values).toBeGreaterThan(0);
});

import { describe, expect, test } from "vitest";
import type { PartitionTable } from "../../../../src/disk/content.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { gptProber, mbrProber } from "../../../../src/disk/table/prober.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { editGptHeader, gptDisk, mbrSector } from "../../../support/tables.ts";
import type { GptOptions } from "../../../support/tables.ts";
import { cpuTime } from "../../../support/cpu-time.ts";

const SECTORS = 2048;
const PARTS = [
  { first: 100, last: 199, name: "boot", attributes: 4n },
  { first: 200, last: 999, name: "wurzel 🐧" },
] as const;
const LAST = (SECTORS - 1) * 512;

function disk(options: Partial<GptOptions> = {}): Uint8Array {
  return gptDisk({ diskSectors: SECTORS, parts: PARTS, ...options });
}

async function tableOf(bytes: Uint8Array, sectorSizeBytes?: number): Promise<PartitionTable> {
  const source = memorySource(bytes, ["xvda"]);
  const content = await gptProber.probe(source, sectorSizeBytes ? { sectorSizeBytes } : {});
  if (content?.kind !== "table") throw new Error("no table");
  return content.table;
}

const codes = (table: PartitionTable) => table.findings.map(({ code }) => code);

describe("an intact table", () => {
  test("is read with everything that is known of it", async () => {
    const table = await tableOf(disk());
    expect(table).toMatchObject({
      type: "gpt",
      sectorSizeBytes: 512,
      id: "d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1",
      findings: [],
    });
    expect(table.partitions).toEqual([
      {
        number: 1,
        offset: 100 * 512,
        size: 100 * 512,
        type: "0fc63daf-8483-4772-8e79-3d69d8477de4",
        typeName: "Linux filesystem",
        bootable: true,
        partuuid: "01010101-0101-0101-0101-010101010101",
        label: "boot",
        logical: false,
      },
      expect.objectContaining({ number: 2, label: "wurzel 🐧", bootable: false }),
    ]);
  });

  test.each([
    [
      "200 entries, the last in use",
      { entryCount: 200, parts: [{ ...PARTS[0], index: 199 }] },
      200,
    ],
    ["entries elsewhere", { entriesLba: 64 }, 1],
    ["sectors of 4096 bytes", { sectorSize: 4096 }, 1],
  ])("%s", async (_name, options: Partial<GptOptions>, number) => {
    const { sectorSize = 512 } = options;
    const table = await tableOf(disk(options));
    expect(table.partitions[0]).toMatchObject({
      number,
      offset: 100 * sectorSize,
      label: "boot",
    });
    expect(table.findings).toEqual([]);
  });

  test("larger entries are read; Linux would not", async () => {
    const table = await tableOf(disk({ entrySize: 256, entryCount: 64 }));
    expect(table.partitions.map(({ label }) => label)).toEqual(["boot", "wurzel 🐧"]);
    expect(codes(table)).toEqual(["gpt-ignored-by-linux"]);
  });

  test("a name may fill its field", async () => {
    const name = "123456789012345678901234567890123456";
    const table = await tableOf(disk({ parts: [{ first: 100, last: 101, name }] }));
    expect(table.partitions[0]!.label).toBe(name);
  });

  test("half a surrogate pair in a name becomes U+FFFD", async () => {
    const table = await tableOf(disk({ parts: [{ first: 100, last: 101, name: "a\udc80" }] }));
    expect(table.partitions[0]!.label).toBe("a\ufffd");
  });
});

describe("the sector size", () => {
  test("of the device comes first", async () => {
    expect((await tableOf(disk({ sectorSize: 4096 }), 4096)).findings).toEqual([]);
  });

  test("of the table, when it is another than the device's, is a finding", async () => {
    const table = await tableOf(disk({ sectorSize: 4096 }), 512);
    expect(table.partitions).toHaveLength(2);
    expect(table.findings).toMatchObject([
      { code: "gpt-ignored-by-linux", why: expect.stringContaining("4096") },
    ]);
  });
});

function damaged(...at: number[]): Uint8Array {
  const bytes = disk();
  for (const offset of at) bytes[offset]! ^= 1;
  return bytes;
}

describe("damage", () => {
  test.each([
    ["zeroed", () => disk().fill(0, 512, 1024), "header at sector 1: found 0x0"],
    ["with a wrong header CRC", () => damaged(512 + 60), "header CRC"],
    ["with a wrong entry", () => damaged(1024 + 40), "entry array CRC"],
    ["with its array zeroed", () => disk().fill(0, 1024, 1024 + 128 * 128), "entry array CRC"],
  ])("a first copy %s: the second is used", async (_name, make, why) => {
    const table = await tableOf(make());
    expect(table.partitions.map(({ label }) => label)).toEqual(["boot", "wurzel 🐧"]);
    expect(table.findings).toMatchObject([
      { code: "gpt-primary-damaged", severity: "error", where: ["xvda", "GPT"] },
    ]);
    expect(table.findings[0]!.why).toContain(why);
  });

  test("the second copy is found where the disk ended before it grew", async () => {
    const bytes = disk({ tableSectors: 1500 }).fill(0, 512, 1024);
    expect(codes(await tableOf(bytes))).toEqual(["gpt-primary-damaged"]);
  });

  test.each([
    ["zeroed", () => disk().fill(0, LAST)],
    ["with a wrong CRC", () => damaged(LAST + 60)],
    ["cut off with the end of the disk", () => disk().slice(0, LAST)],
  ])("a second copy %s is a finding", async (_name, make) => {
    const table = await tableOf(make());
    expect(table.partitions).toHaveLength(2);
    expect(codes(table)).toContain("gpt-backup-damaged");
  });

  test("copies that disagree are a finding, and the first counts", async () => {
    const bytes = disk();
    const other = disk({ parts: [{ first: 300, last: 400, name: "other" }] });
    bytes.set(other.subarray(1000 * 512), 1000 * 512);
    const table = await tableOf(bytes);
    expect(table.partitions[0]!.label).toBe("boot");
    expect(codes(table)).toEqual(["gpt-copies-differ"]);
  });

  test("both copies broken is a failure that has both reasons", async () => {
    const probe = tableOf(damaged(512 + 60, LAST + 80));
    await expect(probe).rejects.toThrow(/header at sector 1: .*; header at sector 2047: /);
  });

  test("a table for a larger disk: Linux takes nothing of it", async () => {
    const table = await tableOf(disk().slice(0, 800 * 512));
    expect(table.partitions).toHaveLength(2);
    expect(codes(table)).toEqual([
      "gpt-backup-damaged",
      "gpt-ignored-by-linux",
      "partition-past-end",
    ]);
  });

  test("entries that make no sense are left out one by one", async () => {
    const table = await tableOf(
      disk({ parts: [{ first: 200, last: 100 }, PARTS[0], { first: 5, last: 2 ** 53 }] }),
    );
    expect(table.partitions.map(({ number }) => number)).toEqual([2]);
    expect(codes(table)).toEqual(["partition-bad-range", "partition-bad-range"]);
    expect(table.findings[0]!.why).toContain("sectors 200 to 100");
  });

  test("numbers above 255 are left out, as in Linux", async () => {
    const parts = [254, 255, 299].map((index) => ({
      first: 100 + index,
      last: 100 + index,
      index,
    }));
    const table = await tableOf(disk({ entryCount: 300, parts }));
    expect(table.partitions.map(({ number }) => number)).toEqual([255]);
    expect(table.findings).toMatchObject([{ code: "partition-number-limit", what: /^2 / }]);
  });
});

describe("the MBR beside it", () => {
  test("hybrid: the GPT is used, with a note", async () => {
    const mbr = mbrSector([
      { slot: 1, type: 0xee, start: 1, sectors: 99 },
      { slot: 2, type: 0x83, start: 100, sectors: 100 },
    ]);
    const bytes = disk({ mbr });
    expect(codes(await tableOf(bytes))).toEqual(["gpt-hybrid-mbr"]);
    expect(await mbrProber.probe(memorySource(bytes), {})).toBe(undefined);
  });

  test("with partitions and no protective entry: the MBR is used, as in Linux", async () => {
    const bytes = disk({ mbr: mbrSector([{ slot: 1, type: 0x83, start: 100, sectors: 100 }]) });
    expect(await gptProber.probe(memorySource(bytes), {})).toBe(undefined);
    expect(await mbrProber.probe(memorySource(bytes), {})).toMatchObject({
      table: { type: "mbr" },
    });
  });

  test.each([
    ["without a protective entry", mbrSector([])],
    ["wiped", new Uint8Array(512)],
    [
      "with a protective entry in the wrong place",
      mbrSector([{ slot: 1, type: 0xee, start: 2, sectors: 9 }]),
    ],
  ])("%s: Linux would not look for the GPT", async (_name, mbr) => {
    expect(codes(await tableOf(disk({ mbr })))).toEqual(["gpt-ignored-by-linux"]);
  });

  test("protective without a GPT is said", async () => {
    const bytes = new Uint8Array(SECTORS * 512);
    bytes.set(mbrSector([{ slot: 1, type: 0xee, start: 1, sectors: SECTORS - 1 }]));
    await expect(tableOf(bytes)).rejects.toThrow("announces a GPT, and no GPT");
    expect(await mbrProber.probe(memorySource(bytes), {})).toBe(undefined);
  });

  test("a second copy that nothing announces is a leftover", async () => {
    const bytes = disk({ mbr: mbrSector([]) }).fill(0, 512, 1024);
    expect(await gptProber.probe(memorySource(bytes), {})).toBe(undefined);
  });
});

/** Both headers changed, and their CRCs made right again. */
function hostile(edit: (fields: DataView) => void): Uint8Array {
  const bytes = disk();
  for (const offset of [512, LAST]) editGptHeader(bytes, offset, edit);
  return bytes;
}

describe("hostile headers, with good CRCs", () => {
  test.each([
    ["4 billion entries", (f: DataView) => f.setUint32(80, 0xffffffff, true), /limit/],
    [
      "4 billion large entries",
      (f: DataView) => {
        f.setUint32(80, 0xffffffff, true);
        f.setUint32(84, 4096, true);
      },
      /limit/,
    ],
    ["entries of 0 bytes", (f: DataView) => f.setUint32(84, 0, true), /entries of 0 bytes/],
    ["entries of 40 bytes", (f: DataView) => f.setUint32(84, 40, true), /entries of 40 bytes/],
    ["entries of 384 bytes", (f: DataView) => f.setUint32(84, 384, true), /entries of 384 bytes/],
    [
      "entries of 2^31 bytes",
      (f: DataView) => f.setUint32(84, 0x80000000, true),
      /entries of 2147483648/,
    ],
    [
      "an array past the end",
      (f: DataView) => f.setBigUint64(72, 2020n, true),
      /inside the 2048 sectors/,
    ],
    [
      "an array at 2^64 - 1",
      (f: DataView) => f.setBigUint64(72, 2n ** 64n - 1n, true),
      /inside the 2048/,
    ],
    [
      "a header of another sector",
      (f: DataView) => f.setBigUint64(24, 7n, true),
      /belongs to sector 7/,
    ],
  ])("%s", async (_name, edit, message) => {
    const took = cpuTime();
    await expect(tableOf(hostile(edit))).rejects.toThrow(message);
    expect(took()).toBeLessThan(1000);
  });

  test.each([0, 91, 513, 0xffffffff])("a header of %i bytes", async (size) => {
    const bytes = disk();
    for (const at of [512, LAST]) new DataView(bytes.buffer).setUint32(at + 12, size, true);
    await expect(tableOf(bytes)).rejects.toThrow(`a header of ${size} bytes`);
  });

  test("a second copy at 2^64 - 1", async () => {
    const bytes = disk();
    editGptHeader(bytes, 512, (f) => f.setBigUint64(32, 2n ** 64n - 1n, true));
    expect(codes(await tableOf(bytes))).toEqual(["gpt-backup-damaged"]);
  });

  test("no entries at all", async () => {
    const table = await tableOf(disk({ entryCount: 0, parts: [] }));
    expect(table.partitions).toEqual([]);
  });
});

describe("damaged tables give a table, none, or a failure", () => {
  const parts = [
    { first: 4, last: 9 },
    { first: 10, last: 12 },
  ];
  const small = gptDisk({ diskSectors: 64, parts, entryCount: 4 });

  test("as they are", async () => {
    const run = await survivesMutation(
      [small.slice(0, 3 * 512)],
      (bytes) => gptProber.probe(memorySource(bytes), {}),
      { count: 1500 },
    );
    expect(run.values).toBeGreaterThan(0);
  });

  test("with a header whose CRC is good", async () => {
    const probe = (bytes: Uint8Array) => {
      const whole = Uint8Array.from(small).fill(0, 63 * 512);
      whole.set(bytes.subarray(0, 92), 512);
      editGptHeader(whole, 512, () => {});
      return gptProber.probe(memorySource(whole), {});
    };
    const run = await survivesMutation([small.slice(512, 512 + 92)], probe, { count: 2000 });
    expect(run.failures).toBeGreaterThan(100);
    expect(run.values).toBeGreaterThan(100);
  });
});

/** Partition tables made by sfdisk and sgdisk, and what these say about them, against ours. */
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PartitionTable } from "../../../src/disk/content.ts";
import { detectContent } from "../../../src/disk/detect.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { need, scratch, sh } from "../../support/need.ts";

const SECTORS = 131_072;

/** An empty image, on which `script` was run by sfdisk. */
function image(script: string): string {
  need("sfdisk");
  const path = join(scratch(), "disk.img");
  writeFileSync(path, "");
  truncateSync(path, SECTORS * 512);
  sh(`sfdisk -q ${path}`, { input: script });
  return path;
}

async function tableOf(path: string): Promise<PartitionTable> {
  const { content, tried } = await detectContent(memorySource(readFileSync(path), ["xvda"]));
  if (content.kind !== "table") throw new Error(`no table: ${JSON.stringify(tried)}`);
  return content.table;
}

const codes = (table: PartitionTable) => table.findings.map(({ code }) => code);

type Row = {
  number: number;
  start: number;
  size: number;
  type: string;
  bootable: boolean;
  uuid?: string;
  name?: string;
};

type SfdiskPartition = {
  readonly node: string;
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly bootable?: boolean;
  readonly attrs?: string;
  readonly uuid?: string;
  readonly name?: string;
};

/** What sfdisk says, in the shape of `ours`. */
function sfdisk(path: string): { id: string; label: string; rows: Row[] } {
  const { partitiontable: table } = JSON.parse(sh(`sfdisk -J ${path}`).toString());
  const parts: readonly SfdiskPartition[] = table.partitions ?? [];
  const rows = parts.map(({ node, start, size, type, bootable, attrs, uuid, name }): Row => ({
    number: Number(/(\d+)$/.exec(node)![1]),
    start,
    size,
    type: type.toLowerCase(),
    bootable: bootable ?? attrs?.includes("LegacyBIOSBootable") ?? false,
    ...(uuid && { uuid: uuid.toLowerCase() }),
    ...(name && { name }),
  }));
  return { id: table.id.toLowerCase().replace("0x", ""), label: table.label, rows };
}

function ours(table: PartitionTable): ReturnType<typeof sfdisk> {
  const rows = table.partitions.map((part): Row => ({
    number: part.number,
    start: part.offset / 512,
    size: part.size / 512,
    // sfdisk writes MBR types without zeroes in front
    type: part.type.replace(/^0x0?/, ""),
    bootable: part.bootable,
    ...(table.type === "gpt" && { uuid: part.partuuid }),
    ...(part.label && { name: part.label }),
  }));
  return { id: table.id, label: table.type === "mbr" ? "dos" : "gpt", rows };
}

const SIX_LOGICALS = `label: dos
label-id: 0x0badcafe
start=2048, size=8192, type=83, bootable
start=10240, size=4096, type=82
start=14336, size=100000, type=5
${[5, 6, 7, 8, 9, 10].map((number) => `${number}: size=4096, type=83\n`).join("")}`;

describe("MBR", () => {
  test.each([
    ["one partition", "label: dos\n,,83\n"],
    [
      "four primaries out of order",
      "label: dos\n4: 2048,1024,83,*\n2: 8192,1024,8e\n1: 40960,,7\n",
    ],
    ["none", "label: dos\n"],
    ["six logical partitions", SIX_LOGICALS],
    [
      "extended type f, in the first slot",
      "label: dos\n1: 2048,60000,f\n5: ,2048,83\n6: ,4096,c\n4: 90000,,83\n",
    ],
    ["an extended partition without logical ones", "label: dos\n,2048,83\n,,85\n"],
  ])("%s", async (_name, script) => {
    const path = image(script);
    const table = await tableOf(path);
    expect(ours(table)).toEqual(sfdisk(path));
    expect(codes(table)).toEqual([]);
  });

  test("the PARTUUIDs are those that Linux makes", async () => {
    const { partitions } = await tableOf(image(SIX_LOGICALS));
    expect(partitions.map(({ partuuid }) => partuuid)).toEqual(
      [1, 2, 3, 5, 6, 7, 8, 9, 10].map((number) => `0badcafe-0${number.toString(16)}`),
    );
  });

  test("a deleted logical partition in the middle", async () => {
    const path = image(SIX_LOGICALS);
    sh(`sfdisk -q --delete ${path} 7`);
    expect(ours(await tableOf(path))).toEqual(sfdisk(path));
  });

  test("a chain that is bent back to its start", async () => {
    const path = image(SIX_LOGICALS);
    // The second entry of the third record: the link, relative to the extended partition.
    const third = (await tableOf(path)).partitions.find(({ number }) => number === 7)!;
    const record = third.offset - 2048 * 512;
    const disk = openSync(path, "r+");
    writeSync(disk, new Uint8Array(4), 0, 4, record + 446 + 16 + 8);
    closeSync(disk);
    const table = await tableOf(path);
    expect(table.partitions.map(({ number }) => number)).toEqual([1, 2, 3, 5, 6, 7]);
    expect(codes(table)).toEqual(["mbr-chain-loop"]);
  });

  test("a disk that was cut off", async () => {
    const path = image(SIX_LOGICALS);
    truncateSync(path, 30_000 * 512);
    const table = await tableOf(path);
    expect(new Set(codes(table))).toEqual(new Set(["partition-past-end", "mbr-chain-damaged"]));
    expect(table.partitions[0]!.size).toBe(8192 * 512);
  });
});

const THREE = `label: gpt
label-id: 01234567-89AB-CDEF-0123-456789ABCDEF
size=2048, type=21686148-6449-6E6F-744E-656564454649, name="bios"
size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="EFI système", attrs="LegacyBIOSBootable"
`;

const TWO_HUNDRED = Array.from({ length: 200 }, (_, i) => `start=${4096 + i * 200}, size=100\n`);

describe("GPT", () => {
  test.each([
    ["three partitions", `${THREE}type=linux\n`],
    ["none", "label: gpt\n"],
    ["gaps in the numbers", "label: gpt\n7: 4096,4096\n100: 40960,100\n"],
    ["200 entries, all in use", `label: gpt\ntable-length: 200\n${TWO_HUNDRED.join("")}`],
  ])("%s", async (_name, script) => {
    const path = image(script);
    const table = await tableOf(path);
    expect(ours(table)).toEqual(sfdisk(path));
    expect(codes(table)).toEqual([]);
  });

  test("what sgdisk -i says of each partition", async () => {
    need("sgdisk");
    const path = image(`${THREE}type=linux\n`);
    for (const part of (await tableOf(path)).partitions) {
      const said = sh(`sgdisk -i ${part.number} ${path}`).toString();
      const field = (name: string) => new RegExp(`${name}: '?([^ '\\n]*)`).exec(said)![1]!;
      expect(field("Partition GUID code").toLowerCase()).toBe(part.type);
      expect(field("Partition unique GUID").toLowerCase()).toBe(part.partuuid);
      expect(Number(field("First sector"))).toBe(part.offset / 512);
      expect(Number(field("Last sector"))).toBe((part.offset + part.size) / 512 - 1);
    }
  });

  test("entries moved to sector 64 by sgdisk -j", async () => {
    need("sgdisk");
    const path = image(`${THREE}type=linux\n`);
    const before = ours(await tableOf(path));
    sh(`sgdisk -j 64 ${path}`);
    expect(readFileSync(path).readBigUInt64LE(512 + 72)).toBe(64n);
    const table = await tableOf(path);
    expect(ours(table)).toEqual(before);
    expect(codes(table)).toEqual([]);
  });

  test.each([
    ["the first header zeroed", 512, 512],
    ["the first entries zeroed", 1024, 128],
  ])("%s: the second copy has it all", async (_name, offset, length) => {
    const path = image(`${THREE}type=linux\n`);
    const before = ours(await tableOf(path));
    const disk = openSync(path, "r+");
    writeSync(disk, new Uint8Array(length), 0, length, offset);
    closeSync(disk);
    const table = await tableOf(path);
    expect(ours(table)).toEqual(before);
    expect(codes(table)).toEqual(["gpt-primary-damaged"]);
    // As our text promises: sgdisk repairs it from there.
    sh(`printf 'r\\nb\\nc\\ny\\nw\\ny\\n' | gdisk ${path}`);
    expect(codes(await tableOf(path))).toEqual([]);
  });

  test("a disk that has grown, and what sgdisk -e makes of it", async () => {
    need("sgdisk");
    const path = image(`${THREE}type=linux\n`);
    truncateSync(path, SECTORS * 1024);
    expect(codes(await tableOf(path))).toEqual([]);
    sh(`sgdisk -e ${path}`);
    const table = await tableOf(path);
    expect(ours(table)).toEqual(sfdisk(path));
    expect(codes(table)).toEqual([]);
  });

  test("a hybrid MBR made by sgdisk -h", async () => {
    need("sgdisk");
    const path = image(`${THREE}type=linux\n`);
    sh(`sgdisk -h 3 ${path}`);
    const table = await tableOf(path);
    expect(table.partitions).toHaveLength(3);
    expect(codes(table)).toEqual(["gpt-hybrid-mbr"]);
  });

  test("a GPT that became an MBR, and the other way round", async () => {
    const path = image(`${THREE}type=linux\n`);
    sh(`sfdisk -q ${path}`, { input: "label: dos\n,,83\n" });
    expect(ours(await tableOf(path))).toEqual(sfdisk(path));
    sh(`sfdisk -q ${path}`, { input: THREE });
    expect(ours(await tableOf(path))).toEqual(sfdisk(path));
  });
});

describe("a table and a filesystem on the same disk", () => {
  test("what was made last counts: ext4, then a table", async () => {
    need("mkfs.ext4", "sfdisk");
    const path = image("label: dos\n,,83\n");
    sh(`mkfs.ext4 -qF ${path}`);
    expect((await detectContent(memorySource(readFileSync(path)))).content.kind).toBe("filesystem");
    sh(`sfdisk -q --wipe never ${path}`, { input: "label: dos\n,,83\n" });
    expect((await tableOf(path)).partitions).toHaveLength(1);
  });

  test("a GPT, then ext4: the second copy at the end is left and does not count", async () => {
    need("mkfs.ext4");
    const path = image(`${THREE}type=linux\n`);
    sh(`mkfs.ext4 -qF ${path}`);
    expect((await detectContent(memorySource(readFileSync(path)))).content.kind).toBe("filesystem");
  });
});

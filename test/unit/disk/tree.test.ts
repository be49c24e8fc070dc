import { expect, test } from "vitest";
import { memorySource } from "../../../src/disk/source.ts";
import type { ByteSource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { survivesMutation } from "../../support/mutate.ts";
import { gptDisk, mbrSector } from "../../support/tables.ts";

const SECTORS = 1000;

function disk(): Uint8Array {
  const bytes = new Uint8Array(SECTORS * 512);
  bytes.set(
    mbrSector([
      { slot: 1, type: 0x83, start: 10, sectors: 190 },
      { slot: 2, type: 0x05, start: 200, sectors: 400 },
      { slot: 3, type: 0x83, start: 700, sectors: 5000 },
      { slot: 4, type: 0x83, start: 6000, sectors: 10 },
    ]),
  );
  bytes.set(mbrSector([{ slot: 1, type: 0x83, start: 8, sectors: 100 }]), 200 * 512);
  // A table in a partition, and two formats that are known by name.
  bytes.set(mbrSector([{ slot: 1, type: 0x83, start: 1, sectors: 3 }]), 10 * 512);
  bytes.set(Buffer.from("LUKS\xba\xbe\x00\x01", "latin1"), 208 * 512);
  bytes.set(Buffer.from("hsqs"), 700 * 512);
  return bytes;
}

test("a disk is a tree of its partitions", async () => {
  const tree = await readVolumes(memorySource(disk(), ["xvda"]));
  expect(tree).toMatchObject({ name: "whole disk", content: { kind: "table" }, tried: [] });
  expect(
    tree.children.map(({ name, source, content, children }) => [
      name,
      source.size / 512,
      content.kind === "named" ? content.format : content.kind,
      children.length,
    ]),
  ).toEqual([
    ["partition 1", 190, "table", 0],
    ["partition 3", 300, "squashfs", 0],
    ["partition 4", 0, "unknown", 0],
    ["partition 5", 100, "LUKS1", 0],
  ]);
  expect(tree.children[0]!.source.where).toEqual(["xvda", "partition 1"]);
  expect(tree.children[0]!.partition).toMatchObject({ number: 1, offset: 5120 });
  expect(tree.children[2]!.tried).toMatchObject([{ failure: { kind: "corrupt" } }]);
});

test("the device is read a few times, whatever the number of probers and partitions", async () => {
  const parts = Array.from({ length: 100 }, (_, i) => ({ first: 100 + i, last: 100 + i }));
  const memory = memorySource(gptDisk({ diskSectors: 400, parts }));
  let reads = 0;
  const counting: ByteSource = {
    ...memory,
    read(offset, length, signal) {
      reads += 1;
      return memory.read(offset, length, signal);
    },
  };
  expect((await readVolumes(counting)).children).toHaveLength(100);
  expect(reads).toBeLessThanOrEqual(7);
});

test("damaged disks are never a bug, and never a failure", async () => {
  const tables = disk();
  const run = await survivesMutation(
    [tables.slice(440, 512)],
    (bytes) => {
      const damaged = Uint8Array.from(tables);
      damaged.set(bytes.subarray(0, 72), 440);
      return readVolumes(memorySource(damaged));
    },
    { count: 400 },
  );
  expect(run.failures).toBe(0);
});

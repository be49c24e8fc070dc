/**
 * What dm-snapshot and dm-thin say of changes, against what really differs: in a dom0 with Debian's kernel and LVM, byte by byte.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { debianPackage } from "../../lab/debian.ts";
import type { LabHost } from "../../lab/host.ts";
import { findChangedSince, readSnapshotState } from "../../src/guest/sync/changed-since.ts";
import type { ChangedSince } from "../../src/guest/sync/changed-since.ts";
import type { Host } from "../../src/host/host.ts";
import { labDom0 } from "../support/lab-dom0.ts";
import { testHost } from "../support/lab.ts";
import { randomSource } from "../support/mutate.ts";

const MIB = 1048576;
/** The command starts twice, on an emulated processor. */
const PATIENT = { timeoutMs: 600_000 };

let lab: LabHost;
let dom0: Host;

beforeAll(async () => {
  lab = await testHost({ name: "test-changed" });
  dom0 = labDom0(lab);
  // thin_delta is the second opinion; the lab's image is not made anew for it.
  const tools = debianPackage("bookworm", "thin-provisioning-tools");
  await lab.copyIn(join(tools, "usr/sbin/pdata_tools"), "/usr/sbin");
  await lab.output(
    "cd /usr/sbin; for one in thin_delta thin_check; do ln -s pdata_tools $one; done",
  );
});

afterAll(async () => {
  await lab.remove();
});

/** Puts `patches` at their places, of bytes that nobody had before; then the kernel has it all. */
async function write(volume: string, patches: readonly (readonly [at: number, length: number])[]) {
  const lines = patches.map(([at, length]) => `${at} ${length}\n`).join("");
  await lab.output(
    `while read at length; do
       head -c $length /dev/urandom |
         dd of=/dev/${volume} bs=1M oflag=seek_bytes seek=$at conv=notrunc iflag=fullblock status=none
     done; sync; blockdev --flushbufs /dev/${volume}`,
    { input: lines },
  );
}

/** Blocks of 4 KiB in which two devices differ, by reading both. */
async function differing(one: string, other: string): Promise<number[]> {
  const script = `
    open(A, "<:raw", $ARGV[0]) and open(B, "<:raw", $ARGV[1]) or die $!;
    for (my $at = 0; read(A, my $a, 1 << 20); $at += 256) {
      read(B, my $b, 1 << 20);
      next if $a eq $b;
      for (0 .. 255) { print $at + $_, "\\n" if substr($a, $_ << 12, 4096) ne substr($b, $_ << 12, 4096) }
    }`;
  await lab.output(`blockdev --flushbufs /dev/${one}; blockdev --flushbufs /dev/${other}`);
  const text = await lab.output(`perl -e ${quoted(script)} /dev/${one} /dev/${other}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

async function stateOf(volume: string): Promise<string> {
  const found = await readSnapshotState(dom0, volume);
  if (found.kind !== "state") throw new Error(found.reason);
  return found.state;
}

async function changed(source: string, snapshot: string, recorded?: string): Promise<ChangedSince> {
  const found = await findChangedSince(dom0, { source, snapshot, recorded });
  if (found.kind !== "changed") throw new Error(found.reason);
  return found;
}

async function reasonOf(source: string, snapshot: string, recorded?: string): Promise<string> {
  const found = await findChangedSince(dom0, { source, snapshot, recorded });
  return found.kind === "not-known" ? found.reason : "it is known";
}

/** Makes the file the same as `source`, as a run with these looks would, and says whether it is. */
async function copySegments(found: ChangedSince, source: string, file: string): Promise<boolean> {
  const lines = found.looks.map(({ first, count }) => `${first} ${count}\n`).join("");
  await lab.output(
    `while read first count; do
       dd if=/dev/${source} of=${file} bs=1M skip=$first seek=$first count=$count conv=notrunc status=none
     done`,
    { input: lines },
  );
  return (await lab.run(`cmp /dev/${source} ${file}`)).code === 0;
}

const segmentsOf = (found: ChangedSince) =>
  found.looks.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at));

/** Chunks that patches touch. */
function chunksOf(
  patches: readonly (readonly [number, number])[],
  chunkBytes: number,
): Set<number> {
  const chunks = new Set<number>();
  for (const [at, length] of patches) {
    for (let chunk = Math.floor(at / chunkBytes); chunk * chunkBytes < at + length; chunk++) {
      chunks.add(chunk);
    }
  }
  return chunks;
}

const random = randomSource(7);
const somewhere = (sizeBytes: number, count: number) =>
  Array.from({ length: count }, () => {
    const length = [512, 4096, 20_000, 70_000][random(4)]!;
    return [random(Math.floor((sizeBytes - length) / 512)) * 512, length] as const;
  });

describe("snapshots with a store of their own", () => {
  const SIZE = 32 * MIB;
  const CHUNK = 4096;
  let recorded: string;
  const beforeSecond = [...somewhere(SIZE, 12), [0, 512], [SIZE - 512, 512]] as const;

  beforeAll(async () => {
    await lab.output("lvcreate -qqy -L 32m -n disk vg0");
    await write("vg0/disk", [[0, SIZE]]);
    await lab.output(`lvcreate -qqy -s -c 4k -L 12m -n s1 vg0/disk`);
    recorded = await stateOf("vg0/s1");
    await lab.output("domus sync vg0/s1 /root/copy", PATIENT);
    await write("vg0/disk", beforeSecond);
  });

  test("the origin since the snapshot: the chunks that were written, no others", async () => {
    const found = await changed("vg0/disk", "/dev/vg0/s1", recorded);
    expect(found.method).toBe("dm-snapshot");
    expect(found.changedBytes).toBe(chunksOf(beforeSecond, CHUNK).size * CHUNK);
    expect(segmentsOf(found)).toEqual([...chunksOf(beforeSecond, MIB)].toSorted((a, b) => a - b));
    // A volume in use is not what it was a moment ago.
    expect(found.sourceState).toBe(undefined);
  });

  test("a second snapshot since the first: what differs is in it, and the copy is equal", async () => {
    await lab.output("lvcreate -qqy -s -c 16k -L 12m -n s2 vg0/disk");
    // Neither what is written to the origin later nor what is written to a snapshot escapes.
    const after = somewhere(SIZE, 6);
    await write("vg0/disk", after);
    const toSecond = somewhere(SIZE, 2);
    await write("vg0/s2", toSecond);
    const found = await changed("/dev/mapper/vg0-s2", "vg0/s1", recorded);
    const looked = new Set(segmentsOf(found));
    const blocks = await differing("vg0/s1", "vg0/s2");
    expect(blocks.length).toBeGreaterThan(20);
    expect(blocks.filter((block) => !looked.has(Math.floor(block / 256)))).toEqual([]);
    const touched = [...beforeSecond, ...after, ...toSecond];
    expect(looked.size).toBeLessThanOrEqual(chunksOf(touched, MIB).size);
    // The same with the command: it makes the copy that it made of the first one equal to the second.
    const told = await lab.output("domus sync vg0/s2 --since vg0/s1 /root/copy 2>&1", PATIENT);
    expect(told).toMatch(/Since vg0\/s1, .* changed: the rest is not read\s+\(dm-snapshot\)/);
    await lab.output("cmp /dev/vg0/s2 /root/copy");
    // The copy is equal to the second one now: what it has become since is found by its own state.
    await write("vg0/disk", [[5 * MIB, 4096]]);
    const next = await changed("vg0/disk", "vg0/s2", found.sourceState);
    expect(segmentsOf(next)).toContain(5);
    expect(await copySegments(next, "vg0/disk", "/root/copy")).toBe(true);
  });

  test("another snapshot of that name, and one that was full, prove nothing", async () => {
    await lab.output("lvremove -qqfy vg0/s1; lvcreate -qqy -s -c 4k -L 4m -n s1 vg0/disk");
    expect(await reasonOf("vg0/disk", "vg0/s1", recorded)).toContain("is not the snapshot");
    const fresh = await stateOf("vg0/s1");
    await write("vg0/disk", [[0, 8 * MIB]]);
    expect(await reasonOf("vg0/disk", "vg0/s1", fresh)).toMatch(
      /not valid any more|no longer valid/,
    );
  });
});

describe("thin snapshots", () => {
  const SIZE = 48 * MIB;
  const BLOCK = 65_536;
  const patches = [...somewhere(SIZE / 2, 10), [SIZE / 2 + 1234 * 512, 4096]] as const;
  let recorded: string;
  /** Of the second snapshot. */
  let second: string;

  beforeAll(async () => {
    await lab.output(
      `lvcreate -qqy --type thin-pool -c 64k -L 128m --poolmetadatasize 4m -n pool vg0
       lvcreate -qqy -V 48m --thinpool pool -n thin vg0`,
    );
    await write("vg0/thin", [
      [0, SIZE / 2],
      [40 * MIB, 2 * MIB],
    ]);
    await lab.output("lvcreate -qqy -s -n t1 vg0/thin; lvchange -qq -ay -K vg0/t1");
    recorded = await stateOf("vg0/t1");
    await lab.output(
      "dd if=/dev/vg0/t1 of=/root/thincopy bs=1M status=none; lvchange -qq -an vg0/t1",
    );
    await write("vg0/thin", patches);
    await lab.output(`blkdiscard -o ${41 * MIB} -l ${MIB} /dev/vg0/thin`);
    await lab.output("lvcreate -qqy -s -n t2 vg0/thin; lvchange -qq -ay -K vg0/t2");
    await write("vg0/thin", [[MIB, 4 * MIB]]);
  });

  /** Blocks that differ by thin_delta. */
  async function deltaBlocks(one: number, other: number): Promise<number> {
    const text = await lab.output(
      `dmsetup message vg0-pool-tpool 0 reserve_metadata_snap
       blockdev --flushbufs /dev/mapper/vg0-pool_tmeta
       thin_delta --metadata-snap --snap1 ${one} --snap2 ${other} /dev/mapper/vg0-pool_tmeta
       dmsetup message vg0-pool-tpool 0 release_metadata_snap`,
    );
    const runs = text.matchAll(/<(different|left_only|right_only) begin="\d+" length="(\d+)"/g);
    return [...runs].reduce((sum, [, , length]) => sum + Number(length), 0);
  }

  const thinId = async (volume: string) =>
    Number(await lab.output(`lvs --noheadings -o thin_id ${volume}`));
  const heldRoot = async () =>
    (await lab.output("dmsetup status vg0-pool-tpool")).trim().split(" ")[6];

  test("a second snapshot since the first, which is not active: as thin_delta says, and the copy is equal", async () => {
    const found = await changed("vg0/t2", "vg0/t1", recorded);
    expect(found.method).toBe("dm-thin");
    const discarded = [41 * MIB, MIB] as const;
    expect(found.changedBytes).toBe(chunksOf([...patches, discarded], BLOCK).size * BLOCK);
    const ids = [await thinId("vg0/t1"), await thinId("vg0/t2")] as const;
    expect(found.changedBytes).toBe((await deltaBlocks(...ids)) * BLOCK);
    expect(await copySegments(found, "vg0/t2", "/root/thincopy")).toBe(true);
    await lab.output("lvchange -qq -ay -K vg0/t1");
    const looked = new Set(segmentsOf(found));
    const blocks = await differing("vg0/t1", "vg0/t2");
    expect(blocks.length).toBeGreaterThan(200);
    expect(blocks.filter((block) => !looked.has(Math.floor(block / 256)))).toEqual([]);
    second = found.sourceState!;
    expect(await stateOf("vg0/t2")).toBe(second);
    expect(await heldRoot()).toBe("-");
  });

  test("again later: nothing of the first time is remembered, and what is new is looked at", async () => {
    await write("vg0/thin", [[20 * MIB, 4096]]);
    await lab.output("lvcreate -qqy -s -n t3 vg0/thin; lvchange -qq -ay -K vg0/t3");
    const found = await changed("vg0/t3", "vg0/t2", second);
    expect(segmentsOf(found)).toEqual([1, 2, 3, 4, 20]);
    expect(await copySegments(found, "vg0/t3", "/root/thincopy")).toBe(true);
    // The volume itself, at rest, and larger by now.
    await lab.output("lvextend -qq -L 52m vg0/thin");
    const grown = await changed("vg0/thin", "vg0/t3", found.sourceState);
    expect(segmentsOf(grown)).toEqual([48, 49, 50, 51]);
  });

  test("what proves nothing is not used, and the pool is left as it was", async () => {
    // Written in place where it was written before: its map says nothing of that, but it was written once.
    await write("vg0/t3", [[4096, 4096]]);
    const written = await stateOf("vg0/t3");
    await write("vg0/t3", [[8192, 512]]);
    expect(await stateOf("vg0/t3")).toBe(written);
    expect(await reasonOf("vg0/thin", "vg0/t3", written)).toContain("at byte 0 for one");
    // Something goes wrong while the metadata are held.
    const failing: Host = { ...dom0, openBlock: () => Promise.reject(new Error("a bug")) };
    const question = { source: "vg0/thin", snapshot: "vg0/t2", recorded: second };
    await expect(findChangedSince(failing, question)).rejects.toThrow("a bug");
    expect(await heldRoot()).toBe("-");
    // Somebody else holds them.
    await lab.output("dmsetup message vg0-pool-tpool 0 reserve_metadata_snap");
    const reason = await reasonOf("vg0/thin", "vg0/t2", second);
    expect(reason).toContain("dmsetup message vg0-pool-tpool 0 release_metadata_snap");
    expect(await heldRoot()).not.toBe("-");
    await lab.output("dmsetup message vg0-pool-tpool 0 release_metadata_snap");
  });
});

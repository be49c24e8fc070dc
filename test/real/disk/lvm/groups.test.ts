/** Volume groups made by the real LVM2; what is on them is written by `lvs`'s list of extents and read by ours. */
import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { assembleVolumes } from "../../../../src/disk/assemble.ts";
import type { Assembled } from "../../../../src/disk/assemble.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { readVolumes } from "../../../../src/disk/tree.ts";
import { lvRows, openLvm, writeVolume } from "../../../support/lvm-tools.ts";
import type { Lvm, LoopFile } from "../../../support/lvm-tools.ts";
import { scratch } from "../../../support/need.ts";

const MIB = 1 << 20;

function blanks(count: number, sizeBytes = 32 * MIB): LoopFile[] {
  const dir = scratch();
  return Array.from({ length: count }, (_, index) => {
    const path = join(dir, `pv${index}.img`);
    writeFileSync(path, "");
    truncateSync(path, sizeBytes);
    return { path };
  });
}

async function assembled(files: readonly LoopFile[]): Promise<Assembled> {
  const trees = files.map(({ path }, index) =>
    readVolumes(memorySource(readFileSync(path), [`xvd${"abcdef"[index]}`])),
  );
  return assembleVolumes(await Promise.all(trees));
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The digest of each volume, or what its source says. */
async function contentsOf({ volumes }: Assembled): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, source } of volumes) {
    found[name] = await source.read(0, source.size).then(digest, (e: Error) => e.message);
  }
  return found;
}

/** Random content on every volume that lies on physical ones directly; their digests. */
function fill(lvm: Lvm, files: readonly LoopFile[], extentBytes: number): Record<string, string> {
  const rows = lvRows(lvm);
  const startBytes = Number(
    lvm.run("pvs --noheadings --nosuffix --units b -o pe_start").trim().split(/\s+/)[0],
  );
  lvm.close();
  const written: Record<string, string> = {};
  for (const name of new Set(rows.map((row) => row.name))) {
    const own = rows.filter((row) => row.name === name && row.ranges.length > 0);
    if (!own.every((row) => row.type === "linear" || row.type === "striped")) continue;
    const extents = own.flatMap((row) => row.ranges).reduce((sum, [, a, b]) => sum + b - a + 1, 0);
    const content = randomBytes(extents * extentBytes);
    writeVolume({ lvm, files, extentBytes, startBytes }, own, content);
    written[name] = digest(content);
  }
  return written;
}

test("linear, in pieces, over several volumes, striped", async () => {
  const files = blanks(3);
  const lvm = openLvm(files);
  const [first, second] = lvm.devices;
  lvm.run(`vgcreate -y -s 1m vg-0 ${lvm.devices.join(" ")}`);
  lvm.create(`-l 3 -n root vg-0 ${first}`);
  lvm.create(`-l 2 -n be-tween vg-0 ${first}`);
  lvm.run(`lvextend --driverloaded n -l +4 vg-0/root ${first}`);
  lvm.run(`lvextend --driverloaded n -l +5 vg-0/root ${second}`);
  lvm.create("-i 3 -I 4k -l 9 -n narrow vg-0");
  lvm.create("-i 2 -I 512k -l 6 -n wide vg-0");
  lvm.run("lvextend --driverloaded n -i 2 -I 64k -l +4 vg-0/wide");
  const rows = lvRows(lvm);
  expect(rows.filter((row) => row.name === "root").length).toBeGreaterThanOrEqual(3);
  const ids = lvm.run("lvs --noheadings -o lv_name,lv_uuid,vg_uuid -O lv_name").trim();
  const written = fill(lvm, files, MIB);
  const found = await assembled(files);
  expect(await contentsOf(found)).toEqual(
    Object.fromEntries(Object.entries(written).map(([name, sum]) => [`vg-0/${name}`, sum])),
  );
  expect([found.findings, found.opaque]).toEqual([[], []]);
  const ours = found.volumes.map(({ assembly }) =>
    assembly?.system === "lvm2"
      ? `${assembly.volume.name} ${assembly.volume.id} ${assembly.group.id}`
      : "",
  );
  expect(ours.toSorted()).toEqual(ids.split(/\s*\n\s*/).map((line) => line.replace(/\s+/g, " ")));
});

/** Descriptions of what LVM makes only with device-mapper; `vgcfgrestore` checks and rewrites them. */
function lv(name: string, visible: boolean, segment: string, extents: number): string {
  const id = Buffer.from(name.padEnd(32, "0"), "latin1")
    .toString("latin1")
    .replace(/[^A-Za-z0-9]/g, "x");
  const dashed = id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, "$1-$2-$3-$4-$5-$6-$7");
  return `${name} {
id = "${dashed}"
status = ["READ", "WRITE"${visible ? ', "VISIBLE"' : ""}]
flags = []
segment_count = 1
segment1 {
start_extent = 0
extent_count = ${extents}
${segment}
}
}
`;
}
const on = (pv: string, extent: number) =>
  `type = "striped"\nstripe_count = 1\nstripes = [ "${pv}", ${extent} ]`;

const KERNEL_MADE = [
  lv(
    "mir",
    true,
    'type = "mirror"\nmirror_count = 2\nregion_size = 1024\nmirrors = [ "mir_mimage_0", 0, "mir_mimage_1", 0 ]',
    2,
  ),
  lv("mir_mimage_0", false, on("pv0", 5), 2),
  lv("mir_mimage_1", false, on("pv1", 5), 2),
  lv(
    "r1",
    true,
    'type = "raid1"\ndevice_count = 2\nregion_size = 4096\nraids = [ "r1_rmeta_0", "r1_rimage_0", "r1_rmeta_1", "r1_rimage_1" ]',
    2,
  ),
  lv("r1_rmeta_0", false, on("pv0", 7), 1),
  lv("r1_rimage_0", false, on("pv0", 8), 2),
  lv("r1_rmeta_1", false, on("pv1", 7), 1),
  lv("r1_rimage_1", false, on("pv1", 8), 2),
  lv("snap", true, on("pv1", 11), 1),
  lv(
    "snapshot0",
    true,
    'type = "snapshot"\nchunk_size = 8\norigin = "plain"\ncow_store = "snap"',
    1,
  ),
  lv(
    "pool",
    true,
    'type = "thin-pool"\nmetadata = "pool_tmeta"\npool = "pool_tdata"\ntransaction_id = 1\nchunk_size = 128\ndiscards = "passdown"\nzero_new_blocks = 1',
    2,
  ),
  lv("thin1", true, 'type = "thin"\nthin_pool = "pool"\ntransaction_id = 0\ndevice_id = 1', 4),
  lv("pool_tmeta", false, on("pv1", 12), 1),
  lv("pool_tdata", false, on("pv1", 13), 2),
].join("");

describe("mirrors, RAID1, thin volumes, snapshots", () => {
  test("are read or named, whichever volume is missing", async () => {
    const files = blanks(2);
    const lvm = openLvm(files);
    lvm.run(`vgcreate -y -s 1m vg0 ${lvm.devices.join(" ")}`);
    lvm.create(`-l 1 -n plain vg0 ${lvm.devices[0]}`);
    lvm.edit("vg0", (text) =>
      text.replace(/logical_volumes \{\n/, `logical_volumes {\n${KERNEL_MADE}`),
    );
    const listed = lvm.run("lvs --noheadings -o lv_name").trim().split(/\s+/);
    const written = fill(lvm, files, MIB);
    const both = await assembled(files);
    expect(both.volumes.map((one) => one.name).toSorted()).toEqual(
      listed.map((name) => `vg0/${name}`).toSorted(),
    );
    const declined = {
      "vg0/pool": "vg0/pool: LVM2 volumes of the type thin-pool is not supported",
      "vg0/snap": "vg0/snap: LVM2 snapshots is not supported",
      "vg0/thin1": "vg0/thin1: LVM2 thin volumes is not supported",
    };
    expect(await contentsOf(both)).toEqual({
      ...declined,
      "vg0/plain": written["plain"],
      "vg0/mir": written["mir_mimage_0"],
      "vg0/r1": written["r1_rimage_0"],
    });
    expect(both.findings).toEqual([]);
    const second = await assembled([files[1]!]);
    expect(await contentsOf(second)).toEqual({
      ...declined,
      "vg0/plain": expect.stringContaining("no physical volume pv0"),
      "vg0/mir": written["mir_mimage_1"],
      "vg0/r1": written["r1_rimage_1"],
    });
    expect(second.findings.map((one) => one.code)).toEqual(["lvm-pv-missing"]);
  });
});

describe("metadata", () => {
  test("through every wrap of a small ring", async () => {
    const files = blanks(1, 8 * MIB);
    const lvm = openLvm(files);
    lvm.run(`pvcreate -y --dataalignment 64k --metadatasize 16k ${lvm.devices[0]}`);
    lvm.run(`vgcreate -y -s 64k ring ${lvm.devices[0]}`);
    let wraps = 0;
    // LVM writes with O_DIRECT: its changes are in the file at once.
    let before = 0;
    for (let change = 0; change < 40; change++) {
      lvm.create(`-l 1 -n v${change} ring`);
      if (change >= 12) lvm.run(`lvremove --driverloaded n -y ring/v${change - 12}`);
      const { volumes, findings } = await assembled(files);
      const first = Math.max(0, change - 11);
      const names = Array.from(
        { length: change - first + 1 },
        (_, index) => `ring/v${first + index}`,
      );
      expect(volumes.map((one) => one.name)).toEqual(names);
      expect(findings).toEqual([]);
      const at = readFileSync(files[0]!.path).readBigUInt64LE(4096 + 40);
      if (Number(at) < before) wraps += 1;
      before = Number(at);
    }
    expect(wraps).toBeGreaterThan(3);
  });

  test("two areas on a volume, and one that LVM ignores", async () => {
    const files = blanks(2);
    const lvm = openLvm(files);
    lvm.run(`pvcreate -y --pvmetadatacopies 2 ${lvm.devices[0]}`);
    lvm.run(`pvcreate -y --metadataignore y ${lvm.devices[1]}`);
    lvm.run(`vgcreate -y -s 1m vg0 ${lvm.devices.join(" ")}`);
    lvm.create(`-l 2 -n root vg0 ${lvm.devices[1]}`);
    const written = fill(lvm, files, MIB);
    expect(await contentsOf(await assembled(files))).toEqual({ "vg0/root": written["root"] });
    // The first area gone: the second, at the end of the volume, is enough.
    const bytes = readFileSync(files[0]!.path);
    bytes.fill(0, 4096, 4608);
    writeFileSync(files[0]!.path, bytes);
    const { volumes, findings } = await assembled(files);
    expect(volumes.length).toBe(1);
    expect(findings.map((one) => one.code)).toEqual(["lvm-metadata-damaged"]);
    // Only the volume whose area is ignored: it cannot say what it belongs to.
    expect((await assembled([files[1]!])).opaque.length).toBe(1);
  });

  test("an older copy of one disk", async () => {
    const files = blanks(2);
    const lvm = openLvm(files);
    lvm.run(`vgcreate -y -s 1m vg0 ${lvm.devices.join(" ")}`);
    lvm.create(`-l 1 -n old vg0 ${lvm.devices[0]}`);
    const copy = `${files[1]!.path}.old`;
    copyFileSync(files[1]!.path, copy);
    lvm.create(`-l 1 -n new vg0 ${lvm.devices[0]}`);
    lvm.run("lvremove --driverloaded n -y vg0/old");
    lvm.close();
    const { volumes, findings } = await assembled([{ path: copy }, files[0]!]);
    expect(volumes.map((one) => one.name)).toEqual(["vg0/new"]);
    expect(findings.map((one) => one.code)).toEqual(["lvm-metadata-outdated"]);
  });

  test("a volume that LVM has marked as missing", async () => {
    const files = blanks(2);
    const lvm = openLvm(files);
    lvm.run(`vgcreate -y -s 1m vg0 ${lvm.devices.join(" ")}`);
    lvm.create(`-l 1 -n a vg0 ${lvm.devices[0]}`);
    lvm.create(`-l 1 -n b vg0 ${lvm.devices[1]}`);
    lvm.close();
    const alone = openLvm([files[0]!]);
    alone.run("lvremove --driverloaded n -y vg0/a");
    alone.close();
    const { volumes, findings } = await assembled(files);
    expect(volumes.map((one) => [one.name, one.content.kind])).toEqual([["vg0/b", "unknown"]]);
    expect(findings.map((one) => one.code).toSorted()).toEqual([
      "lvm-metadata-outdated",
      "lvm-pv-missing",
    ]);
  });

  test("an unused physical volume", async () => {
    const files = blanks(1);
    const lvm = openLvm(files);
    lvm.run(`pvcreate -y ${lvm.devices[0]}`);
    lvm.close();
    expect(await assembled(files)).toEqual({ volumes: [], findings: [], opaque: [] });
  });
});

import { describe, expect, test } from "vitest";
import { findChangedSince, readSnapshotState } from "../../../../src/guest/sync/changed-since.ts";
import { dmNameOf, parseDmDevices } from "../../../../src/guest/sync/dm-devices.ts";
import { parseLvs } from "../../../../src/guest/sync/thin-pool-changes.ts";
import type { Host } from "../../../../src/host/host.ts";
import {
  EMPTY,
  exceptionStore,
  insert,
  mapping,
  PoolWriter,
  storeChunk,
} from "../../../support/dm.ts";
import { fakeDom0 } from "../../../support/dom0.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const MIB = 1048576;
const LVS =
  "lvs --reportformat json --units b --nosuffix -o vg_uuid,lv_uuid,lv_name,lv_size,thin_id,pool_lv,origin vg0";
const GIB = 1024 * MIB;

/** A table line's worth of a device; its kernel name is dm-N by its place in the list. */
type Device = { readonly name: string; readonly table: string; readonly uuid?: string };

type Scene = {
  readonly devices: readonly Device[];
  /** By `dm-N`. */
  readonly contents?: Readonly<Record<string, Uint8Array>>;
  readonly status?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, string | { stderr?: string; exitCode: number }>>;
};

/** A host with these devices, and what was run there. */
function scene({ devices, contents = {}, status = {}, programs = {} }: Scene) {
  const ran: string[] = [];
  const info = "dmsetup info -c --noheadings --separator ; -o name,major,minor,uuid";
  const host = fakeDom0({
    files: Object.fromEntries(
      devices.map((_, at) => {
        const content = contents[`dm-${at}`] ?? "";
        return [`/dev/dm-${at}`, { kind: "block-device" as const, content }];
      }),
    ),
    programs: {
      [info]: devices
        .map(({ name, uuid }, at) => `${name};253;${at};${uuid ?? `LVM-${name}`}\n`)
        .join(""),
      "dmsetup table": devices.map(({ name, table }) => `${name}: ${table}\n`).join(""),
      ...Object.fromEntries(
        Object.entries(status).map(([name, line]) => [`dmsetup status ${name}`, `${line}\n`]),
      ),
      ...Object.fromEntries(
        devices.map((_, at) => [`blockdev --flushbufs /dev/dm-${at}`, { exitCode: 0 }]),
      ),
      ...programs,
    },
  });
  const logged: Host = {
    ...host,
    run: (argv, options) => {
      ran.push(argv.join(" "));
      return host.run(argv, options);
    },
    openBlock: (path) => {
      ran.push(`open ${path}`);
      return host.openBlock(path);
    },
  };
  return { host: logged, ran };
}

const SECTORS = (64 * MIB) / 512;

const storeOf = (chunks: readonly number[], chunkSectors = 8) =>
  exceptionStore({
    chunkSectors,
    chunkCount: 20,
    exceptions: chunks.map((chunk, index) => [chunk, storeChunk(index, chunkSectors)]),
  });

/** vg0/disk with two snapshots of it, of which the second has larger chunks. */
function snapshots(first: readonly number[], second: readonly number[], more: Partial<Scene> = {}) {
  const valid = `0 ${SECTORS} snapshot 16/4096 16`;
  return scene({
    devices: [
      { name: "vg0-disk", table: `0 ${SECTORS} snapshot-origin 253:1` },
      { name: "vg0-disk-real", table: `0 ${SECTORS} linear 254:16 2048` },
      { name: "vg0-s1", table: `0 ${SECTORS} snapshot 253:1 253:3 P 8` },
      { name: "vg0-s1-cow", table: `0 8192 linear 254:16 99999` },
      { name: "vg0-s2", table: `0 ${SECTORS} snapshot 253:1 253:5 PO 32` },
      { name: "vg0-s2-cow", table: `0 8192 linear 254:16 199999` },
    ],
    contents: { "dm-3": storeOf(first), "dm-5": storeOf(second, 32) },
    status: { "vg0-s1": valid, "vg0-s2": valid },
    ...more,
  });
}

async function state(host: Host, name: string): Promise<string> {
  const found = await readSnapshotState(host, name);
  if (found.kind !== "state") throw new Error(found.reason);
  return found.state;
}

async function reason(host: Host, source: string, snapshot: string, recorded?: string) {
  const found = await findChangedSince(host, { source, snapshot, recorded });
  return found.kind === "not-known" ? found.reason : found;
}

describe("since a dm-snapshot", () => {
  test("the origin differs where the store has exceptions", async () => {
    const { host, ran } = snapshots([256, 257, 3000, 0], [7]);
    const recorded = await state(host, "vg0/s1");
    expect(
      await findChangedSince(host, { source: "vg0/disk", snapshot: "vg0/s1", recorded }),
    ).toEqual({
      kind: "changed",
      method: "dm-snapshot",
      looks: [
        { first: 0, count: 2 },
        { first: 11, count: 1 },
      ],
      changedBytes: 4 * 4096,
    });
    // What the page cache had of the store is not what counts.
    const opened = ran.indexOf("open /dev/dm-3");
    expect(ran.slice(0, opened)).toContain("blockdev --flushbufs /dev/dm-3");
    expect(ran).not.toContain("open /dev/dm-5");
  });

  test("another snapshot of the origin differs where either store has exceptions", async () => {
    const { host } = snapshots([256], [40, 1023]);
    const recorded = await state(host, "vg0/s1");
    const found = await findChangedSince(host, {
      source: "/dev/dm-4",
      snapshot: "vg0/s1",
      recorded,
    });
    expect(found).toMatchObject({
      looks: [
        { first: 0, count: 2 },
        { first: 15, count: 1 },
      ],
      changedBytes: 4096 + 2 * 16_384,
      sourceState: await state(host, "vg0/s2"),
    });
  });

  test("a state holds while the store grows, and not for another store", async () => {
    const early = await state(snapshots([5, 6], []).host, "vg0/s1");
    const { host } = snapshots([5, 6, 7], []);
    expect(await reason(host, "vg0/disk", "vg0/s1", early)).toMatchObject({ kind: "changed" });
    const recreated = snapshots([6, 5, 7], []).host;
    const other = "is not the snapshot that the destination was made equal to";
    expect(await reason(recreated, "vg0/disk", "vg0/s1", early)).toContain(other);
    expect(await reason(snapshots([5], []).host, "vg0/disk", "vg0/s1", early)).toContain(other);
    expect(await reason(host, "vg0/disk", "vg0/s2", early)).toContain(other);
    expect(await reason(host, "vg0/disk", "vg0/s1", `${early}0`)).toContain(other);
    expect(await reason(host, "vg0/disk", "vg0/s1", "")).toContain(other);
    expect(await reason(host, "vg0/disk", "vg0/s1")).toContain("does not say what snapshot");
  });

  test("what lies behind the snapshot's end is looked at", async () => {
    const larger = `0 ${2 * SECTORS}`;
    const { host } = snapshots([5], [], {
      devices: [
        { name: "vg0-disk", table: `${larger} snapshot-origin 253:1` },
        { name: "vg0-disk-real", table: `${larger} linear 254:16 2048` },
        { name: "vg0-s1", table: `0 ${SECTORS} snapshot 253:1 253:3 P 8` },
        { name: "vg0-s1-cow", table: `0 8192 linear 254:16 99999` },
      ],
    });
    const recorded = await state(host, "vg0/s1");
    expect(await reason(host, "vg0/disk", "vg0/s1", recorded)).toMatchObject({
      looks: [
        { first: 0, count: 1 },
        { first: 64, count: 64 },
      ],
    });
  });

  test("a list that is not complete is not used", async () => {
    const recorded = await state(snapshots([5], []).host, "vg0/s1");
    const ask = (more: Partial<Scene>) =>
      reason(snapshots([5], [], more).host, "vg0/disk", "vg0/s1", recorded);
    const invalid = { "vg0-s1": `0 ${SECTORS} snapshot Invalid` };
    expect(await ask({ status: invalid })).toContain("no longer valid (Invalid)");
    const full = exceptionStore({ chunkSectors: 8, exceptions: [[5, 2]], valid: 0 });
    expect(await ask({ contents: { "dm-3": full } })).toContain("not valid any more");
    expect(await ask({ contents: { "dm-3": storeOf([5], 16) } })).toContain("size of a chunk");
    const [disk, real, , cow] = snapshotsDevices();
    const withTable = (table: string) =>
      ask({ devices: [disk!, real!, { name: "vg0-s1", table }, cow!] });
    expect(await withTable(`0 ${SECTORS} snapshot 253:1 253:3 N 8`)).toContain("in memory only");
    const passing = `0 ${SECTORS} snapshot 253:1 253:3 P 8 1 discard_passdown_origin`;
    expect(await withTable(passing)).toContain("passes discards on");
    expect(await withTable(`0 ${SECTORS} snapshot 253:9 253:3 P 8`)).toContain(
      "not a snapshot of vg0-disk",
    );
    expect(await withTable(`0 ${SECTORS} linear 253:9 0`)).toContain("vg0/s1 is not a snapshot");
    const merging = { name: "vg0-disk", table: `0 ${SECTORS} snapshot-merge 253:1 253:3 P 8` };
    expect(await ask({ devices: [merging, real!, snapshotsDevices()[2]!, cow!] })).toContain(
      "being merged",
    );
  });

  test("a snapshot without a UUID may be another one next time", async () => {
    const devices = snapshotsDevices().map((device) => ({ ...device, uuid: "" }));
    const { host } = snapshots([5], [], { devices });
    expect((await readSnapshotState(host, "vg0/s1")).kind).toBe("not-known");
    const forged = (await state(snapshots([5], []).host, "vg0/s1")).replace("LVM-vg0-s1", "");
    expect(await reason(host, "vg0/disk", "vg0/s1", forged)).toContain("is not the snapshot");
  });

  test("damaged stores give changes or a reason", async () => {
    const { host } = snapshots([5, 6, 7], []);
    const recorded = await state(host, "vg0/s1");
    const head = storeOf([5, 6, 7]).slice(0, 8192);
    await survivesMutation(
      [head],
      (bytes) =>
        reason(
          snapshots([], [], { contents: { "dm-3": bytes } }).host,
          "vg0/disk",
          "vg0/s1",
          recorded,
        ),
      { count: 60 },
    );
  });

  test("no device-mapper, nothing of the name, no volume at all", async () => {
    const { host } = snapshots([5], [], { programs: { [LVS]: { exitCode: 5 } } });
    expect(await reason(fakeDom0({ files: {} }), "vg0/disk", "vg0/s1", "x")).toContain(
      "program dmsetup",
    );
    expect(await reason(host, "vg0/none", "vg0/s1", "x")).toContain(
      "vg0/none is not a logical volume",
    );
    expect(await reason(host, "vg0/disk", "vg0/none", "x")).toContain("no snapshot vg0/none");
    expect(await readSnapshotState(host, "vg0/disk")).toEqual({
      kind: "not-known",
      reason: "vg0/disk is not a snapshot.",
    });
  });
});

function snapshotsDevices(): readonly Device[] {
  return [
    { name: "vg0-disk", table: `0 ${SECTORS} snapshot-origin 253:1` },
    { name: "vg0-disk-real", table: `0 ${SECTORS} linear 254:16 2048` },
    { name: "vg0-s1", table: `0 ${SECTORS} snapshot 253:1 253:3 P 8` },
    { name: "vg0-s1-cow", table: `0 8192 linear 254:16 99999` },
  ];
}

const POOL = "vg0-pool-tpool";
const RESERVE = `dmsetup message ${POOL} 0 reserve_metadata_snap`;
const RELEASE = `dmsetup message ${POOL} 0 release_metadata_snap`;
const THIN_SECTORS = GIB / 512;

type ThinScene = Partial<Scene> & {
  /** Mappings of the snapshot, volume 1, as `[block, data block, time]`. It was made at time 4. */
  readonly before?: readonly (readonly [number, number, number])[];
  readonly after?: readonly (readonly [number, number, number])[];
};

/** vg0/thin, thin id 2, and its snapshot vg0/t1, thin id 1, which is active only when `activeSnapshot`. */
function thinScene({ before = [], after = [], programs, ...more }: ThinScene = {}) {
  const mapOf = (entries: readonly (readonly [number, number, number])[]) =>
    entries.reduce((root, [key, block, time]) => insert(root, key, mapping(block, time)), EMPTY);
  const pool = new PoolWriter({
    volumes: [
      { thinId: 1, mappings: mapOf(before), mappedBlocks: before.length, creationTime: 4 },
      { thinId: 2, mappings: mapOf(after), mappedBlocks: after.length },
    ],
    metadataBlocks: 64,
  });
  return scene({
    devices: [
      { name: "vg0-pool_tmeta", table: "0 8192 linear 254:16 2048" },
      { name: "vg0-pool_tdata", table: "0 999999 linear 254:16 99999" },
      { name: POOL, table: "0 999999 thin-pool 253:0 253:1 128 0 0" },
      { name: "vg0-thin", table: `0 ${THIN_SECTORS} thin 253:2 2` },
    ],
    contents: { "dm-0": pool.bytes },
    programs: {
      [RESERVE]: { exitCode: 0 },
      [RELEASE]: { exitCode: 0 },
      [LVS]: lvsText(),
      ...programs,
    },
    ...more,
  });
}

const lvsRow = (row: Record<string, string>) => ({
  vg_uuid: "aaaaaa-bbbb",
  lv_uuid: "cccccc-dddd",
  lv_size: String(GIB),
  thin_id: "",
  pool_lv: "",
  origin: "",
  ...row,
});

function lvsText(rows: Record<string, string>[] = []): string {
  const own = [
    lvsRow({ lv_name: "pool" }),
    lvsRow({ lv_name: "thin", thin_id: "2", pool_lv: "pool" }),
    lvsRow({ lv_name: "t1", thin_id: "1", pool_lv: "pool", origin: "thin" }),
  ];
  return JSON.stringify({ report: [{ lv: [...rows, ...own] }] });
}

const STATE = (mappedBlocks: number) =>
  `dm-thin LVM-aaaaaabbbbccccccdddd ${GIB} 1 ${mappedBlocks * 128}`;

describe("since a thin snapshot", () => {
  const before = [
    [0, 100, 1],
    [16, 101, 3],
    [17, 102, 3],
    [9000, 103, 3],
  ] as const;

  test("a volume differs where it maps other blocks", async () => {
    const after = [
      [0, 100, 1],
      [16, 200, 5],
      [9000, 103, 3],
      [16_383, 201, 5],
    ] as const;
    const { host, ran } = thinScene({ before, after });
    const found = await reason(host, "vg0/thin", "vg0/t1", STATE(4));
    expect(found).toEqual({
      kind: "changed",
      method: "dm-thin",
      looks: [
        { first: 1, count: 1 },
        { first: 1023, count: 1 },
      ],
      changedBytes: 3 * 65_536,
      sourceState: `dm-thin LVM-vg0-thin ${GIB} 2 ${4 * 128}`,
    });
    const order = [RESERVE, "blockdev --flushbufs /dev/dm-0", "open /dev/dm-0", RELEASE];
    expect(ran.filter((line) => order.includes(line))).toEqual(order);
  });

  test("a state is the same from a snapshot that is active", async () => {
    const devices = [
      ...thinSceneDevices(),
      { name: "vg0-t1", table: `0 ${THIN_SECTORS} thin 253:2 1`, uuid: "LVM-aaaaaabbbbccccccdddd" },
    ];
    const status = { "vg0-t1": `0 ${THIN_SECTORS} thin 512 1152127` };
    const { host } = thinScene({ before, after: before, devices, status });
    expect(await state(host, "vg0/t1")).toBe(STATE(4));
    expect(await reason(host, "vg0/thin", "/dev/dm-4", STATE(4))).toMatchObject({ looks: [] });
    const failed = { "vg0-t1": `0 ${THIN_SECTORS} thin Fail` };
    expect(await readSnapshotState(thinScene({ devices, status: failed }).host, "vg0/t1")).toEqual({
      kind: "not-known",
      reason: "vg0-t1 is not in order (Fail).",
    });
  });

  test("a snapshot that was written to proves nothing, in place or not", async () => {
    const written = [...before, [20, 300, 4]] as const;
    const { host, ran } = thinScene({ before: written, after: written });
    const text = "vg0/t1 was written to after it was made, at byte 1310720";
    expect(await reason(host, "vg0/thin", "vg0/t1", STATE(5))).toContain(text);
    expect(ran).toContain(RELEASE);
  });

  test("of a snapshot something was discarded", async () => {
    const { host } = thinScene({ before: before.slice(1), after: before.slice(1) });
    expect(await reason(host, "vg0/thin", "vg0/t1", STATE(4))).toContain("not any more");
  });

  test("mappings behind the end of a volume that was made smaller", async () => {
    const devices = thinSceneDevices(`0 ${(10 * MIB) / 512} thin 253:2 2`);
    const { host } = thinScene({ before, after: [], devices });
    expect(await reason(host, "vg0/thin", "vg0/t1", STATE(4))).toMatchObject({
      looks: [{ first: 0, count: 2 }],
    });
  });

  test("what lies behind the snapshot's end", async () => {
    const small = lvsText([
      lvsRow({ lv_name: "s1", lv_size: String(GIB - MIB), thin_id: "1", pool_lv: "pool" }),
    ]);
    const programs = { [LVS]: small };
    const { host } = thinScene({ before, after: before, programs });
    const recorded = STATE(4).replace(String(GIB), String(GIB - MIB));
    expect(await reason(host, "vg0/thin", "vg0/s1", recorded)).toMatchObject({
      looks: [{ first: 1023, count: 1 }],
    });
  });

  test("the metadata are released whatever goes wrong", async () => {
    const damaged = thinScene({ before, contents: { "dm-0": new Uint8Array(65_536) } });
    expect(await reason(damaged.host, "vg0/thin", "vg0/t1", STATE(4))).toContain("checksum");
    expect(damaged.ran.at(-1)).toBe(RELEASE);
    const { host, ran } = thinScene({ before });
    const failing: Host = { ...host, openBlock: () => Promise.reject(new Error("a bug")) };
    await expect(reason(failing, "vg0/thin", "vg0/t1", STATE(4))).rejects.toThrow("a bug");
    expect(ran.at(-1)).toBe(RELEASE);
    const kept = { [RESERVE]: { exitCode: 0 }, [RELEASE]: { exitCode: 1, stderr: "no" } };
    const stuck = thinScene({ before, programs: kept });
    expect(await reason(stuck.host, "vg0/thin", "vg0/t1", STATE(4))).toContain(`(no): ${RELEASE}`);
  });

  test("a metadata snapshot of somebody else is left alone", async () => {
    const busy = { [RESERVE]: { exitCode: 1, stderr: "Device or resource busy" } };
    const status = { [POOL]: "0 999999 thin-pool 7 12/2048 9/9999 55 rw discard_passdown" };
    const held = thinScene({ programs: busy, status });
    const told = await reason(held.host, "vg0/thin", "vg0/t1", STATE(0));
    expect(told).toContain(`release it: ${RELEASE}`);
    expect(held.ran).not.toContain(RELEASE);
    const free = { [POOL]: "0 999999 thin-pool 7 12/2048 9/9999 - ro" };
    const readOnly = thinScene({ programs: busy, status: free });
    expect(await reason(readOnly.host, "vg0/thin", "vg0/t1", STATE(0))).toContain("resource busy");
  });

  test("other pools and volumes outside of them", async () => {
    const ask = (rows: Record<string, string>[], more: ThinScene = {}) =>
      reason(
        thinScene({
          ...more,
          programs: {
            [LVS]: lvsText(rows.map(lvsRow)),
            [RESERVE]: { exitCode: 0 },
            [RELEASE]: { exitCode: 0 },
          },
        }).host,
        "vg0/thin",
        "vg0/other",
        STATE(0),
      );
    const other = { lv_name: "other", thin_id: "3" };
    expect(await ask([{ ...other, pool_lv: "pool2" }])).toContain(
      "pool of vg0/other is not active",
    );
    expect(
      await ask([{ ...other, pool_lv: "pool", origin: "plain" }, { lv_name: "plain" }]),
    ).toContain("external origin");
    const loop = { ...other, pool_lv: "pool", origin: "other" };
    expect(await ask([loop])).toContain("such volume in the pool");
    expect(await ask([{ lv_name: "other" }])).toContain("no snapshot vg0/other");
    const external = thinSceneDevices(`0 ${THIN_SECTORS} thin 253:2 2 254:3`);
    expect(await ask([{ ...other, pool_lv: "pool" }], { devices: external })).toContain(
      "external origin",
    );
  });
});

function thinSceneDevices(thin = `0 ${THIN_SECTORS} thin 253:2 2`): readonly Device[] {
  return [
    { name: "vg0-pool_tmeta", table: "0 8192 linear 254:16 2048" },
    { name: "vg0-pool_tdata", table: "0 999999 linear 254:16 99999" },
    { name: POOL, table: "0 999999 thin-pool 253:0 253:1 128 0 0" },
    { name: "vg0-thin", table: thin },
  ];
}

describe("what programs print", () => {
  test("devices of several targets, of none, and names with hyphens", () => {
    const info = "a--b-c;253;0;LVM-x\nsplit;253;1;\nempty;253;2;\n";
    const tables =
      "a--b-c: 0 8 linear 8:1 0\nsplit: 0 8 linear 8:1 0\nsplit: 8 16 linear 8:2 0\nempty: \n";
    expect(parseDmDevices(info, tables)).toEqual([
      {
        name: "a--b-c",
        number: "253:0",
        uuid: "LVM-x",
        sizeBytes: 4096,
        target: "linear",
        args: ["8:1", "0"],
      },
      { name: "split", number: "253:1", uuid: "", sizeBytes: 24 * 512, args: [] },
      { name: "empty", number: "253:2", uuid: "", sizeBytes: 0, args: [] },
    ]);
    expect(parseDmDevices("No devices found\n", "No devices found\n")).toEqual([]);
    expect(dmNameOf({ group: "a-b", volume: "c" })).toBe("a--b-c");
  });

  test("reports that are none", () => {
    for (const text of [
      "",
      "{",
      "null",
      "[]",
      '{"report":1}',
      '{"report":[{"lv":[1,null,{"a":1}]}]}',
    ]) {
      expect(parseLvs(text)).toEqual([]);
    }
  });
});

/** What domus list says of guests' disks. */
import { describe, expect, test } from "vitest";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import type { DiskLook } from "../../../../src/host/disk-look.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0Options } from "../../../support/dom0.ts";

const UUIDS = {
  a: "aaaaaaaa-2222-3333-4444-555555555555",
  b: "bbbbbbbb-2222-3333-4444-555555555555",
};

const device = (number: string, on: readonly string[] = []): DiskLook => ({
  ...{ kind: "block-device", sizeBytes: 4096, identity: `block ${number}`, on },
});
const file = (inode: number): DiskLook => ({
  ...{ kind: "file", sizeBytes: 4096, modifiedMs: 0, identity: `file 1:${inode}`, on: [] },
});

type Disk = { readonly path: string; readonly access?: "rw" | "ro" };

const config = (name: string, { path, access = "rw" }: Disk) =>
  `name = "${name}"\nmemory = 64\ndisk = ['${path},raw,xvda,${access}']\n`;

const domain = (name: "a" | "b", { path, access = "rw" }: Disk, domid: number) => ({
  ...{ domid, name, uuid: UUIDS[name] },
  config: {
    c_info: { type: "pv", name, uuid: UUIDS[name] },
    b_info: { max_vcpus: 1, max_memkb: 65536, target_memkb: 65536 },
    disks: [
      { pdev_path: path, vdev: "xvda", format: "raw", ...(access === "rw" && { readwrite: 1 }) },
    ],
  },
});

/** Of two guests, whether they run or not: codes and severities of what concerns their disks. */
async function found(
  [a, b]: readonly [Disk, Disk],
  { running = false, ...options }: Partial<Dom0Options> & { running?: boolean } = {},
) {
  const { guests } = await readInventory(
    fakeDom0({
      files: { "/etc/xen/a.cfg": config("a", a), "/etc/xen/b.cfg": config("b", b) },
      ...(running && { programs: xlList([domain("a", a, 1), domain("b", b, 2)]) }),
      ...options,
    }),
  );
  const all = guests.map(({ findings }) => findings.filter(({ code }) => code.startsWith("disk-")));
  return all.map((findings) => findings.map(({ code, severity }) => `${severity} ${code}`));
}

const SHARED = [["warning disk-shared"], ["warning disk-shared"]];

describe("a disk of two guests", () => {
  test.each<[string, DiskLook, DiskLook]>([
    ["one device by two names", device("253:1"), device("253:1")],
    ["a hard link, a bind mount", file(7), file(7)],
    ["a partition and its disk", device("8:1", ["block 8:0"]), device("8:0")],
    ["a volume and what it lies on", device("8:0"), device("253:1", ["block 8:3", "block 8:0"])],
    ["an alias of a volume", device("253:1", ["block 8:0"]), device("253:9", ["block 253:1"])],
    ["a file and a loop device on it", file(7), device("7:0", ["file 1:7"])],
  ])("is one: %s", async (_, one, other) => {
    const looks = { "/srv/one": one, "/srv/other": other };
    const disks = [{ path: "/srv/one" }, { path: "/srv/other" }] as const;
    expect(await found(disks, { looks })).toEqual(SHARED);
    const both = [["error disk-shared"], ["error disk-shared"]];
    expect(await found(disks, { looks, running: true })).toEqual(both);
  });

  test.each([
    [1, 2],
    [2, 1],
  ])("is one where the other is a domain that no config describes: %i, %i", async (a, b) => {
    const disk = { path: "/srv/one" };
    const { guests } = await readInventory(
      fakeDom0({
        files: { "/etc/xen/a.cfg": config("a", disk) },
        looks: { "/srv/one": device("253:1") },
        programs: xlList(
          [domain("a", disk, a), domain("b", disk, b)].toSorted((x, y) => x.domid - y.domid),
        ),
      }),
    );
    const said = guests.map(({ name, domains, findings }) => [
      name,
      domains.map(({ fact }) => fact.name),
      findings.filter(({ code }) => code === "disk-shared").map(({ severity }) => severity),
    ]);
    expect(said).toEqual([
      ["a", ["a"], ["error"]],
      ["b", ["b"], ["error"]],
    ]);
  });

  test.each<[string, DiskLook, DiskLook]>([
    ["volumes of one group", device("253:1", ["block 8:0"]), device("253:2", ["block 8:0"])],
    ["partitions of one disk", device("8:1", ["block 8:0"]), device("8:2", ["block 8:0"])],
    ["two files", file(7), file(8)],
  ])("is none: %s", async (_, one, other) => {
    const looks = { "/srv/one": one, "/srv/other": other };
    expect(await found([{ path: "/srv/one" }, { path: "/srv/other" }], { looks })).toEqual([
      [],
      [],
    ]);
  });

  test("harms nobody when both only read", async () => {
    const disk = { path: "/srv/one", access: "ro" } as const;
    const looks = { "/srv/one": file(7) };
    expect(await found([disk, disk], { looks })).toEqual([[], []]);
    expect(await found([disk, { path: "/srv/one" }], { looks })).toEqual(SHARED);
  });

  test("by a symlink, also on a file tree", async () => {
    const files = {
      "/etc/xen/a.cfg": config("a", { path: "/srv/one" }),
      "/etc/xen/b.cfg": config("b", { path: "/srv/link" }),
      "/srv/one": "disk",
    };
    const options = { files, links: { "/srv/link": "/srv/one" }, live: false };
    expect(await found([{ path: "/srv/one" }, { path: "/srv/link" }], options)).toEqual(SHARED);
  });

  test("of which one is a snapshot of the other", async () => {
    const under = { origin: "block 253:5" };
    const looks = {
      "/srv/one": {
        ...device("253:1", ["block 253:5"]),
        snapshot: { ...under, isOrigin: true },
      },
      "/srv/other": {
        ...device("253:2", ["block 253:5", "block 253:6"]),
        snapshot: { ...under, isOrigin: false },
      },
    };
    const disks = [{ path: "/srv/one" }, { path: "/srv/other" }] as const;
    expect(await found(disks, { looks })).toEqual([[], ["warning disk-snapshot"]]);
  });

  describe("of which one is a thin snapshot of the other", () => {
    const thin = (number: string, pool = "block 253:3"): DiskLook => ({
      ...device(number, [pool, "block 8:0"]),
      thinPool: pool,
    });
    const looks = { "/srv/one": thin("253:10"), "/srv/other": thin("253:12") };
    const disks = [{ path: "/srv/one" }, { path: "/srv/other" }] as const;
    const asked =
      "lvs --reportformat json -o vg_name,lv_name,lv_kernel_major,lv_kernel_minor,origin";
    const volume = (lv_name: string, minor: number, origin = "") => ({
      ...{ vg_name: "vg0", lv_name, origin },
      ...{ lv_kernel_major: minor < 0 ? "-1" : "253", lv_kernel_minor: String(minor) },
    });
    const lvs = (...lv: object[]) => ({ [asked]: JSON.stringify({ report: [{ lv }] }) });

    test.each<[string, object[]]>([
      ["at once", [volume("one", 10), volume("other", 12, "one")]],
      [
        "by way of one that is not active",
        [volume("one", 10), volume("between", -1, "one"), volume("other", 12, "between")],
      ],
    ])("%s", async (_, volumes) => {
      const snapshot = [[], ["warning disk-snapshot"]];
      expect(await found(disks, { looks, programs: lvs(...volumes) })).toEqual(snapshot);
    });

    test.each<[string, Record<string, string>]>([
      ["they are not", lvs(volume("one", 10), volume("other", 12))],
      [
        "in another group",
        lvs({ ...volume("one", 10), vg_name: "vg1" }, volume("other", 12, "one")),
      ],
      ["each of the other, as text may say", lvs(volume("one", 10, "one"), volume("x", 12, "x"))],
      ["lvs says something else", { [asked]: "WARNING: no" }],
      ["there is no lvs", {}],
    ])("nothing when %s", async (_, programs) => {
      expect(await found(disks, { looks, programs })).toEqual([[], []]);
    });

    test("lvs is not asked where no two volumes are in one pool", async () => {
      const programs = lvs(volume("one", 10), volume("other", 12, "one"));
      const apart = { ...looks, "/srv/other": thin("253:12", "block 253:30") };
      expect(await found(disks, { looks: apart, programs })).toEqual([[], []]);
    });
  });
});

describe("a disk", () => {
  const disks = [{ path: "/srv/one" }, { path: "/srv/other" }] as const;
  const looks = { "/srv/one": device("8:1", ["block 8:0"]), "/srv/other": file(7) };

  test.each<[string, string, DiskLook, readonly string[]]>([
    ["itself", "/dev/sda1 /mnt ext4 rw 0 0", device("8:1", ["block 8:0"]), ["error disk-mounted"]],
    [
      "what lies on it",
      "/dev/dm-3 /mnt ext4 rw 0 0",
      device("253:3", ["block 8:1"]),
      ["error disk-mounted"],
    ],
    ["the disk around it", "/dev/sda /mnt ext4 ro 0 0", device("8:0"), ["error disk-mounted"]],
    ["its neighbour", "/dev/sda2 /mnt ext4 rw 0 0", device("8:2", ["block 8:0"]), []],
  ])("that dom0 has mounted: %s", async (_, line, look, expected) => {
    const files = {
      "/etc/xen/a.cfg": config("a", disks[0]),
      "/etc/xen/b.cfg": config("b", disks[1]),
      "/proc/mounts": `proc /proc proc rw 0 0\n${line}\n`,
    };
    const mounted = { ...looks, [line.split(" ")[0]!]: look };
    expect(await found(disks, { files, looks: mounted, running: true })).toEqual([expected, []]);
  });

  test("that is swap space of dom0, or the file behind a mounted loop device", async () => {
    const files = {
      "/etc/xen/a.cfg": config("a", disks[0]),
      "/etc/xen/b.cfg": config("b", disks[1]),
      "/proc/mounts": "/dev/loop0 /mnt\\040x ext4 rw 0 0\n",
      "/proc/swaps": "Filename Type\n/dev/sda1 partition 1 0 -2\n",
    };
    const all = {
      ...looks,
      "/dev/loop0": device("7:0", ["file 1:7"]),
      "/dev/sda1": looks["/srv/one"],
    };
    const warnings = [["warning disk-mounted"], ["warning disk-mounted"]];
    expect(await found(disks, { files, looks: all })).toEqual(warnings);
  });

  test("that is not there, of a guest that runs or not; a CD may be missing", async () => {
    const some = { looks: { "/srv/other": file(7) } };
    expect(await found(disks, some)).toEqual([["warning disk-missing"], []]);
    expect(await found(disks, { ...some, running: true })).toEqual([["error disk-missing"], []]);
    const files = {
      "/etc/xen/a.cfg": `name = "a"\nmemory = 64\ndisk = ['/srv/cd.iso,raw,hdc,cdrom']\n`,
    };
    expect(await found(disks, { files })).toEqual([[]]);
  });

  test("that is half of a copy", async () => {
    const files = {
      "/etc/xen/a.cfg": config("a", { path: "/srv/link" }),
      "/srv/b.img": "disk",
      // No record of ours: nobody can tell how far it came.
      "/srv/b.img.domus-sync": "damaged",
    };
    const links = { "/srv/link": "/srv/b.img" };
    expect(await found(disks, { files, links })).toEqual([["error disk-unfinished"]]);
  });
});

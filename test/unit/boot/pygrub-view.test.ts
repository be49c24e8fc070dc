/** The real pygrub is asked in test/real; here is what needs no image, and what a guest could do to it. */
import { describe, expect, test } from "vitest";
import { pygrubOffsets } from "../../../src/boot/pygrub/offsets.ts";
import { pygrubView } from "../../../src/boot/pygrub-view.ts";
import { whyUnreadable } from "../../../src/boot/pygrub/readable.ts";
import type { Content, Volume } from "../../../src/disk/content.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { memoryFs } from "../../support/memory-fs.ts";
import type { MemoryFsOptions, Tree } from "../../support/memory-fs.ts";
import { survivesMutation } from "../../support/mutate.ts";
import { gptDisk, mbrSector } from "../../support/tables.ts";
import { partition } from "./loader/grub2/run.ts";

const MENU = "menuentry 'a' {\nlinux /k root=/dev/xvda1\ninitrd /i\n}\n";
const MIB = 1024 * 1024;

function volume(name: string, content: Content, head = new Uint8Array(4096)): Volume {
  return { name, source: memorySource(head, [name]), content, tried: [], children: [] };
}

function files(tree: Tree, options: MemoryFsOptions = {}): Content {
  return { kind: "filesystem", fs: memoryFs(tree, options) };
}

/** A disk with an MBR and the contents in partitions 1, 2, ... of 1 MiB each. */
function disk(...contents: Content[]): Volume {
  const sector = mbrSector(
    contents.map((_, i) => ({ slot: i + 1, type: 0x83, start: 2048 * (i + 1), sectors: 2048 })),
  );
  const head = new Uint8Array(4096);
  head.set(sector);
  const table = {
    type: "mbr" as const,
    sectorSizeBytes: 512,
    id: "",
    partitions: [],
    findings: [],
  };
  return {
    ...volume("whole disk", { kind: "table", table }, head),
    children: contents.map((content, i) => ({
      ...volume(`partition ${i + 1}`, content),
      partition: partition(i + 1),
    })),
  };
}

/** 4 KiB with something set. */
function bytes(set: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4096);
  set(new DataView(out.buffer));
  return out;
}

function why(kind: string, content: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  return whyUnreadable(volume("v", files({}, { kind }), content));
}

function at(content: Uint8Array) {
  return pygrubOffsets(memorySource(content));
}

describe("what it finds", () => {
  test("the second partition", async () => {
    const tree = { "boot/grub/grub.cfg": MENU, k: "", i: "" };
    const swap: Content = { kind: "swap", uuid: "", label: "", sizeBytes: MIB };
    expect(await pygrubView({ disk: disk(swap, files(tree)) })).toEqual({
      blind: [],
      entry: {
        title: "a",
        index: 0,
        kernelPath: "/k",
        ramdiskPath: "/i",
        args: "root=/dev/xvda1",
        configPath: "/boot/grub/grub.cfg",
        loader: "grub2",
        partitionNumber: 2,
      },
      entries: [
        { title: "a", index: 0, kernelPath: "/k", ramdiskPath: "/i", args: "root=/dev/xvda1" },
      ],
    });
  });

  test("files that are missing, a journal that is not replayed", async () => {
    const dirty = { clean: false, text: "journal replayed in memory (2 transactions)" };
    const content = files({ "grub/grub.cfg": MENU, i: "" }, { state: dirty });
    const view = await pygrubView({ disk: disk(content) });
    expect(view.entry?.missing).toEqual(["/k"]);
    expect(view.notes).toEqual([
      "partition 1: ext4 with a journal that is not replayed (journal replayed in memory (2 transactions)); pygrub reads the disk as it is and may see older files",
    ]);
  });
});

describe("why it finds nothing", () => {
  test.each<[Content, string]>([
    [files({}), "ext4 without any configuration file that pygrub looks for"],
    [files({}, { kind: "btrfs" }), "btrfs, which pygrub does not read"],
    [
      files({ "grub/grub.cfg": "}\n" }),
      "its parser gives up on /grub/grub.cfg: a line with } that closes no entry pygrub has seen the beginning of",
    ],
    [
      files({ "grub/grub.cfg": Uint8Array.of(0xe9, 0x0a) }),
      "/grub/grub.cfg is not UTF-8, which ends pygrub's reading",
    ],
    [
      files({ "extlinux.conf": "" }),
      "its parser gives up on /extlinux.conf: it has no entry that pygrub recognises",
    ],
    [
      { kind: "member", member: { system: "lvm2", group: "", id: "" } },
      "part of an LVM2 volume group, which pygrub does not look into",
    ],
    [
      { kind: "member", member: { system: "md", group: "", id: "" } },
      "part of an md array, which pygrub does not look into",
    ],
    [{ kind: "named", format: "LUKS2", uuid: "", why: "" }, "LUKS2, which pygrub does not read"],
    [
      { kind: "named", format: "reiserfs", uuid: "", why: "" },
      "reiserfs, which pygrub may read, but domus does not",
    ],
    [{ kind: "unknown" }, "no filesystem that is known"],
  ])("%j", async (content, reason) => {
    const { entry, blind } = await pygrubView({ disk: disk(content) });
    expect(entry).toBeUndefined();
    expect(blind).toEqual([`partition 1: ${reason}`]);
  });

  test("XFS by its version, ext4 by its features, FAT by its sectors", async () => {
    const xfs = (version: number, features: number) =>
      bytes((view) => {
        view.setUint16(100, 0xb4a0 + version);
        view.setUint32(200, features);
      });
    expect(await why("xfs", xfs(5, 0))).toMatch(/^XFS of version 5/);
    expect(await why("xfs", xfs(4, 0x200))).toMatch(/ftype=1/);
    expect(await why("xfs", xfs(4, 0x8))).toBeUndefined();
    expect(
      await why(
        "ext4",
        bytes((view) => view.setUint32(1124, 0x200, true)),
      ),
    ).toMatch(/bigalloc/);
    expect(
      await why(
        "ext4",
        bytes((view) => view.setUint32(1124, 0x1, true)),
      ),
    ).toBeUndefined();
    expect(
      await why(
        "vfat",
        bytes((view) => view.setUint16(11, 512, true)),
      ),
    ).toBeUndefined();
    expect(
      await why(
        "vfat",
        bytes((view) => view.setUint16(11, 4096, true)),
      ),
    ).toMatch(/4096 bytes/);
    expect(await why("iso9660", new Uint8Array(4096))).toBeUndefined();
  });
});

describe("offsets", () => {
  test("no boot signature: the disk itself", async () => {
    expect(await at(new Uint8Array(512))).toEqual({ offsets: [0] });
    expect(await at(new Uint8Array(100))).toEqual({ offsets: [0] });
  });

  test("a signature without partitions: the disk itself", async () => {
    expect(await at(mbrSector([]))).toEqual({ offsets: [0] });
  });

  test("primary entries in order, swap left out", async () => {
    const sector = mbrSector([
      { slot: 1, type: 0x82, start: 10, sectors: 1 },
      { slot: 2, type: 0x83, start: 30, sectors: 1 },
      { slot: 3, type: 0x05, start: 20, sectors: 1, status: 0x80 },
    ]);
    expect(await at(sector)).toEqual({ offsets: [30 * 512, 20 * 512] });
  });

  test("GPT entries, also the empty ones", async () => {
    const gpt = gptDisk({ diskSectors: 4096, parts: [{ first: 64, last: 100 }] });
    const { offsets } = await at(gpt);
    expect(offsets.slice(0, 3)).toEqual([64 * 512, 0, 0]);
    expect(offsets.length).toBe(128);
  });

  test("a protective MBR and nothing after it", async () => {
    const sector = mbrSector([{ slot: 1, type: 0xee, start: 1, sectors: 1 }]);
    expect((await at(sector)).problem).toMatch(/Python exception/);
  });

  test("damage", async () => {
    const input = gptDisk({ diskSectors: 256, parts: [{ first: 64, last: 100 }] });
    await survivesMutation([input.slice(0, 4096), input], at, { count: 1_000 });
  });
});

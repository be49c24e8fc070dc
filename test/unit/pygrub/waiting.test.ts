import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ioFailure, overLimit } from "../../../src/base/failure.ts";
import type { Host, Ran } from "../../../src/host/host.ts";
import { askWaiting } from "../../../src/pygrub/waiting.ts";
import { scriptedHost } from "../host/local/scripted-system.ts";
import { formatWaitingList } from "../../../src/xen/waiting-list.ts";

let dir = "";
let disk = "";
let asked: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-pygrub-waiting-"));
  disk = join(dir, "disk.img");
  writeFileSync(disk, "");
  asked = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const UUID = "0A1B2c3d-1111-2222-3333-444444444444";

function waits(image = join(dir, "image"), path = disk) {
  writeFileSync(join(dir, "image"), "");
  const savedAtMs = Date.UTC(2026, 0, 2, 3, 4);
  const list = [{ guest: "pandora", uuid: UUID, image, savedAtMs, disks: [{ path }] }];
  writeFileSync(join(dir, "waiting.json"), formatWaitingList(list));
}

type Asked = {
  readonly output?: string;
  readonly wish?: "warn";
  readonly xenstore?: string;
  /** The command line of the process above. */
  readonly parent?: readonly string[];
  /** In place of all that. */
  readonly system?: Host;
};

function ask(path: string, { output, wish, xenstore, parent, system }: Asked = {}) {
  const readFile = async (name: string, limitBytes?: number) => {
    asked.push(`read ${name}`);
    if (!parent) throw ioFailure([name], "open", "EACCES");
    const bytes = Buffer.from(`${parent.join("\0")}\0`);
    if (bytes.length > (limitBytes ?? 0)) throw overLimit([name], "the file", "so much");
    return bytes;
  };
  const run = async (argv: readonly string[]): Promise<Ran> => {
    asked.push(argv.join(" "));
    return { argv, exitCode: xenstore === undefined ? 1 : 0, stdout: xenstore ?? "", stderr: "" };
  };
  return askWaiting(
    { disk: path, ...(output !== undefined && { output }) },
    {
      host: {
        ...(system ?? scriptedHost({ files: {}, nodes: {} })),
        ...(system ? {} : { run, readFile }),
      },
      parentPid: 41,
      env: { DOMUS_STATE_DIR: dir },
      wish: async () => {
        asked.push("settings");
        return wish ?? "refuse";
      },
    },
  );
}

test("without a list, and with an empty one, nothing else is looked at", async () => {
  expect(await ask(disk, { output: "/run/xen/bootloader.3.out" })).toBeUndefined();
  writeFileSync(join(dir, "waiting.json"), formatWaitingList([]));
  expect(await ask(disk, { output: "/run/xen/bootloader.3.out" })).toBeUndefined();
  expect(asked).toEqual([]);
});

test("a guest whose disk an image waits for is stopped, with the ways out", async () => {
  waits();
  const said = await ask(disk);
  expect(said?.stops).toBe(true);
  expect(said?.lines).toEqual([
    `not started: pandora was saved on 2026-01-02 03:04 UTC, and its memory waits in ${dir}/image.`,
    "A boot writes to its disks; the saved memory does not fit them any more, and restoring it would destroy them.",
    "To let it go on where it was: domus restore pandora",
    "To start it afresh, with the image set aside: domus start --discard-image pandora",
    "To be warned only, on this host: waiting-image=warn in /etc/domus/pygrub.conf",
  ]);
  expect(asked).toEqual(["read /proc/41/cmdline", "settings"]);
});

describe("a guest that was restored by hand, and reboots", () => {
  const XL = "/usr/lib/xen-4.17/bin/xl";
  test.each<[string, (image: string) => readonly string[]]>([
    ["by its path", (image) => [XL, "restore", image]],
    ["with flags and a config", (image) => ["xl", "-v", "restore", "-V", "/etc/xen/p.cfg", image]],
    ["from the directory that it is in", () => ["xl", "restore", "image"]],
    ["with as much of the word as it takes", (image) => ["xl", "rest", image]],
  ])("is started, and never to be restored again: %s", async (_, parent) => {
    waits();
    const said = await ask(disk, { parent: parent(join(dir, "image")) });
    expect(said).toEqual({
      stops: false,
      lines: [
        `pandora was restored from ${dir}/image with xl, not with domus, and reboots: it is started.`,
        expect.stringContaining("Never restore that image again"),
      ],
    });
    expect(asked).toEqual(["read /proc/41/cmdline"]);
  });

  test("is known by another name of the file, and when the file has gone since", async () => {
    waits();
    symlinkSync(join(dir, "image"), join(dir, "link"));
    expect((await ask(disk, { parent: ["xl", "restore", join(dir, "link")] }))?.stops).toBe(false);
    rmSync(join(dir, "image"));
    expect((await ask(disk, { parent: ["xl", "restore", join(dir, "image")] }))?.stops).toBe(false);
  });

  test.each<readonly string[]>([
    [XL, "create", "/etc/xen/pandora.cfg"],
    [XL, "restore", "/srv/of-another-guest"],
    [XL, "restore"],
    ["xl", "migrate-receive"],
    ["/bin/sh", "-c", "xl restore image"],
    ["/usr/bin/not-xl", "restore", "image"],
    ["xl", "restore", "x".repeat(70_000), "image"],
    [],
  ])("is nobody else: %s %s", async (...parent) => {
    waits();
    expect((await ask(disk, { parent }))?.stops).toBe(true);
  });
});

test("also when the image is not there at the moment", async () => {
  waits("/nowhere/image");
  const said = await ask(disk);
  expect(said?.stops).toBe(true);
  expect(said?.lines[2]).toMatch(/^The image is not there now\. .* domus restore pandora$/);
});

test("where the host wants it so, it is warned only", async () => {
  waits();
  const said = await ask(disk, { wish: "warn" });
  expect(said?.stops).toBe(false);
  expect(said?.lines[0]).toContain("started all the same (waiting-image=warn): pandora was saved");
});

test("a disk that libxl has attached to dom0 first: the domain says whose it is", async () => {
  waits();
  const output = "/var/lib/xen/bootloader.17.out";
  const other = join(dir, "other.img");
  writeFileSync(other, "");
  const command = "xenstore-read /local/domain/17/name /local/domain/17/vm";
  expect((await ask(other, { output, xenstore: "pandora\n/vm/x\n" }))?.stops).toBe(true);
  const byUuid = { output, xenstore: `renamed\n/vm/${UUID.toLowerCase()}\n` };
  expect((await ask(other, byUuid))?.stops).toBe(true);
  expect(await ask(other, { output, xenstore: "web\n/vm/x\n" })).toBeUndefined();
  expect(await ask(other, { output })).toBeUndefined();
  expect(asked.filter((one) => one.startsWith("xenstore"))).toEqual(Array(4).fill(command));
  asked = [];
  expect(await ask(other, { output: "/tmp/out", xenstore: "pandora\n/vm/x\n" })).toBeUndefined();
  expect(asked.filter((one) => one.startsWith("xenstore"))).toEqual([]);
});

test("another guest that would boot from the disk is stopped, and told whose it is", async () => {
  waits();
  const output = "/var/lib/xen/bootloader.17.out";
  const said = await ask(disk, { output, xenstore: "web\n/vm/x\n" });
  expect(said?.stops).toBe(true);
  expect(said?.lines.slice(0, 2)).toEqual([
    expect.stringContaining("not started: pandora was saved on 2026-01-02 03:04 UTC"),
    `${disk}, from which web would boot, is a disk of pandora.`,
  ]);
  expect(said?.lines.at(-2)).toBe("When pandora is stopped after that, web can have the disk.");
  const own = await ask(disk, { output, xenstore: "pandora\n/vm/x\n" });
  expect(own?.lines).toHaveLength(5);
  expect((await ask(disk, { output, xenstore: "web\n/vm/x\n", wish: "warn" }))?.stops).toBe(false);
});

describe("a disk that has bytes in common with one of a saved guest", () => {
  const system = scriptedHost({
    files: {
      "/sys/devices/sdb/dev": "8:16",
      "/sys/devices/sdb/sdb1/dev": "8:17",
      "/sys/devices/sdb/sdb1/partition": "1",
      "/sys/devices/sdb/sdb2/dev": "8:18",
      "/sys/devices/sdb/sdb2/partition": "2",
    },
    links: {
      "/sys/dev/block/8:16": "/sys/devices/sdb",
      "/sys/dev/block/8:17": "/sys/devices/sdb/sdb1",
      "/sys/dev/block/8:18": "/sys/devices/sdb/sdb2",
    },
    nodes: { "/dev/x-sdb": "8:16", "/dev/x-sdb1": "8:17", "/dev/x-sdb2": "8:18" },
  });

  test.each([
    ["/dev/x-sdb", "/dev/x-sdb1", true],
    ["/dev/x-sdb1", "/dev/x-sdb", true],
    ["/dev/x-sdb2", "/dev/x-sdb1", false],
    ["/dev/x-none", "/dev/x-sdb", false],
    ["/dev/x-sdb", "/dev/x-none", false],
  ])("%s, while the image waits for %s: %s", async (booted, saved, stops) => {
    waits(undefined, saved);
    expect((await ask(booted, { system }))?.stops ?? false).toBe(stops);
  });
});

test("a list that cannot be read is said, and keeps no guest down", async () => {
  writeFileSync(join(dir, "waiting.json"), "{");
  expect(await ask(disk)).toEqual({
    stops: false,
    lines: [
      `cannot tell whether a save image waits for this guest: ${dir}/waiting.json: found no JSON, expected a list of images.`,
      "It is started all the same. Any command of domus that changes a guest writes that list anew.",
    ],
  });
  rmSync(join(dir, "waiting.json"));
  mkdirSync(join(dir, "waiting.json"));
  expect((await ask(disk))?.stops).toBe(false);
});

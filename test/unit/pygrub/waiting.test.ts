import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Ran } from "../../../src/host/host.ts";
import { askWaiting } from "../../../src/pygrub/waiting.ts";
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

function waits(image = join(dir, "image")) {
  writeFileSync(join(dir, "image"), "");
  const savedAtMs = Date.UTC(2026, 0, 2, 3, 4);
  const list = [{ guest: "pandora", uuid: UUID, image, savedAtMs, disks: [{ path: disk }] }];
  writeFileSync(join(dir, "waiting.json"), formatWaitingList(list));
}

type Asked = { readonly output?: string; readonly wish?: "warn"; readonly xenstore?: string };

function ask(path: string, { output, wish, xenstore }: Asked = {}) {
  const run = async (argv: readonly string[]): Promise<Ran> => {
    asked.push(argv.join(" "));
    return { argv, exitCode: xenstore === undefined ? 1 : 0, stdout: xenstore ?? "", stderr: "" };
  };
  return askWaiting(
    { disk: path, ...(output !== undefined && { output }) },
    {
      host: { run },
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
  expect(asked).toEqual(["settings"]);
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
  expect(asked.filter((one) => one !== "settings")).toEqual(Array(4).fill(command));
  asked = [];
  expect(await ask(other, { output: "/tmp/out", xenstore: "pandora\n/vm/x\n" })).toBeUndefined();
  expect(asked).toEqual([]);
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

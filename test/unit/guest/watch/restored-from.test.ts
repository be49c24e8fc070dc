import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findOtherImages } from "../../../../src/guest/watch/restored-from.ts";
import type { Tracked } from "../../../../src/guest/watch/state.ts";
import { treeHost } from "../../../../src/host/local/tree-host.ts";
import type { ImageRecord } from "../../../../src/host/records.ts";

const SAVED_MS = 1_700_000_000_000;
const IMAGE: ImageRecord = {
  ...{ id: 4, guest: "web", uuid: "u1", path: "/save/web", state: "waiting", disks: [] },
  ...{ savedAtMs: SAVED_MS, sizeBytes: 5 },
};

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-from-"));
  mkdirSync(join(dir, "save"));
  mkdirSync(join(dir, "root"));
  write("save/web", "image");
  write("root/old", "older");
  write("root/web", "older one");
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, text: string): void {
  writeFileSync(join(dir, path), text);
  utimesSync(join(dir, path), SAVED_MS / 1000, SAVED_MS / 1000);
}

async function isOther(image: string, more: Partial<ImageRecord> = {}): Promise<boolean> {
  const domain: Tracked = {
    ...{ domid: 1, uuid: "u1", name: "web", state: "running", begun: true, sinceMs: 0, stateMs: 0 },
    image,
  };
  const found = await findOtherImages(treeHost(dir), [domain], [{ ...IMAGE, ...more }]);
  return found.get(1)?.has(IMAGE.id) === true;
}

test("another file is another image, also under the same name", async () => {
  expect(await isOther("/root/old")).toBe(true);
  expect(await isOther("/root/web")).toBe(true);
  // It was deleted when it was read.
  expect(await isOther("/root/gone")).toBe(true);
  expect(await isOther("old")).toBe(true);
});

test("the same file is none, whatever it is called, nor is one that waits for another guest", async () => {
  symlinkSync("../save/web", join(dir, "root/link"));
  expect(await isOther("/save/web")).toBe(false);
  expect(await isOther("/root/../save/web")).toBe(false);
  expect(await isOther("/root/link")).toBe(false);
  expect(await isOther("web")).toBe(false);
  expect(await isOther("/root/old", { guest: "db", uuid: "u2" })).toBe(false);
  expect(await isOther("/root/old", { state: "restored" })).toBe(false);
});

test("one that was moved is known by its size and time", async () => {
  renameSync(join(dir, "save/web"), join(dir, "root/moved"));
  expect(await isOther("/root/moved")).toBe(false);
  expect(await isOther("/root/web")).toBe(true);
  // Moved, restored and deleted; or both are gone, one after the other.
  rmSync(join(dir, "root/web"));
  expect(await isOther("/root/web")).toBe(false);
  expect(await isOther("/root/gone")).toBe(true);
});

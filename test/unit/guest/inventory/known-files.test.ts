/** What a second run need not read again, and what it must. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import type { TextCache } from "../../../../src/guest/inventory/known-files.ts";
import type { Host } from "../../../../src/host/host.ts";
import { localStamp } from "../../../../src/host/local/files.ts";
import { fakeDom0 } from "../../../support/dom0.ts";
import { saveImage } from "../../../support/save-image.ts";

function memoryCache(): TextCache & { text?: string; saves: number } {
  const cache: TextCache & { text?: string; saves: number } = {
    saves: 0,
    load: async () => cache.text,
    async save(text) {
      cache.text = text;
      cache.saves += 1;
    },
  };
  return cache;
}

const FILES = ["/etc/xen/a.cfg", "/root/image"];

test("configs and images are read once, until their stamp is another", async () => {
  const opened: string[] = [];
  const stamps: Record<string, string> = { "/etc/xen/a.cfg": "1", "/root/image": "1" };
  const dom0 = fakeDom0({
    files: { "/etc/xen/a.cfg": 'name = "a"\nmemory = 64\n', "/root/image": saveImage() },
    live: false,
  });
  const host: Host = {
    ...dom0,
    stampOf: async (path) => stamps[path],
    readFile: (path, limit) => (opened.push(path), dom0.readFile(path, limit)),
    openBlock: (path) => (opened.push(path), dom0.openBlock(path)),
  };
  const cache = memoryCache();
  const read = async () => {
    opened.length = 0;
    const inventory = await readInventory(host, { cache });
    return { inventory, read: opened.filter((path) => FILES.includes(path)) };
  };
  const first = await read();
  expect(first.read.toSorted()).toEqual(["/etc/xen/a.cfg", "/root/image"]);
  const second = await read();
  expect([second.read, cache.saves]).toEqual([[], 1]);
  expect(second.inventory).toEqual(first.inventory);
  expect(cache.text).not.toContain("c_info");
  stamps["/root/image"] = "2";
  expect((await read()).read).toEqual(["/root/image"]);
  delete stamps["/etc/xen/a.cfg"];
  expect((await read()).read).toEqual(["/etc/xen/a.cfg"]);
});

test("a file has a stamp when its times are past, and nothing else has one", () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-stamp-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "a");
  writeFileSync(file, "one");
  // Of the future: the next write may have the same times.
  utimesSync(file, 4_000_000_000, 4_000_000_000);
  expect(localStamp(file)).toBeUndefined();
  expect(localStamp("/proc/self/exe")).toBeDefined();
  mkdirSync(join(dir, "b"));
  expect(localStamp(join(dir, "b"))).toBeUndefined();
  renameSync(file, join(dir, "c"));
  expect(localStamp(file)).toBeUndefined();
});

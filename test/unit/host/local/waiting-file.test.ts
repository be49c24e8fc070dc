import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import {
  readWaitingFile,
  waitingFilePath,
  waitingImageOf,
  writeWaitingText,
} from "../../../../src/host/local/waiting-file.ts";
import { formatWaitingList } from "../../../../src/xen/waiting-list.ts";
import type { WaitingImage } from "../../../../src/xen/waiting-list.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-waiting-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function imageOn(...paths: string[]): WaitingImage {
  const disks = paths.map((path) => ({ path }));
  return { guest: "g", uuid: "u", image: "/i", savedAtMs: 1, disks };
}

describe("the file", () => {
  test("that is not there says that nothing waits", () => {
    expect(readWaitingFile(dir)).toEqual([]);
    expect(readWaitingFile(join(dir, "nowhere"))).toEqual([]);
  });

  test("is put in the place of the old one, with the mode that was asked for", () => {
    writeWaitingText(dir, formatWaitingList([imageOn("/a")]), { mode: 0o600 });
    // What a cut has left is no obstacle, wherever it leads.
    symlinkSync("/dev/null", `${waitingFilePath(dir)}.new`);
    writeWaitingText(dir, formatWaitingList([imageOn("/b")]), { mode: 0o640 });
    expect(readWaitingFile(dir)).toEqual([imageOn("/b")]);
    expect(readdirSync(dir)).toEqual(["waiting.json"]);
    expect(statSync(waitingFilePath(dir)).mode & 0o777).toBe(0o640);
  });

  test("that cannot be read, or is none, is a failure", () => {
    writeFileSync(waitingFilePath(dir), "{");
    expect(attemptSync(() => readWaitingFile(dir))).toMatchObject({ failure: { kind: "corrupt" } });
    truncateSync(waitingFilePath(dir), 2 ** 40);
    expect(attemptSync(() => readWaitingFile(dir))).toMatchObject({ failure: { kind: "limit" } });
    rmSync(waitingFilePath(dir));
    mkdirSync(waitingFilePath(dir));
    expect(attemptSync(() => readWaitingFile(dir))).toMatchObject({ failure: { kind: "io" } });
    const write = () => writeWaitingText(join(dir, "nowhere"), "", { mode: 0o600 });
    expect(attemptSync(write)).toMatchObject({ failure: { kind: "io" } });
  });
});

test("a disk is known by every name that it has", () => {
  const at = (name: string) => join(dir, name);
  for (const name of ["one.img", "two.img"]) writeFileSync(at(name), "");
  symlinkSync(at("one.img"), at("link"));
  linkSync(at("one.img"), at("hard"));
  const images = [imageOn("/gone"), imageOn("/dev/vg0/none", at("one.img"))];
  for (const name of [
    "one.img",
    "link",
    "hard",
    "./one.img",
    "../" + dir.split("/").at(-1) + "/link",
  ])
    expect(waitingImageOf(images, `${dir}/${name}`), name).toBe(images[1]);
  expect(waitingImageOf(images, at("two.img"))).toBeUndefined();
  expect(waitingImageOf(images, "/nowhere")).toBeUndefined();
  expect(waitingImageOf(images, "/gone"), "a path that is named").toBe(images[0]);
  expect(waitingImageOf([], at("one.img"))).toBeUndefined();
});

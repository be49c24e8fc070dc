import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { replaceLocalFile } from "../../../src/host/local/replace-file.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-replace-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

test("the new content, the old mode, and a copy of the old content", async () => {
  const path = join(dir, "a.cfg");
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  await replaceLocalFile(path, {
    expected: bytes("old"),
    bytes: bytes("new"),
    copyPath: `${path}.1`,
    temporaryPath: `${path}.new`,
  });
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("old");
  expect([path, `${path}.1`].map((one) => statSync(one).mode & 0o777)).toEqual([0o640, 0o640]);
  expect(readdirSync(dir).sort()).toEqual(["a.cfg", "a.cfg.1"]);
});

test("what somebody else has written stays, and so does an older copy", async () => {
  const path = join(dir, "a.cfg");
  writeFileSync(path, "other");
  const paths = { copyPath: `${path}.1`, temporaryPath: `${path}.new` };
  const change = { expected: bytes("old"), bytes: bytes("new"), ...paths };
  expect(await attempt(() => replaceLocalFile(path, change))).toMatchObject({
    ok: false,
    failure: { kind: "refused" },
  });
  writeFileSync(`${path}.1`, "older");
  const again = { ...change, expected: bytes("other") };
  expect(await attempt(() => replaceLocalFile(path, again))).toMatchObject({
    ok: false,
    failure: { kind: "io", errno: "EEXIST" },
  });
  expect(readFileSync(path, "utf8")).toBe("other");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("older");
  expect(readdirSync(dir).sort()).toEqual(["a.cfg", "a.cfg.1"]);
});

test("what a cut has left of an earlier change is in nobody's way", async () => {
  const path = join(dir, "a.cfg");
  writeFileSync(path, "old");
  writeFileSync(`${path}.new`, "half of");
  const paths = { copyPath: `${path}.1`, temporaryPath: `${path}.new` };
  await replaceLocalFile(path, { expected: bytes("old"), bytes: bytes("new"), ...paths });
  expect(readdirSync(dir).sort()).toEqual(["a.cfg", "a.cfg.1"]);
  expect(readFileSync(path, "utf8")).toBe("new");
});

test("what fails leaves nothing behind", async () => {
  const path = join(dir, "a.cfg");
  writeFileSync(path, "old");
  const paths = { copyPath: `${path}.1`, temporaryPath: join(dir, "missing", "new") };
  const change = { expected: bytes("old"), bytes: bytes("new"), ...paths };
  expect(await attempt(() => replaceLocalFile(path, change))).toMatchObject({
    failure: { kind: "io", errno: "ENOENT" },
  });
  expect(readdirSync(dir)).toEqual(["a.cfg"]);
});

import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { openFactStore } from "../../../../src/host/local/fact-store.ts";
import { localImageFiles } from "../../../../src/host/local/image-files.ts";
import { makeDirectories } from "../../../../src/host/local/make-directories.ts";
import { openRecords } from "../../../../src/host/local/records-db.ts";
import { workDirectories } from "../../../../src/host/local/work-directories.ts";

const BASE = mkdtempSync(join(tmpdir(), "domus-directories-"));
afterAll(() => rmSync(BASE, { recursive: true }));

test("makes what is missing, and says which is the first of them", () => {
  const path = join(BASE, "a/b/c");
  expect(makeDirectories(path, 0o700)).toBe(join(BASE, "a"));
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(makeDirectories(path, 0o700)).toBeUndefined();
  expect(makeDirectories(`${path}/d/`, 0o700)).toBe(join(path, "d"));
});

test("a file and a link that leads nowhere in its way", () => {
  const file = join(BASE, "file");
  writeFileSync(file, "");
  expect(() => makeDirectories(join(file, "x"), 0o700)).toThrow(/EEXIST|ENOTDIR/);
  const link = join(BASE, "link");
  symlinkSync("/nowhere/at/all", link);
  expect(() => makeDirectories(join(link, "x"), 0o700)).toThrow(/EEXIST/);
  expect(existsSync("/nowhere")).toBe(false);
});

/** Names that the kernel has no room for: ENOENT, in a directory that is there. */
const PROC = "/proc/domus-none/domus/facts";

test("below /proc it fails, as the system says", () => {
  expect(() => makeDirectories(PROC, 0o700)).toThrow(/ENOENT/);
});

test("so does all that makes directories: without a cache, with a failure else", async () => {
  expect(await openFactStore(PROC)).toBeUndefined();
  const failures = [
    await attempt(() => openRecords(PROC)),
    await attempt(() => localImageFiles.makeDirectory(PROC)),
    await attempt(() => workDirectories(PROC).make("x", "y", "z")),
  ];
  for (const failed of failures)
    expect(failed).toMatchObject({ ok: false, failure: { kind: "io", errno: "ENOENT" } });
});

/** The copies in dom0: names and modes as mkstemp has them, writes that are all there or fail. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createTempFile, descriptorOut, removeTempFile } from "../../../src/pygrub/temp-files.ts";

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), "domus-temp-files-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

test("each has a name of its own, and nobody else may read it", () => {
  const dir = directory();
  const files = Array.from({ length: 20 }, () => createTempFile(dir, "boot_kernel."));
  for (const { path } of files) {
    expect(basename(path)).toMatch(/^boot_kernel\.[a-z0-9_]{8}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  }
  expect(readdirSync(dir)).toHaveLength(20);
  for (const file of files) removeTempFile(file);
  expect(readdirSync(dir)).toEqual([]);
});

test("a directory that is not there", () => {
  expect(() => createTempFile(join(directory(), "gone"), "boot_")).toThrow("ENOENT");
});

test("what is written, one after the other, and again after a restart", async () => {
  const { fd, path } = createTempFile(directory(), "boot_");
  const out = descriptorOut(fd, path, 100);
  await out.write(Buffer.from("a first, longer text"));
  await out.restart();
  await out.write(Buffer.from("one"));
  await out.write(new Uint8Array(0));
  await out.write(Buffer.from(" two"));
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe("one two");
});

test("nothing above the limit is written", async () => {
  const { fd, path } = createTempFile(directory(), "boot_");
  const out = descriptorOut(fd, path, 10);
  await out.write(new Uint8Array(10));
  await expect(out.write(new Uint8Array(1))).rejects.toThrow(/limit of 10 bytes/);
  closeSync(fd);
  expect(statSync(path).size).toBe(10);
});

test("a full disk", async () => {
  const fd = openSync("/dev/full", "r+");
  onTestFinished(() => closeSync(fd));
  await expect(descriptorOut(fd, "copy", 100).write(new Uint8Array(9))).rejects.toThrow(
    "copy: write failed: ENOSPC",
  );
});

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { localImageFiles as files } from "../../../../src/host/local/image-files.ts";

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "domus-image-files-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("images are for their owner alone", async () => {
  const directory = join(scratch(), "a", "images");
  await files.makeDirectory(directory);
  await files.makeDirectory(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await files.create(join(directory, "x"));
  expect(statSync(join(directory, "x")).mode & 0o777).toBe(0o600);
  await expect(files.create(join(directory, "x"))).rejects.toThrow("EEXIST");
});

test("nothing is overwritten by a rename", async () => {
  const directory = scratch();
  const [from, to] = [join(directory, "from"), join(directory, "to")];
  writeFileSync(from, "new");
  writeFileSync(to, "old");
  await files.sync(from);
  await expect(files.rename(from, to)).rejects.toThrow("EEXIST");
  expect([readFileSync(from, "utf8"), readFileSync(to, "utf8")]).toEqual(["new", "old"]);
  await files.remove(to);
  await files.remove(to);
  await files.rename(from, to);
  expect([existsSync(from), readFileSync(to, "utf8")]).toEqual([false, "new"]);
  await expect(files.rename(from, to)).rejects.toThrow();
});

test("room is that of the filesystem", async () => {
  expect(await files.freeBytes(scratch())).toBeGreaterThan(0);
  await expect(files.freeBytes("/no/such/directory")).rejects.toThrow("ENOENT");
});

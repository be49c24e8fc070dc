import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch, sh } from "../../support/need.ts";
import { runDomus } from "../../support/run-domus.ts";
import { startSshd } from "../../support/sshd.ts";

/** An odd size, noise at the start, zeroes behind it. */
function makeDisk(path: string, noiseBytes = 3_000_001): void {
  execFileSync("sh", ["-c", `head -c ${noiseBytes} /dev/urandom >"$0"`, path]);
  truncateSync(path, 9_437_185);
}

function change(path: string, at: number): void {
  sh(`printf changed | dd of=${path} bs=1 seek=${at} conv=notrunc status=none`);
}

function last(text: string): Record<string, unknown> {
  return JSON.parse(text.trim().split("\n").at(-1)!) as Record<string, unknown>;
}

test("from a file to a new file on this host, and again for what changed", async () => {
  const dir = scratch();
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  makeDisk(a);
  const first = await runDomus(["sync", a, b]);
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`${b} is equal to ${a}: 9.0 MiB`),
  });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  change(a, 2_000_000);
  change(a, 9_437_180);
  truncateSync(a, 9_437_185);
  const second = await runDomus(["sync", "--json", a, b]);
  expect(second.code).toBe(0);
  expect(last(second.stdout)).toMatchObject({ domus: 1, done: { writtenBytes: 8193 } });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
});

test("to another host and back, below a login shell that talks", async () => {
  const dir = scratch();
  const { ssh } = await startSshd(dir, { banner: "Welcome to far.\nYou have mail." });
  const [a, b, c] = [join(dir, "a"), join(dir, "b"), join(dir, "c")];
  makeDisk(a);
  writeFileSync(b, "something else");
  const pushed = await runDomus(["sync", "--ssh", ssh, a, `far:${b}`]);
  expect(pushed).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`far:${b} is equal to ${a}`),
  });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  const pulled = await runDomus(["sync", "--ssh", ssh, `far:${b}`, c]);
  expect(pulled).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`${c} is equal to far:${b}`),
  });
  expect(readFileSync(c).equals(readFileSync(a))).toBe(true);
});

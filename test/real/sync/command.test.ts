import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch, sh } from "../../support/need.ts";
import { runDomus, runDomusAgain } from "../../support/run-domus.ts";
import { MAIN, NODE, startSshd } from "../../support/sshd.ts";

const MIB = 2 ** 20;

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

test("Ctrl-C in the middle, and the same command again", async () => {
  const dir = scratch();
  const { ssh } = await startSshd(dir);
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  makeDisk(a, 9_000_000);
  const argv = ["sync", "--json", "--ssh", ssh, a, `far:${b}`];
  let interrupted = false;
  const cut = await runDomus([...argv, "--bwlimit", "300K"], {
    // Nine megabytes cannot be there yet.
    onLine(line, child) {
      if (interrupted || !line.includes('"progress"')) return;
      interrupted = true;
      child.kill("SIGINT");
    },
  });
  expect(cut).toMatchObject({
    code: 130,
    stderr: expect.stringMatching(/far:.* is unfinished[^]*it goes on where it was[^]*Interrupted/),
  });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(false);
  const again = await runDomusAgain(argv);
  expect(again).toMatchObject({ code: 0 });
  expect(last(again.stdout)).toMatchObject({ domus: 1, resumes: true });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
});

test("--check says whether and where, --keep-index spares reading, --verify reads again", async () => {
  const dir = scratch();
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  makeDisk(a);
  const first = await runDomus(["sync", "--json", "--keep-index", "--verify", a, b]);
  expect(last(first.stdout)).toMatchObject({ done: { rereadBytes: 9_437_185 } });
  expect(await runDomus(["sync", "--check", a, b])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("is equal to"),
  });
  change(a, 5_000_000);
  const differs = await runDomus(["sync", "--check", "--json", a, b]);
  expect(differs.code).toBe(3);
  expect(last(differs.stdout)).toMatchObject({
    done: { differing: { equal: false, differingBytes: MIB, runs: [{ first: 4, count: 1 }] } },
  });
  const known = await runDomus(["sync", "--json", "--keep-index", a, b]);
  expect(last(known.stdout)).toMatchObject({
    done: { writtenBytes: 4096, destination: { knownBytes: 9_437_185 } },
  });
  // Behind domus's back: what its record knows is not believed any more.
  change(b, 1_000_000);
  const doubted = await runDomus(["sync", "--json", "--keep-index", a, b]);
  expect(last(doubted.stdout)).toMatchObject({ done: { destination: { knownBytes: 0 } } });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
});

test("through pipes: stdin to a file, a file to stdout", async () => {
  const dir = scratch();
  const [a, b, c] = [join(dir, "a"), join(dir, "b"), join(dir, "c")];
  makeDisk(a);
  const domus = `${NODE} ${MAIN} sync`;
  sh(`cat ${a} | ${domus} --size 9437185 - ${b}`);
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  sh(`${domus} ${b} - | cat >${c}`);
  expect(readFileSync(c).equals(readFileSync(a))).toBe(true);
  // The destination says how long it is, and what comes is not.
  expect(() => sh(`head -c 5000000 ${a} | ${domus} - ${b}`)).toThrow(/stdin ended after 5000000/);
  expect(() => sh(`cat ${a} ${a} | ${domus} - ${b}`)).toThrow(/stdin is longer than/);
  expect(() => sh(`${domus} ${a} - | head -c 10 >${c}`)).toThrow(/not whole: throw it away/);
});

test("--dry-run changes nothing", async () => {
  const dir = scratch();
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  makeDisk(a);
  const dry = await runDomus(["sync", "--dry-run", a, b]);
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("Nothing was changed") });
  expect(existsSync(b)).toBe(false);
});

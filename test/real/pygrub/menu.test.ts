/* oxlint-disable no-control-regex -- what a terminal gets is what this test is about */
/** The menu on a real pseudo terminal, as libxl gives the bootloader one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { need, scratch } from "../../support/need.ts";
import { ext4, grubEntry, THREE, tree } from "../../support/pygrub-images.ts";

const ON_TERMINAL = join(import.meta.dirname, "../../support/on-terminal.py");
const MAIN = join(import.meta.dirname, "../../../src/pygrub/main.ts");
const ENTER = "\r";
const UP = "\x1b[A";
const DOWN = "\x1bOB";

type Step = readonly ["wait" | "type", string] | readonly ["size", number, number];

function grubDisk(config: string): string {
  return ext4(tree({ "/boot/grub/grub.cfg": config }));
}

function onTerminal(image: string, steps: readonly Step[], options: readonly string[] = []) {
  need("python3");
  const work = scratch();
  const [dir, out] = [join(work, "d"), join(work, "out")];
  mkdirSync(dir);
  writeFileSync(out, "");
  const where = [`--output=${out}`, `--output-directory=${dir}`, "--output-format=simple"];
  const ran = spawnSync(
    "python3",
    [ON_TERMINAL, JSON.stringify(steps), process.execPath, MAIN, ...where, ...options, image],
    { encoding: "utf8", env: { ...process.env, TERM: "vt100" } },
  );
  const answer = readFileSync(out, "utf8");
  const [, kernel] = /^kernel (.*)$/m.exec(answer) ?? [];
  return {
    exitCode: ran.status,
    screen: ran.stdout,
    why: ran.stderr,
    args: /^args (.*)$/m.exec(answer)?.[1],
    ...(kernel !== undefined && { kernel: readFileSync(kernel, "utf8") }),
    left: readdirSync(dir).length,
    answer,
  };
}

const WAITS = `set timeout=-1\n${THREE}`;

test("arrows select, Enter starts", () => {
  const ran = onTerminal(grubDisk(WAITS), [
    ["size", 24, 80],
    ["wait", "Entry 1 of 3"],
    ["type", DOWN],
    ["wait", "Entry 2 of 3"],
    ["type", DOWN],
    ["wait", "Entry 3 of 3"],
    ["type", UP],
    ["wait", "Entry 2 of 3"],
    ["type", ENTER],
  ]);
  expect(ran, ran.why).toMatchObject({
    exitCode: 0,
    kernel: "/boot/vmlinuz-2",
    args: "root=/dev/xvda2 ro",
    left: 2,
  });
});

test("arguments are edited, and Escape goes back without", () => {
  const ran = onTerminal(grubDisk(WAITS), [
    ["wait", "Entry 1 of 3"],
    ["type", "a"],
    ["wait", "> root=/dev/xvda1 ro"],
    ["type", " lost"],
    ["wait", "ro lost"],
    ["type", "\x1b"],
    ["wait", "Entry 1 of 3"],
    ["type", "a"],
    ["wait", "> root=/dev/xvda1 ro"],
    ["type", "\x7f\x7frw single"],
    ["wait", "rw single"],
    ["type", ENTER],
  ]);
  expect(ran, ran.why).toMatchObject({ exitCode: 0, args: "root=/dev/xvda1 rw single" });
});

test("the configuration's timeout starts the default", () => {
  const ran = onTerminal(grubDisk(`set timeout=2\nset default=2\n${THREE}`), [
    ["wait", "starts in 2 s"],
    ["wait", "starts in 1 s"],
  ]);
  expect(ran, ran.why).toMatchObject({ exitCode: 0, kernel: "/boot/vmlinuz-3" });
  const atOnce = onTerminal(grubDisk(`set timeout=0\n${THREE}`), []);
  expect(atOnce).toMatchObject({ exitCode: 0, kernel: "/boot/vmlinuz-1" });
  expect(atOnce.screen).not.toContain("Up and Down");
});

test("Ctrl-C ends it with 1 and leaves nothing, and the terminal is put in order", () => {
  const ran = onTerminal(grubDisk(WAITS), [
    ["wait", "Entry 1 of 3"],
    ["type", "\x03"],
  ]);
  expect(ran, ran.why).toMatchObject({ exitCode: 1, answer: "", left: 0 });
  // The cursor is shown again.
  expect(ran.screen).toMatch(/\x1b\[\?25h[^\x1b]*$/);
});

test("a window of 40 columns gets no line that is longer", () => {
  const long = grubEntry("a title that is very much longer than forty columns are", 1);
  const ran = onTerminal(grubDisk(`set timeout=-1\n${long}${THREE}`), [
    ["wait", "Entry 1 of 4"],
    ["size", 12, 40],
    ["wait", "Entry 1 of 4"],
    ["type", DOWN],
    ["wait", "Entry 2 of 4"],
    ["type", ENTER],
  ]);
  expect(ran.exitCode, ran.why).toBe(0);
  const last = ran.screen.split("\x1b[H").find((one) => one.includes("Entry 2 of 4"))!;
  const lines = last.split(/\r+\n/).map((line) => line.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, ""));
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(lines.length).toBeLessThanOrEqual(12);
});

test("a guest's titles and arguments reach the terminal without their control characters", () => {
  const evil = "\x1b]0;owned\x07\x1b[2J\x9b31m";
  const config = `set timeout=-1\n${grubEntry(`x${evil}y`, 1).replace("root=", `${evil} root=`)}${THREE}`;
  const ran = onTerminal(grubDisk(config), [
    ["wait", "Entry 1 of 4"],
    ["type", "a"],
    ["wait", "Arguments"],
    ["type", "\x1b"],
    ["wait", "Entry 1 of 4"],
    ["type", ENTER],
  ]);
  expect(ran.exitCode, ran.why).toBe(0);
  expect(ran.screen).not.toMatch(/\x1b\]|\x07|\x1b\[2J|\x9b|\u009b/);
});

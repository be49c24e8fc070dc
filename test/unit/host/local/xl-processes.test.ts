import { spawn } from "node:child_process";
import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { xlProcessesWith } from "../../../../src/host/local/xl-processes.ts";

/** A program called xl that waits, with its output in that file. */
async function waiting(word: string, name: string, output: string): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "domus-xl-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, name);
  copyFileSync("/bin/sleep", program);
  const out = openSync(join(directory, output), "w");
  const child = spawn(program, [word], { stdio: ["ignore", out, out] });
  closeSync(out);
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.once("spawn", resolve));
  return child.pid!;
}

/** Sleep takes it for a time, and nobody else has it on a command line; each test has its own. */
const word = (digit: number) => `86400.${process.pid}${digit}`;

test("xl at work is told from other programs", async () => {
  const builder = await waiting(word(1), "xl", "output");
  await waiting(word(1), "xlother", "output");
  expect(xlProcessesWith(word(1))).toEqual([builder]);
  expect(xlProcessesWith(`${word(1)}0`)).toEqual([]);
});

test("the monitor of a domain does not count", async () => {
  await waiting(word(2), "xl", "xl-pandora.log");
  expect(xlProcessesWith(word(2))).toEqual([]);
});

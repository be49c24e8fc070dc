import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { readLocalConsole } from "../../../../src/host/local/console.ts";

let dir: string;
const path = process.env["PATH"];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-console-"));
  process.env["PATH"] = `${dir}:${path}`;
});

afterEach(() => {
  process.env["PATH"] = path;
  rmSync(dir, { recursive: true, force: true });
});

/** A program `xl` that leaves its pid behind. */
function xl(script: string): void {
  const file = join(dir, "xl");
  writeFileSync(file, `#!/bin/sh\necho $$ "$@" > ${dir}/called\n${script}\n`);
  chmodSync(file, 0o755);
}

const called = () => readFileSync(join(dir, "called"), "utf8").trim().split(" ");

async function readAll(signal = new AbortController().signal): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const bytes of readLocalConsole(7, signal)) parts.push(bytes);
  return Buffer.concat(parts).toString();
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("all that is on the console, until it ends; its input stays open", async () => {
  // 124: it had nothing to read, and did not end either.
  xl("printf 'one\\ntwo '; timeout 0.2 cat; echo $?");
  expect(await readAll()).toBe("one\ntwo 124\n");
  expect(called().slice(1)).toEqual(["console", "7"]);
});

test("what xl says when it cannot be read", async () => {
  xl("echo 'xenconsole: Could not lock /var/lock/xenconsole.7' >&2; exit 11");
  expect(await attempt(() => readAll())).toMatchObject({
    ok: false,
    failure: { kind: "io", errno: "xenconsole: Could not lock /var/lock/xenconsole.7" },
  });
});

test("a console that ends after it was read is no failure", async () => {
  xl("echo one; exit 1");
  expect(await readAll()).toBe("one\n");
});

test("without a setpriv that can do it, and without any", async () => {
  xl("echo one");
  const setpriv = join(dir, "setpriv");
  const unknown = "setpriv: unrecognized option '--pdeathsig'\\nTry 'setpriv --help'.\\n";
  writeFileSync(setpriv, `#!/bin/sh\nprintf "${unknown}" >&2; exit 1\n`);
  chmodSync(setpriv, 0o755);
  expect(await readAll()).toBe("one\n");
  rmSync(setpriv);
  process.env["PATH"] = dir;
  expect(await readAll()).toBe("one\n");
});

test("no xl", async () => {
  process.env["PATH"] = dir;
  expect(await attempt(() => readAll())).toMatchObject({ ok: false, failure: { kind: "io" } });
});

test("one that does not hear that it is to end is ended", async () => {
  // What is ignored stays ignored in the program that takes the shell's place.
  xl("trap '' TERM; echo one; exec sleep 1000");
  const end = new AbortController();
  for await (const _ of readLocalConsole(7, end.signal)) end.abort();
  expect(isAlive(Number(called()[0]))).toBe(false);
  for await (const _ of readLocalConsole(7, new AbortController().signal)) break;
  expect(isAlive(Number(called()[0]))).toBe(false);
});

test("ends when it is told to, and when nobody reads on", async () => {
  xl("echo one; exec sleep 1000");
  const end = new AbortController();
  for await (const _ of readLocalConsole(7, end.signal)) end.abort();
  expect(isAlive(Number(called()[0]))).toBe(false);
  for await (const _ of readLocalConsole(7, new AbortController().signal)) break;
  expect(isAlive(Number(called()[0]))).toBe(false);
  end.abort();
  expect(await readAll(end.signal)).toBe("");
});

/** Where a command's words go may be full, or closed. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runDomus } from "../../support/run-domus.ts";
import { MAIN, NODE } from "../../support/sshd.ts";

const BASE = mkdtempSync(join(tmpdir(), "domus-streams-"));
mkdirSync(join(BASE, "etc/xen"), { recursive: true });
writeFileSync(join(BASE, "etc/xen/web1.cfg"), 'name = "web1"\nmemory = 128\n');
afterAll(() => rmSync(BASE, { recursive: true }));

test.each([[], ["--json"]])(
  "a full disk behind stdout: said, and exit code 1 %j",
  async (...flags) => {
    const full = openSync("/dev/full", "w");
    try {
      const ran = await runDomus(["list", ...flags, "--root", BASE], { stdout: full });
      expect(ran).toMatchObject({
        code: 1,
        stderr: "domus: the result could not be written to stdout: ENOSPC\n",
      });
    } finally {
      closeSync(full);
    }
  },
);

describe("the terminal is gone", () => {
  const copy = () => {
    const [a, b] = [join(BASE, "a"), join(BASE, "b")];
    writeFileSync(a, randomBytes(24 << 20));
    const child = spawn(NODE, [MAIN, "sync", "--json", "--bwlimit", "300K", a, b], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr, sent] = ["", "", false];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      // It is under way: 24 MiB cannot be there yet.
      if (!sent && stdout.includes('"progress"')) sent = child.kill("SIGHUP");
    });
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    return new Promise((resolve) =>
      child.on("close", (code) =>
        resolve({ code, sent, stderr, last: stdout.trim().split("\n").at(-1) }),
      ),
    );
  };

  test("a command ends in order", async () => {
    expect(await copy()).toEqual({
      ...{ code: 130, sent: true, stderr: expect.stringContaining("Interrupted.") },
      last: expect.stringContaining('"interrupted"'),
    });
  }, 180_000);
});

/** As `domus ... | head -n 1` does. */
function untilFirstLine(argv: readonly string[]) {
  return runDomus(argv, { onLine: (_line, child) => child.stdout?.destroy() });
}

test("nobody reads stdout any more: a copy comes to its end, and its exit code is its own", async () => {
  const [a, b] = [join(BASE, "from"), join(BASE, "to")];
  const bytes = randomBytes(8 << 20);
  writeFileSync(a, bytes);
  // Slow enough for documents of progress in between, which nobody hears.
  const ran = await untilFirstLine(["sync", "--json", "--bwlimit", "3M", a, b]);
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('"plan"') });
  expect(readFileSync(b).equals(bytes)).toBe(true);
  writeFileSync(b, "other");
  expect((await untilFirstLine(["sync", "--json", "--check", a, b])).code).toBe(3);
}, 180_000);

test("nobody reads stdout any more: what only says something ends", async () => {
  mkdirSync(join(BASE, "many"));
  for (let n = 0; n < 2000; n++)
    writeFileSync(join(BASE, "many", `g${n}.cfg`), `name = "guest-of-a-long-name-${n}"\n`);
  const ran = await untilFirstLine(["list", "--json", "--also", join(BASE, "many")]);
  expect(ran.code).toBe(0);
}, 180_000);

test("nobody reads stderr: the command comes to its end all the same", async () => {
  // `domus ... 2>&1 >result | head -0`
  const child = spawn(NODE, [MAIN, "list", "--also", "/nonexistent", "--root", BASE], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.destroy();
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining("1 guest: 1 stopped"),
  });
});

/** Where a command's words go may be full, or closed. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
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

/** A reader of a console that is left over would keep it from everybody: it ends with domus, whatever ends that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { NODE } from "../../support/sshd.ts";

const MODULE = join(import.meta.dirname, "../../../src/host/local/console.ts");

/** Of a process that nobody has waited for, too. */
function isRunning(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

test("the reader ends when domus is killed", async () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-console-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "xl"), "#!/bin/sh\necho $$\nexec sleep 100000\n");
  chmodSync(join(dir, "xl"), 0o755);
  const code = `import { readLocalConsole } from ${JSON.stringify(MODULE)};
    for await (const bytes of readLocalConsole(7, new AbortController().signal)) process.stdout.write(bytes);`;
  const child = spawn(NODE, ["--input-type=module", "-e", code], {
    env: { ...process.env, PATH: `${dir}:${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const pid = line.toString().trim();
  expect(isRunning(pid)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => isRunning(pid), { timeout: 120_000, interval: 50 }).toBe(false);
});

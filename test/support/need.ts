/** Tests use real tools and never skip silently: what is absent is an error that names the package. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { PACKAGES } from "../../lab/packages.ts";

/** Fails the test when a program is not installed, and says what to install. */
export function need(...programs: string[]): void {
  for (const program of programs) {
    const found = spawnSync("sh", ["-c", `command -v "$1"`, "sh", program], {
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    });
    if (found.status === 0) continue;
    throw new Error(
      `this test needs ${program}: apt-get install ${PACKAGES[program] ?? program} (see CONTRIBUTING.md)`,
    );
  }
}

/** Loop mounts need root; a test that mounts says so by name. */
export function needRoot(why: string): void {
  if (process.getuid?.() !== 0) throw new Error(`this test needs root: ${why}`);
}

/** Runs a program to its end; fails with its stderr when it does not exit with 0. */
export function sh(command: string, options: { cwd?: string; input?: string | Uint8Array } = {}) {
  const ran = spawnSync("bash", ["-euo", "pipefail", "-c", command], {
    ...options,
    maxBuffer: 1 << 30,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  if (ran.status !== 0) {
    throw new Error(`${command}\nexit ${ran.status ?? ran.signal}\n${ran.stderr.toString()}`);
  }
  return ran.stdout;
}

/** A directory that goes away with the test (or suite, when called in beforeAll with `keep`). */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), "domus-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

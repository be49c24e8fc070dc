/** domus sync that is told to end while the other side says nothing, and something else holds the pipes to it. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scratch } from "../../support/need.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");

test("ends when it is told to, whoever holds the other ends of its pipes", async () => {
  const directory = scratch();
  const [transport, source, pids] = ["transport", "source", "pids"].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  writeFileSync(source, "x".repeat(5000));
  // As a connection that ssh keeps open for the next one holds stderr.
  writeFileSync(
    transport,
    `sleep 1000 &\necho $! $$ > ${pids}.new\nmv ${pids}.new ${pids}\nexec sleep 1000\n`,
  );
  const argv = [MAIN, "sync", "--ssh", `sh ${transport}`, source, "far:/nowhere"];
  const near = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "ignore"] });
  onTestFinished(() => {
    near.kill("SIGKILL");
    const text = existsSync(pids) ? readFileSync(pids, "utf8").trim() : "";
    for (const pid of text === "" ? [] : text.split(" ")) killIfThere(Number(pid));
  });
  while (!existsSync(pids)) await new Promise((resolve) => setTimeout(resolve, 20));
  near.kill("SIGTERM");
  const code = await new Promise((resolve) => near.once("exit", resolve));
  expect(code).toBe(130);
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended with the other side.
  }
}

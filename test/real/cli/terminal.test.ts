/** `domus check` on a real terminal: the progress of many guests, narrow windows, Ctrl-C. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSampleHost } from "../../../tools/sample/host.ts";
import { need } from "../../support/need.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");
const BASE = mkdtempSync(join(tmpdir(), "domus-terminal-"));
const ONE_GUEST = 'name = "NAME"\nmemory = 512\nbootloader = "/usr/bin/pygrub"\n';

beforeAll(() => {
  need("script", "stty", "mkfs.ext4", "sfdisk", "mkswap");
  makeSampleHost(join(BASE, "host"));
  mkdirSync(join(BASE, "many"));
  for (let i = 0; i < 200; i++) {
    const disk = `disk = [ '${join(BASE, "host/srv/xen/pandora.img")},raw,xvda,w' ]\n`;
    const text = `${ONE_GUEST.replace("NAME", `g${i}`)}${disk}`;
    writeFileSync(join(BASE, "many", `g${i}.cfg`), text);
  }
});

afterAll(() => rmSync(BASE, { recursive: true }));

const words = (...args: string[]) => [process.execPath, MAIN, ...args].join(" ");

type Shown = { readonly code: number | null; readonly text: string };

/** Runs a command line on a terminal of its own, with escapes shown as ESC; `onText` gets what is shown so far and may type. */
function onTerminal(
  command: string,
  columns: number,
  onText: (shown: string, type: (keys: string) => void) => void = () => {},
): Promise<Shown> {
  return new Promise((resolve) => {
    const line = `stty cols ${columns}; exec ${command}`;
    const child = spawn("script", ["-qefc", line, "/dev/null"], {
      env: { ...process.env, TERM: "xterm" },
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8").replaceAll("\u001b", "ESC");
      onText(text, (keys) => child.stdin.write(keys));
    });
    child.on("close", (code) => resolve({ code, text }));
  });
}

/** What the terminal was sent for its progress line, each time. */
const progressOf = (text: string) =>
  [...text.matchAll(/\rESC\[K([^\r\n]*)/g)].map((one) => one[1]!);

test("many guests: one line that fits, taken away before the table", async () => {
  const { code, text } = await onTerminal(words("check", "--root", join(BASE, "host")), 30);
  const before = text.slice(0, text.indexOf("GUEST"));
  const shown = progressOf(before.replaceAll("ESC[1m", ""));
  expect(code).toBe(3);
  expect(shown.length).toBeGreaterThan(5);
  for (const line of shown) expect(line.length).toBeLessThan(30);
  expect(shown[0]).toMatch(/^checking 1 of 6: /);
  // The last of them is empty, and no other line feed was printed until then.
  expect(before).toMatch(/^[^\n]*\rESC\[K(?:ESC\[1m)?$/);
}, 60_000);

test("Ctrl-C in the middle: 130, one word, and a clean line", async () => {
  let typed = false;
  const { code, text } = await onTerminal(
    words("check", "--xen", "4.17", join(BASE, "many")),
    80,
    (shown, type) => {
      if (typed || !shown.includes("checking 5 of 200")) return;
      typed = true;
      type("\u0003");
    },
  );
  expect(code).toBe(130);
  expect(text).toMatch(/\rESC\[KInterrupted\.\r\n$/);
  expect(progressOf(text).length).toBeLessThan(150);
}, 60_000);

test("no progress where stderr is no terminal", () => {
  const ran = spawnSync(process.execPath, [MAIN, "check", "--root", join(BASE, "host")], {
    encoding: "utf8",
  });
  expect(ran.stderr).not.toContain("checking");
  expect(ran.stdout).toMatch(/^GUEST/);
}, 60_000);

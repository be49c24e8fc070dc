import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stateKey, watchStates } from "../../../../src/host/local/xentop.ts";
import { randomSource } from "../../../support/mutate.ts";

const HEADER = "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k)";
const row = (name: string, flags: string, seconds = 5) =>
  `${name.padStart(10)} ${flags} ${String(seconds).padStart(10)}    0.3      98304    3.1      99328`;
const frame = (...rows: string[]) => `${[HEADER, ...rows].join("\n")}\n`;

const POLL = { timeout: 50_000, interval: 5 };
/** Prints what is written into the file, as it grows. */
const follow = (file: string) => ["tail", "-c", "+1", "-f", "-s", "0.05", file];

let dir = "";
let file = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-xentop-"));
  file = join(dir, "frames");
  writeFileSync(file, "");
});
afterEach(() => rmSync(dir, { recursive: true }));

test("only what a state is made of counts", () => {
  const before = frame(row("Domain-0", "-----r"), row("web", "--b---"));
  const same = [
    frame(row("Domain-0", "--b---", 6), row("web", "-----r", 9)),
    frame(row("web", "------"), row("Domain-0", "-----r")),
  ];
  for (const text of same) expect(stateKey(text)).toBe(stateKey(before));
  const others = [
    ...["----p-", "---c--", "-s----", "d-----"].map((flags) =>
      frame(row("Domain-0", "-----r"), row("web", flags)),
    ),
    frame(row("Domain-0", "-----r")),
    frame(row("Domain-0", "-----r"), row("mail", "--b---")),
    frame(row("Domain-0", "-----r"), row("web", "--b---"), row("web", "--b---")),
  ];
  expect(new Set([before, ...others].map(stateKey)).size).toBe(others.length + 1);
});

test("a name that looks like a row, and damage, end nothing", () => {
  const random = randomSource(5);
  const text = frame(row("web ----p- 5", "--b---"), row("\u001b[2J", "-----r"));
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(text);
    bytes[random(bytes.length)] = random(256);
    stateKey(bytes.toString("latin1"));
  }
});

test("a change is a tick, also the first that is heard; what stays is none", async () => {
  let ticks = 0;
  using states = watchStates({ onTick: () => ticks++, argv: follow(file) });
  states.want(true);
  const paused = frame(row("web", "----p-"));
  appendFileSync(file, frame(row("web", "--b---")));
  await expect.poll(() => ticks, POLL).toBe(1);
  expect(states.ticking).toBe(true);
  appendFileSync(file, frame(row("web", "-----r", 6)) + paused + frame(row("web", "--b---", 7)));
  // Three frames that come at once: paused, and back again.
  await expect.poll(() => ticks, POLL).toBe(3);
});

test("one that ends is started again; where there is none, nobody ticks", async () => {
  const started = join(dir, "started");
  let ticks = 0;
  const script = `echo x >> ${started}; cat ${file}`;
  writeFileSync(file, frame(row("web", "--b---")));
  using states = watchStates({
    ...{ onTick: () => ticks++, argv: ["sh", "-c", script], retryMs: 1 },
  });
  states.want(true);
  await expect.poll(() => lines(started), POLL).toBeGreaterThan(3);
  // What it says again is no news.
  expect(ticks).toBe(1);
  states.want(false);
  expect(states.ticking).toBe(false);

  using none = watchStates({ onTick: () => ticks++, argv: [join(dir, "none")], retryMs: 1 });
  none.want(true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(none.ticking).toBe(false);
  expect(ticks).toBe(1);
});

function lines(path: string): number {
  try {
    return readFileSync(path, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}

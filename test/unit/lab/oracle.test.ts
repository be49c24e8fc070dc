import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OracleCase } from "../../../lab/oracle/case.ts";
import { CASES } from "../../../lab/oracle/cases.ts";
import { compare, EVIDENCE } from "../../../lab/oracle/compare.ts";
import { fixtureOf } from "../../../lab/oracle/fixture.ts";
import { observe, parseTried, type Dom0, type Observation } from "../../../lab/oracle/observe.ts";
import type { Prediction } from "../../../lab/oracle/predict.ts";
import type { Ran } from "../../../lab/ssh.ts";

const CASE: OracleCase = { name: "a case", releases: ["bookworm"] };
const PANIC =
  "[    1.2] Initramfs unpacking failed: invalid magic at start of compressed archive\n[    1.3] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n";

function said(verdict: Prediction["verdict"], code?: string): Prediction {
  const severity = verdict === "fails" ? "error" : "warning";
  const why = 'The kernel prints "Initramfs unpacking failed: invalid magic ... archive".';
  const finding = { severity, where: [], what: "", why, next: "" } as const;
  return { verdict, memoryMib: 192, findings: code === undefined ? [] : [{ ...finding, code }] };
}

function seen(outcome: Observation["outcome"], text: Partial<Observation> = {}): Observation {
  return { outcome, xl: "", console: "", seconds: 1, ...text };
}

/** What dom0's part prints. */
function printed(code: number, end: string, { xl = "", console = "" } = {}): string {
  return `code=${code} end=${end}\n${xl}\n=== console\n${console}\n=== end\n`;
}

const REACHED = "x\ndomus-lab: userland reached\n";

describe("parseTried", () => {
  test.each([
    ["said", REACHED, "userland"],
    ["said", "domus-lab: no device for root=/dev/x\n", "stuck"],
    ["said", PANIC, "panic"],
    ["gone", "x\n", "gone"],
    ["limit", "x\n", "time is up"],
    ["built", "", "built"],
  ] as const)("xl went through, %s: %j", (end, console, outcome) => {
    expect(parseTried(printed(0, end, { console }))?.outcome).toBe(outcome);
  });

  test("what xl says by its exit code", () => {
    const xl = "xc: error: panic\n";
    expect(parseTried(printed(1, "built", { xl }))?.outcome).toBe("refused");
    expect(parseTried(printed(124, "built", { xl }))?.outcome).toBe("time is up");
  });

  test("an xl that died of a signal, or failed beside a guest that runs, says nothing", () => {
    expect(parseTried(printed(139, "built"))).toBeUndefined();
    expect(parseTried(printed(1, "built", { console: REACHED }))).toBeUndefined();
  });

  test("what did not get here whole says nothing, wherever it ends", () => {
    const whole = printed(1, "built", { xl: "xl: refused\n" });
    expect(parseTried(whole)?.outcome).toBe("refused");
    const cuts = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
    expect(cuts.filter((cut) => parseTried(cut) !== undefined)).toEqual([]);
    expect(parseTried(whole.replace("code=1", "code="))).toBeUndefined();
  });

  test("keeps what xl and the console said apart", () => {
    const text = printed(0, "said", { xl: "xl one\nxl two\r\n", console: "guest\r\n" });
    expect(parseTried(text)).toMatchObject({ xl: "xl one\nxl two", console: "guest\n" });
  });
});

describe("observe", () => {
  /** A dom0 that gives these answers to tries, in order, and notes what is asked of it. */
  function dom0(tries: readonly Partial<Ran>[]): Dom0 & { readonly asked: string[] } {
    const asked: string[] = [];
    const left = [...tries];
    const quiet: Ran = { code: 0, stdout: "", stderr: "", timedOut: false };
    return {
      asked,
      output: () => Promise.resolve(""),
      run: (command) => {
        const [, script = ""] = /\/([a-z-]+) oracle1/.exec(command) ?? [];
        asked.push(script);
        return Promise.resolve({ ...quiet, ...(script === "try" ? left.shift() : {}) });
      },
    };
  }
  const staged = { one: CASE, guest: "oracle1", configPath: "/srv/oracle/configs/oracle1.cfg" };
  const booted = { stdout: printed(0, "said", { console: REACHED }) };

  test("a whole answer counts", async () => {
    const host = dom0([booted]);
    expect((await observe(host, staged, "")).outcome).toBe("userland");
    expect(host.asked).toEqual(["try"]);
  });

  test.each([
    ["no answer", { code: 255, stderr: "mux_client_read_packet: Broken pipe" }],
    ["half an answer", { stdout: booted.stdout.slice(0, -20) }],
    ["no end", { ...booted, timedOut: true }],
  ] as const)("%s: the guest is taken away and created once more", async (_, broken) => {
    const host = dom0([broken, booted]);
    expect((await observe(host, staged, "")).outcome).toBe("userland");
    expect(host.asked).toEqual(["try", "take-away", "try"]);
  });

  test("twice: it is told as what it is, and is no verdict", async () => {
    const broken = { code: 255, stderr: "Connection to 127.0.0.1 closed" };
    const host = dom0([broken, { timedOut: true }, booted]);
    const lost = await observe(host, staged, "");
    expect(lost).toMatchObject({ outcome: "lost", console: "" });
    expect(lost.xl).toContain("ended with exit code 255");
    expect(lost.xl).toContain("Connection to 127.0.0.1 closed");
    expect(lost.xl).toContain("has not ended in time");
    for (const verdict of ["boots", "fails", "unknown"] as const) {
      const { agrees, problems } = compare({ ...CASE, open: true }, said(verdict), lost);
      expect(agrees).toBe(false);
      expect(problems).toEqual(["nobody saw what became of the guest: the lab failed, twice"]);
    }
  });
});

describe("compare", () => {
  const agrees = (one: OracleCase, prediction: Prediction, observation: Observation) =>
    compare(one, prediction, observation).agrees;

  test("a boot", () => {
    expect(agrees(CASE, said("boots"), seen("userland"))).toBe(true);
    expect(agrees(CASE, said("boots"), seen("panic"))).toBe(false);
    expect(agrees(CASE, said("fails", "initramfs-junk"), seen("userland"))).toBe(false);
  });

  test("a failure counts only when it is the one that was foretold", () => {
    const died = seen("panic", { console: PANIC });
    expect(agrees(CASE, said("fails", "initramfs-compression"), died)).toBe(true);
    expect(agrees(CASE, said("fails", "pygrub-blind"), died)).toBe(false);
  });

  test("not to know is right only where the case says so", () => {
    expect(agrees(CASE, said("unknown"), seen("userland"))).toBe(false);
    expect(agrees({ ...CASE, open: true }, said("unknown"), seen("userland"))).toBe(true);
  });

  test("a rule that falls silent is noticed, though another speaks", () => {
    const one = { ...CASE, code: "initramfs-lz4-frame" };
    const died = seen("panic", { console: PANIC });
    expect(agrees(one, said("fails", "initramfs-compression"), died)).toBe(false);
  });

  test("where the least memory is asked for, only the building counts", () => {
    const one: OracleCase = { ...CASE, memory: "least" };
    expect(agrees(one, said("boots"), seen("built"))).toBe(true);
    expect(agrees(one, said("boots"), seen("refused"))).toBe(false);
  });

  test("the command line is the one that was told, as far as the kernel shows it", () => {
    const prediction = { ...said("boots"), args: "root=/dev/xvda  quiet" };
    const shown = (args: string) =>
      seen("userland", { console: `[ 0.1] Kernel command line: ${args}\n` });
    expect(agrees(CASE, prediction, shown("root=/dev/xvda quiet"))).toBe(true);
    expect(agrees(CASE, prediction, shown("root=/dev/xvdb quiet"))).toBe(false);
  });

  test("tells which of the quoted texts were seen, piece by piece", () => {
    const died = seen("panic", { console: PANIC });
    const { quoted } = compare(CASE, said("fails", "initramfs-junk"), died);
    expect(quoted).toEqual([
      { text: "Initramfs unpacking failed: invalid magic ... archive", seen: true },
    ]);
  });
});

test("the cases have names of their own, and the subset is on Xen 4.17", () => {
  for (const release of ["bullseye", "bookworm", "trixie"] as const) {
    const names = CASES.filter((one) => one.releases.includes(release)).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  }
  const subset = CASES.filter((one) => one.subset);
  expect(subset.every((one) => one.releases.includes("bookworm"))).toBe(true);
});

describe("the kept texts", () => {
  const directory = join(import.meta.dirname, "../../corpus/console");
  // What domus-pygrub says has tests of its own.
  const files = readdirSync(directory).filter(
    (name) => name.endsWith(".txt") && !name.startsWith("domus-pygrub"),
  );

  test.each(files)("%s shows what it is named after", (file) => {
    const code = /^(.+)-xen-\d+\.\d+\.txt$/.exec(file)?.[1] ?? "";
    expect(EVIDENCE[code], code).toBeInstanceOf(RegExp);
    expect(readFileSync(join(directory, file), "utf8")).toMatch(EVIDENCE[code]!);
  });

  test("are cut to what is about the failure", () => {
    const noise = Array.from({ length: 500 }, (_, at) => `[ 0.${at}] noise ${at}`).join("\n");
    const console = `[    0.0] Linux version 6.1\n${noise}\n${PANIC}`;
    const prediction = said("fails", "initramfs-compression");
    const observation = seen("panic", { console });
    const fixture = fixtureOf({
      release: "bookworm",
      one: CASE,
      said: prediction,
      seen: observation,
      comparison: compare(CASE, prediction, observation),
    });
    expect(fixture?.name).toBe("initramfs-compression-xen-4.17");
    const lines = fixture?.text.split("\n") ?? [];
    expect(lines.length).toBeLessThan(30);
    expect(lines.slice(0, 3)).toEqual([
      "[    0.0] Linux version 6.1",
      "[...]",
      "[ 0.478] noise 478",
    ]);
    expect(fixture?.text.endsWith(PANIC)).toBe(true);
  });
});

import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { watchBoot } from "../../../../src/guest/console/watch-boot.ts";
import type { WatchOptions } from "../../../../src/guest/console/watch-boot.ts";
import type { Host } from "../../../../src/host/host.ts";
import { fakeClock } from "../../../support/clock.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { FakeDomain } from "../../../support/dom0.ts";

const UUID = "822e57d0-1279-42d4-ac91-63be99d78339";
const WEB1: FakeDomain = { domid: 3, name: "web1", uuid: UUID };
const PANIC =
  "[ 8.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n";

/** Xen's answers, one after the other; the last stays. `null`: it does not answer. */
function hostOf(
  answers: readonly (readonly FakeDomain[] | null)[],
  files: Readonly<Record<string, string>>,
): Host {
  let at = 0;
  return {
    ...fakeDom0({ files }),
    async run(argv) {
      expect(argv).toEqual(["xl", "list", "-v"]);
      const domains = answers[Math.min(at++, answers.length - 1)]!;
      if (domains === null) return { argv, exitCode: 1, stdout: "", stderr: "libxl: error: no\n" };
      return { argv, exitCode: 0, stderr: "", stdout: xlList(domains)["xl list -v"]! };
    },
  };
}

type Console = readonly string[] | "refused";

/** What each domain's console says; it stays open behind the last piece. */
function watch(
  answers: readonly (readonly FakeDomain[] | null)[],
  consoles: Readonly<Record<number, Console>>,
  { files = {}, ...options }: WatchOptions & { files?: Readonly<Record<string, string>> } = {},
) {
  const opened: number[] = [];
  const closed: number[] = [];
  const clock = fakeClock();
  async function* readConsole(domid: number, signal: AbortSignal) {
    opened.push(domid);
    const pieces = consoles[domid] ?? [];
    if (pieces === "refused")
      throw ioFailure(["xl console"], "read the console", "Could not lock it");
    try {
      for (const piece of pieces) {
        await clock.sleep(0);
        yield Uint8Array.from(Buffer.from(piece, "latin1"));
      }
      if (signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } finally {
      closed.push(domid);
    }
  }
  const ports = { host: hostOf(answers, files), readConsole, clock };
  const outcome = watchBoot(ports, { domid: 3, name: "web1", uuid: UUID }, options);
  return { outcome, clock, opened, closed };
}

describe("the console decides", () => {
  test("up", async () => {
    const { outcome, closed } = watch([[WEB1]], {
      3: ["Debian 12 web1 hvc0\r\n\r\n", "web1 log", "in: "],
    });
    expect(await outcome).toEqual({
      outcome: "up",
      reason: "it asks for a login",
      evidence: ["Debian 12 web1 hvc0", "web1 login:"],
      domid: 3,
    });
    expect(closed).toEqual([3]);
  });

  test("failed, though the domain is gone by then", async () => {
    const { outcome } = watch([[WEB1], [WEB1], []], { 3: [PANIC] });
    expect(await outcome).toMatchObject({
      outcome: "failed",
      reason: "the kernel panicked: VFS: Unable to mount root fs on unknown-block(0,0)",
    });
  });

  test("what a guest says is escaped, its last lines are kept, each is told", async () => {
    const lines: string[] = [];
    const many = Array.from({ length: 100 }, (_, n) => `line ${n} \u009b31m\r\n`);
    const { outcome } = watch(
      [[WEB1]],
      { 3: [...many, "web1 login: "] },
      { onLine: (line) => lines.push(line) },
    );
    const { evidence } = await outcome;
    expect(evidence).toHaveLength(20);
    expect(evidence.at(-2)).toBe("line 99 \\x9b31m");
    expect(lines).toHaveLength(100);
  });
});

describe("Xen decides", () => {
  test("a crash", async () => {
    const { outcome } = watch([[WEB1], [{ ...WEB1, flags: "---sc-" }]], { 3: ["EIP: 0\r\n"] });
    expect(await outcome).toMatchObject({
      outcome: "failed",
      reason: "the domain crashed; the last on its console: EIP: 0",
    });
  });

  test("the end of the domain", async () => {
    const { outcome } = watch([[WEB1], []], {
      3: ["Gave up waiting for root file system device.\r\n"],
    });
    expect(await outcome).toMatchObject({
      outcome: "failed",
      reason: "the domain ended while it booted: Gave up waiting for root file system device.",
    });
  });

  test("a domain that has shut down, and stays", async () => {
    const { outcome } = watch([[{ ...WEB1, flags: "---s--" }]], {});
    const { outcome: kind, reason } = await outcome;
    expect(kind).toBe("failed");
    expect(reason).toContain("has shut down");
  });

  test("a domain of another guest with its id is not it", async () => {
    const { outcome } = watch([[WEB1], [{ ...WEB1, uuid: UUID.replace("8", "9") }]], {});
    expect(await outcome).toMatchObject({ outcome: "failed" });
  });

  test("one that does not answer is asked again, and not for ever", async () => {
    const now = watch(
      [null, [WEB1], null, null, [WEB1]],
      { 3: ["x\r\n".repeat(9)] },
      { limitMs: 30_000 },
    );
    expect(await now.outcome).toMatchObject({ outcome: "unknown" });
    const never = watch([null], {});
    await expect(never.outcome).rejects.toMatchObject({ failure: { kind: "failed" } });
  });
});

describe("a guest that restarts while it boots", () => {
  const NEXT = { ...WEB1, domid: 4 };

  test("is followed", async () => {
    const { outcome, opened } = watch([[WEB1], [WEB1], [], [NEXT]], {
      3: ["a\r\n"],
      4: ["web1 login: "],
    });
    expect(await outcome).toMatchObject({ outcome: "up", domid: 4 });
    expect(opened).toEqual([3, 4]);
  });

  describe("whose xl takes a minute for it", () => {
    const log = (action: string) => ({
      "/var/log/xen/xl-web1.log": [
        "Waiting for domain web1 (domid 3) to die [pid 77]",
        "Domain 3 has shut down, reason code 1 0x1",
        `Action for shutdown reason code 1 is ${action}`,
        "",
      ].join("\n"),
      "/proc/77/cmdline": "xl\0create\0web1.cfg\0",
    });
    const none = Array.from({ length: 30 }, () => []);
    const shut = Array.from({ length: 30 }, () => [{ ...WEB1, flags: "---s--" }]);

    test.each([
      ["to build the next domain", [[WEB1], ...none, [NEXT]]],
      ["to take the old one apart", [[WEB1], ...shut, [NEXT]]],
    ])("%s", async (_, answers) => {
      const { outcome, clock } = watch(answers, { 4: ["web1 login: "] }, { files: log("restart") });
      expect(await outcome).toMatchObject({ outcome: "up", domid: 4 });
      expect(clock.now()).toBeGreaterThanOrEqual(60_000);
    });

    test("is not waited for when it keeps the domain, nor beyond the limit", async () => {
      const kept = watch([[WEB1], ...shut], {}, { files: log("preserve") });
      expect((await kept.outcome).reason).toContain("has shut down");
      expect(kept.clock.now()).toBeLessThan(30_000);
      const hangs = watch([[WEB1], []], {}, { files: log("restart") });
      expect((await hangs.outcome).reason).toBe("the domain ended while it booted");
      expect(hangs.clock.now()).toBeLessThan(310_000);
    });
  });

  test("is not mixed up with one that has its uuid", async () => {
    const twin = { ...WEB1, domid: 2, name: "web2" };
    const { outcome } = watch([[WEB1, twin], [twin]], { 2: ["web2 login: "] });
    expect(await outcome).toMatchObject({ outcome: "failed", domid: 3 });
  });

  test("but not for ever", async () => {
    const domains = [3, 4, 4, 5, 5, 6, 6].map((domid) => [{ ...WEB1, domid }]);
    const { outcome } = watch(domains, {});
    const { outcome: kind, reason } = await outcome;
    expect([kind, reason]).toEqual(["failed", "it starts again and again (3 times)"]);
  });
});

describe("nothing decides", () => {
  test("a console that says nothing", async () => {
    const { outcome, clock } = watch([[WEB1]], { 3: [] });
    const { outcome: kind, reason } = await outcome;
    expect(kind).toBe("unknown");
    expect(reason).toMatch(/^nothing was on its console in 3\d\d s: it may be up all the same/);
    expect(clock.now()).toBeLessThan(310_000);
  });

  test("one that says something else", async () => {
    const { outcome } = watch(
      [[WEB1]],
      { 3: ["[ 0.0] Linux version 6.1.0\r\n"] },
      { limitMs: 60_000 },
    );
    expect((await outcome).reason).toBe(
      "its kernel has started, and nothing on its console said in 60 s that it is up or failed",
    );
  });

  test("one that somebody else reads: not as long", async () => {
    const { outcome, clock } = watch([[WEB1]], { 3: "refused" });
    const { outcome: kind, reason } = await outcome;
    expect(kind).toBe("unknown");
    expect(reason).toContain("its console cannot be read: xl console: read the console failed");
    expect(clock.now()).toBeLessThan(80_000);
  });

  test("a domain that is paused", async () => {
    const { outcome } = watch([[{ ...WEB1, flags: "--p---" }]], { 3: [] });
    expect((await outcome).reason).toContain("; the domain is paused");
  });
});

test("Ctrl-C ends the watching, and lets go of the console", async () => {
  const interrupt = new AbortController();
  const onLine = () => interrupt.abort();
  const { outcome, closed } = watch(
    [[WEB1]],
    { 3: ["a\r\n"] },
    { onLine, signal: interrupt.signal },
  );
  await expect(outcome).rejects.toThrow("aborted");
  expect(closed).toEqual([3]);
});

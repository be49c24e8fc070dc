import { describe, expect, test } from "vitest";
import {
  clockText,
  doneBytes,
  progressLine,
  RateWindow,
  workOf,
} from "../../../../src/cli/render/sync-progress.ts";
import {
  doneJson,
  planJson,
  planText,
  startedLines,
  summaryText,
} from "../../../../src/cli/render/sync-summary.ts";
import { planSync } from "../../../../src/guest/sync/plan.ts";
import type { PlannedEnd } from "../../../../src/guest/sync/plan.ts";
import type { StartedRun, SyncDone } from "../../../../src/guest/sync/sync-disks.ts";
import { newCounters } from "../../../../src/sync/counters.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const end: PlannedEnd = {
  path: "/srv/web1.img",
  resolved: "/srv/web1.img",
  kind: "file",
  sizeBytes: 8 * GIB,
  identity: "aa",
  users: [],
  allocatedBytes: 3 * GIB,
  record: "none",
};
const plan = planSync({
  source: end,
  destination: { ...end, host: "hostb", kind: "missing", sizeBytes: 0 },
  same: false,
  checkOnly: false,
});
const about = {
  notes: [],
  unusedBytes: 0,
  knownBytes: 0,
  lookBytes: 8 * GIB,
  partial: false,
  unchanged: false,
};
const counters = {
  ...newCounters(),
  lookBytes: 8 * GIB,
  verifiedBytes: 3 * GIB,
  knownZeroBytes: 2 * GIB,
  equalBytes: 2.5 * GIB,
  patchedBytes: GIB,
  zeroedBytes: 64 * MIB,
  sentBytes: 300 * MIB,
  receivedBytes: 4096,
};
const run: StartedRun = { plan, source: about, destination: about, counters, nearRole: "source" };
const done: SyncDone = {
  writtenBytes: 300 * MIB,
  zeroedBytes: 0,
  rereadBytes: 0,
  knownZeroBytes: 5 * GIB,
  counters: { ...counters, blockBytes: 310 * MIB },
  seconds: 12.4,
  source: about,
  destination: about,
};

describe("progress", () => {
  test("counts what has to be read", () => {
    const work = workOf(run);
    expect(work).toEqual({ totalBytes: 3 * GIB, withoutKnownZero: true });
    expect(doneBytes(counters, work) / MIB).toBe(1600);
    expect(progressLine({ counters, work, bytesPerSecond: 100 * MIB })).toBe(
      " 52%  1.6 GiB of 3 GiB  0:15 left  100 MiB/s  sent 300 MiB  same 2.5 GiB  changed 1 GiB  zeroed 64 MiB",
    );
  });

  test("the destination does not know what is no work; a snapshot does", () => {
    expect(workOf({ ...run, nearRole: "destination" }).totalBytes).toBe(8 * GIB);
    const partial = { ...about, partial: true, lookBytes: 64 * MIB };
    const unchanged = { ...about, unchanged: true };
    expect(workOf({ ...run, source: partial, destination: unchanged }).totalBytes).toBe(64 * MIB);
    expect(workOf({ ...run, source: partial }).totalBytes).toBe(3 * GIB);
  });

  test("never says more than all, and nothing of what it does not know", () => {
    const work = { totalBytes: GIB, withoutKnownZero: false };
    const over = progressLine({ counters, work, bytesPerSecond: 0 });
    expect(over).toMatch(/^100% {2}3.6 GiB of 3.6 GiB {2}finishing/);
    const line = progressLine({ counters: newCounters(), work, bytesPerSecond: 0 });
    expect(line).toBe("  0%  0 KiB of 1 GiB  -:-- left  0 KiB/s  sent 0 KiB");
    const none = progressLine({
      counters: newCounters(),
      work: { totalBytes: 0, withoutKnownZero: false },
      bytesPerSecond: 0,
    });
    expect(none).toContain("0%");
  });

  test("a rate is that of the last seconds", () => {
    const rate = new RateWindow();
    expect(rate.bytesPerSecond).toBe(0);
    rate.add({ atMs: 0, doneBytes: 0 });
    expect(rate.bytesPerSecond).toBe(0);
    for (let second = 1; second <= 30; second++)
      rate.add({ atMs: second * 1000, doneBytes: second <= 15 ? 0 : (second - 15) * 1000 });
    expect(rate.bytesPerSecond).toBe(1000);
  });

  test.each([
    [0, "0:00"],
    [59.6, "1:00"],
    [3600, "1:00:00"],
    [100_000, "over a day"],
    [Infinity, "over a day"],
  ])("%s s", (seconds, text) => {
    expect(clockText(seconds)).toBe(text);
  });
});

describe("words", () => {
  test.each([40, 80, 120])("in %s columns", (width) => {
    const noted = {
      ...about,
      notes: ["whole disk (ext4, 8 GiB): 5 GiB not in use are not copied"],
      unusedBytes: 5 * GIB,
    };
    const lines = [
      planText({ ...plan, resumes: true }, width),
      ...startedLines({ ...run, source: noted }, width),
      summaryText(plan, { ...done, source: noted, rereadBytes: 8 * GIB }, width),
    ].join("\n");
    expect(lines).toMatchSnapshot();
  });

  test("a snapshot that is of no use is said, one that is of use as well", () => {
    const partial = { ...about, partial: true, lookBytes: 64 * MIB };
    const lines = startedLines(
      {
        ...run,
        source: partial,
        destination: { ...about, distrust: "something wrote to it since" },
      },
      80,
    );
    expect(lines.join(" ")).toMatch(/All of it is looked at: .*something\s+wrote to it since/);
    const part = { ...done, source: partial, destination: { ...about, unchanged: true } };
    expect(summaryText(plan, part, 80)).toContain("looked at");
  });

  test("a source that changed while it was read", () => {
    expect(summaryText(plan, done, 80)).not.toContain("changing");
    expect(summaryText(plan, { ...done, sourceChanged: true }, 80)).toMatch(
      /changing +\/srv\/web1\.img was written to while it was read/,
    );
  });

  test("names of files cannot write to the terminal", () => {
    const evil = { ...plan, source: { ...plan.source, path: "\u001b[2Ja" } };
    expect(planText(evil, 80) + summaryText(evil, done, 80)).not.toContain("\u001b");
  });

  test("of a comparison", () => {
    const differing = {
      equal: false,
      sourceBytes: 8 * GIB,
      destinationBytes: 9 * GIB,
      differingBytes: 30 * MIB,
      runs: Array.from({ length: 12 }, (_, i) => ({ first: 10 * i, count: i === 0 ? 1 : 3 })),
    };
    expect(summaryText(plan, { ...done, differing }, 80)).toMatchSnapshot();
    const longer = { ...differing, differingBytes: 0, runs: [] };
    expect(summaryText(plan, { ...done, differing: longer }, 80)).toContain(
      "nothing of what both have",
    );
    const equal = { ...longer, equal: true };
    expect(summaryText(plan, { ...done, differing: equal }, 80)).toContain("is equal to");
  });

  test("as JSON", () => {
    expect({ ...planJson(plan), done: doneJson(done) }).toMatchSnapshot();
  });
});

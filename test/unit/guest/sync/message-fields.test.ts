import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import { parseEndFacts } from "../../../../src/guest/sync/end-facts.ts";
import type { EndFacts } from "../../../../src/guest/sync/end-facts.ts";
import {
  parseAbout,
  parseReport,
  aboutMessage,
  reportMessage,
} from "../../../../src/guest/sync/end-report.ts";
import { failureMessage, Fields, parseFailure } from "../../../../src/guest/sync/message-fields.ts";
import { orderMessage, parseOrder } from "../../../../src/guest/sync/run-order.ts";
import type { RunOrder } from "../../../../src/guest/sync/run-order.ts";

const FAILURES: readonly Failure[] = [
  { kind: "io", where: ["sda"], op: "read", errno: "EIO" },
  { kind: "corrupt", where: [], found: "a", expected: "b" },
  { kind: "unsupported", where: ["x"], feature: "f" },
  { kind: "missing", where: ["x"], what: "y" },
  { kind: "missing", where: ["x"], what: "y", next: "look" },
  { kind: "limit", where: ["x"], what: "w", limit: "3" },
  { kind: "syntax", where: ["x"], line: 1, column: 2, found: "a", expected: "b" },
  { kind: "misuse", where: [], what: "w", next: "n" },
  { kind: "refused", where: [], what: "w", why: "y", next: "n" },
  { kind: "remote", where: [], what: "w", why: "y", next: "n" },
  { kind: "failed", where: [], what: "w", why: "y", next: "n" },
];

const facts: EndFacts = {
  path: "a",
  resolved: "/dev/a",
  kind: "file",
  sizeBytes: 5,
  identity: "00",
  users: [{ kind: "mount", what: "mounted at /", writes: true }],
  freeBytes: 7,
  allocatedBytes: 3,
  record: "finished",
  recordedState: "r",
  snapshotState: "s",
};

const order: RunOrder = {
  role: "source",
  path: "a",
  seen: { identity: "00", sizeBytes: 5, kind: "missing" },
  sizeBytes: 5,
  sourceIdentity: "00",
  sourceName: "hosta:a",
  timeoutSeconds: 60,
  bytesPerSecond: 0,
  nice: false,
  checkOnly: false,
  allBlocks: true,
  shutDown: false,
  since: { snapshot: "s", recorded: "r" },
  sourceState: "t",
  keepIndex: true,
  full: false,
  verify: true,
  stateDir: "/d",
};

const about = {
  notes: ["One.", "Two."],
  unusedBytes: 1,
  knownBytes: 2,
  lookBytes: 3,
  partial: true,
  unchanged: false,
  distrust: "why",
};
const report = {
  writtenBytes: 1,
  zeroedBytes: 2,
  rereadBytes: 3,
  knownZeroBytes: 4,
  differing: {
    equal: false,
    sourceBytes: 1,
    destinationBytes: 2,
    differingBytes: 3,
    runs: [{ first: 1, count: 2 }],
  },
};

/** What is sent, and how it is read. */
const MESSAGES: readonly (readonly [string, object, (fields: Fields) => unknown, unknown])[] = [
  ["facts", facts, parseEndFacts, facts],
  ["an order", orderMessage(order), parseOrder, order],
  ["about", aboutMessage(about), parseAbout, about],
  ["a report", reportMessage(report), parseReport, report],
  ...FAILURES.map(
    (failure) =>
      [
        `a failure (${failure.kind})`,
        failureMessage(failure),
        (fields: Fields) => parseFailure(fields, ["hostb"]),
        { ...failure, where: ["hostb", ...failure.where] },
      ] as const,
  ),
];

describe.each(MESSAGES)("%s", (_, message, parse, expected) => {
  const overTheWire = JSON.stringify(message);

  test("is read as it was sent", () => {
    expect(parse(new Fields(JSON.parse(overTheWire), ["hostb"]))).toEqual(expected);
  });

  test("with any field of another type or without it is refused, or is what it was", () => {
    const values = [null, -1, 1.5, 2 ** 60, "x".repeat(9000), [], {}, true, "", [[]], [null]];
    for (const name of Object.keys(message)) {
      for (const value of [undefined, ...values]) {
        const changed = { ...(JSON.parse(overTheWire) as object), [name]: value };
        const parsed = attemptSync(() => parse(new Fields(changed, ["hostb"])));
        if (!parsed.ok) expect(parsed.failure.kind).toBe("corrupt");
      }
    }
    for (const whole of values) {
      const parsed = attemptSync(() => parse(new Fields(whole, ["hostb"])));
      expect(parsed.ok, JSON.stringify(whole)?.slice(0, 50)).toBe(false);
    }
  });
});

test("a long failure arrives cut, not refused", () => {
  const long = {
    kind: "io",
    where: ["w".repeat(20_000)],
    op: "x".repeat(9000),
    errno: "E",
  } as const;
  const message: unknown = JSON.parse(JSON.stringify(failureMessage(long)));
  expect(parseFailure(new Fields(message, []), []).where[0]!.length).toBeLessThan(20_000);
});

import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import {
  encodeRecordHead,
  encodeRecordMark,
  MARK_OFFSET,
  parseRecord,
  TABLE_OFFSET,
} from "../../../src/sync/record-format.ts";
import type { RecordHead, RecordMark } from "../../../src/sync/record-format.ts";
import { chooseSegments } from "../../../src/sync/sampled-check.ts";
import { survivesMutation } from "../../support/mutate.ts";

const head: RecordHead = {
  sizeBytes: 5 * 1048576 + 77,
  runId: new Uint8Array(16).fill(1),
  source: new Uint8Array(32).fill(2),
  target: new Uint8Array(32).fill(3),
  since: new Uint8Array(32).fill(4),
  key: new Uint8Array(48).fill(5),
  begunMs: 1_780_000_000_123,
  sourceName: "hosta:/dev/vg0/web1",
  path: "/srv/images/wäb1.img",
  pid: 4_194_304,
};
const mark: RecordMark = {
  state: "finished",
  digest: new Uint8Array(32).fill(6),
  endedMs: 1_780_000_100_000,
  taggedSegments: 6,
  witness: "file ino=1 size=2",
  sourceState: "dm-thin LVM-x 5242957 7 128",
};

function withMark(bytes: Uint8Array, part: Uint8Array): Uint8Array {
  bytes.set(part, MARK_OFFSET);
  return bytes;
}

describe("the record of a copy", () => {
  test("is read as it was written", () => {
    const bytes = encodeRecordHead(head);
    expect(bytes.length).toBe(TABLE_OFFSET);
    expect(parseRecord(bytes, [])).toEqual({ head });
    withMark(bytes, encodeRecordMark(head.runId, mark));
    expect(parseRecord(bytes, [])).toEqual({ head, mark });
    const { digest: _, ...stopped } = { ...mark, state: "stopped" as const, witness: "" };
    withMark(bytes, encodeRecordMark(head.runId, stopped));
    expect(parseRecord(bytes, [])).toEqual({ head, mark: stopped });
  });

  test("has no mark when it is of another run, damaged or torn at any sector", () => {
    const whole = encodeRecordMark(head.runId, { ...mark, witness: "w".repeat(500) });
    const other = encodeRecordMark(new Uint8Array(16).fill(9), mark);
    expect(parseRecord(withMark(encodeRecordHead(head), other), [])).toEqual({ head });
    for (let at = 0; at < whole.length; at += 512) {
      const torn = whole.map((byte, i) => (i >= at && i < at + 512 ? 0 : byte));
      expect(parseRecord(withMark(encodeRecordHead(head), torn), [])).toEqual({ head });
    }
    for (const at of [0, 9, 24, 25, 40, 70, 81, 1023]) {
      const flipped = whole.map((byte, i) => (i === at ? byte ^ 4 : byte));
      expect(parseRecord(withMark(encodeRecordHead(head), flipped), [])).toEqual({ head });
    }
  });

  test("keeps the state of its source whole or not at all", () => {
    for (const [length, kept] of [
      [430, 430],
      [431, undefined],
    ] as const) {
      const bytes = encodeRecordMark(head.runId, { ...mark, sourceState: "s".repeat(length) });
      const parsed = parseRecord(withMark(encodeRecordHead(head), bytes), []);
      expect(parsed.mark?.sourceState?.length).toBe(kept);
    }
  });

  test("a mark of more segments than the device has is none", () => {
    const many = encodeRecordMark(head.runId, { ...mark, taggedSegments: 7 });
    expect(parseRecord(withMark(encodeRecordHead(head), many), []).mark).toBeUndefined();
  });

  test("with a damaged head is refused as a whole", () => {
    const bytes = encodeRecordHead(head);
    for (const at of [0, 15, 16, 20, 30, 144, 210, 8191]) {
      const flipped = bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
      const parsed = attemptSync(() => parseRecord(flipped, ["r"]));
      expect(parsed, String(at)).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
    }
    expect(attemptSync(() => parseRecord(bytes.subarray(0, 8000), ["r"]))).toMatchObject({
      ok: false,
      failure: { kind: "corrupt", where: ["r"] },
    });
  });

  test("names are cut between characters, a path is not cut", () => {
    const long = encodeRecordHead({ ...head, sourceName: "ä".repeat(600) });
    expect(parseRecord(long, []).head.sourceName).toBe("ä".repeat(512));
    expect(attemptSync(() => encodeRecordHead({ ...head, path: "x".repeat(4097) }))).toMatchObject({
      ok: false,
    });
  });

  test("survives damage", async () => {
    const bytes = withMark(encodeRecordHead(head), encodeRecordMark(head.runId, mark));
    await survivesMutation([bytes], (damaged) => parseRecord(damaged, []), { count: 1000 });
  });
});

test("a sample has at least 64 segments and one of a hundred, each once", () => {
  for (const count of [0, 1, 63, 64, 65, 1000, 6400, 100_001]) {
    const chosen = chooseSegments(count);
    expect(chosen.length).toBe(Math.min(count, Math.max(64, Math.ceil(count / 100))));
    expect(new Set(chosen).size).toBe(chosen.length);
    expect(chosen.every((one) => one >= 0 && one < count)).toBe(true);
    expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
  }
});

import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import { explainFailure } from "../../../../src/base/explain.ts";
import { planSync } from "../../../../src/guest/sync/plan.ts";
import type { PlanInput, PlannedEnd } from "../../../../src/guest/sync/plan.ts";

const GIB = 2 ** 30;
const source: PlannedEnd = {
  path: "vg0/web1",
  resolved: "/dev/vg0/web1",
  kind: "block-device",
  sizeBytes: 8 * GIB,
  identity: "aa",
  users: [],
  record: "none",
};
const destination: PlannedEnd = { ...source, host: "hostb", identity: "bb" };
const input: PlanInput = { source, destination, same: false, checkOnly: false };

function refusal(change: Partial<PlanInput>): string {
  const planned = attemptSync(() => planSync({ ...input, ...change }));
  if (planned.ok) throw new Error("it was planned");
  expect(planned.failure.kind).toBe("refused");
  const { what, why, next } = explainFailure(planned.failure);
  return [what, why, next].join("\n");
}

describe("a plan", () => {
  test("of a first copy to a device", () => {
    expect(planSync(input)).toMatchObject({
      sizeBytes: 8 * GIB,
      destinationIs: "device",
      resumes: false,
      notes: [],
    });
  });

  test("says what is to be known", () => {
    const users = [
      { kind: "guest", what: "a disk of domain web1 (running)", writes: true },
    ] as const;
    const file = {
      ...destination,
      kind: "file",
      sizeBytes: 9 * GIB,
      record: "unfinished",
    } as const;
    const plan = planSync({
      ...input,
      source: { ...source, users },
      destination: { ...file, freeBytes: GIB, allocatedBytes: GIB },
      since: "vg0/snap",
    });
    expect(plan.resumes).toBe(true);
    expect(plan.since).toBeUndefined();
    expect(plan.notes).toMatchSnapshot();
  });

  test("only a finished copy of a snapshot can be gone on from", () => {
    const of = (record: PlannedEnd["record"], recordedState?: string) =>
      planSync({
        ...input,
        destination: { ...destination, record, ...(recordedState && { recordedState }) },
        since: "vg0/snap",
      });
    expect(of("finished", "state").since).toEqual({ snapshot: "vg0/snap", recorded: "state" });
    for (const plan of [of("unfinished", "state"), of("finished"), of("none")]) {
      expect(plan.since).toBeUndefined();
      expect(plan.notes).toHaveLength(1);
    }
  });
});

describe("refused", () => {
  test("the same device on both ends, also when it is only compared", () => {
    expect(refusal({ same: true })).toMatchSnapshot();
    expect(refusal({ same: true, checkOnly: true })).toContain("the same device");
  });

  test("a destination that somebody uses, whoever it is", () => {
    const kinds = [
      "mount",
      "swap",
      "lvm",
      "md",
      "dm",
      "loop",
      "nbd",
      "guest",
      "image",
      "process",
      "sync",
    ] as const;
    for (const kind of kinds) {
      const users = [{ kind, what: `used (${kind})`, writes: false }];
      expect(refusal({ destination: { ...destination, users } })).toMatchSnapshot(kind);
    }
    const many = Array.from({ length: 5 }, (_, i) => ({
      kind: "mount" as const,
      what: `mounted at /${i}`,
      writes: true,
    }));
    expect(refusal({ destination: { ...destination, users: many } })).toContain(
      "mounted at /0, mounted at /1, mounted at /2, and 2 more",
    );
  });

  test("a destination that is too small, by a byte too", () => {
    expect(refusal({ destination: { ...destination, sizeBytes: 8 * GIB - 1 } })).toMatchSnapshot();
    const file = { ...destination, kind: "file", sizeBytes: 1 } as const;
    expect(planSync({ ...input, destination: file }).destinationIs).toBe("file");
  });

  test("a source that is an unfinished copy", () => {
    expect(refusal({ source: { ...source, record: "unfinished" } })).toMatchSnapshot();
  });

  test("nothing of that when it is only compared", () => {
    const users = [{ kind: "mount", what: "mounted at /srv", writes: true }] as const;
    const smaller = { ...destination, users, sizeBytes: 5, record: "unfinished" } as const;
    const plan = planSync({ ...input, destination: smaller, checkOnly: true });
    expect(plan.resumes).toBe(false);
    expect(plan.notes).toEqual([expect.stringContaining("hostb:vg0/web1 can change meanwhile")]);
  });
});

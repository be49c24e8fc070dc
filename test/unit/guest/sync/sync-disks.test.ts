/** Both sides of a session in this process: real messages and records, disks in memory. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { attempt, FailureError } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import { serveSync } from "../../../../src/guest/sync/serve.ts";
import { SessionStream } from "../../../../src/guest/sync/session-stream.ts";
import { syncDisks } from "../../../../src/guest/sync/sync-disks.ts";
import type { SyncOutcome, SyncRequest, SyncWorld } from "../../../../src/guest/sync/sync-disks.ts";
import { changedBytes, diskBytes } from "../../sync/memory-device.ts";
import { memoryConnection } from "../../sync/memory-pipe.ts";
import { portsOf, REQUEST } from "./memory-session.ts";
import type { Machine } from "./memory-session.ts";

type Run = {
  readonly near?: Partial<Machine>;
  readonly far?: Partial<Machine>;
  readonly request?: Partial<SyncRequest>;
  readonly world?: Partial<SyncWorld>;
  /** Both on one machine. */
  readonly oneMachine?: boolean;
  readonly cutSourceAt?: number;
};

async function run({ near, far, request, world, oneMachine, cutSourceAt }: Run) {
  const { source, destination } = memoryConnection(
    cutSourceAt === undefined ? {} : { cutSourceAt },
  );
  const none = { disks: new Map<string, Uint8Array>() };
  const served = serveSync({
    stream: new SessionStream(destination, ["the near side"]),
    ports: portsOf({ ...none, ...far }, oneMachine ? "boot-1" : "boot-2"),
    program: "far",
  });
  served.catch(() => {});
  const outcome = await attempt(() =>
    syncDisks(
      { ...REQUEST, ...request },
      {
        ports: portsOf({ ...none, ...near }, "boot-1"),
        connect: async () => ({
          channel: source,
          ended: served.then(
            () => ({ exitCode: 0, stderr: "" }),
            () => ({ exitCode: 1, stderr: "" }),
          ),
          kill: () => source.close(),
        }),
        program: "near",
        signal: new AbortController().signal,
        ...world,
      },
    ),
  );
  await Promise.allSettled([served]);
  return outcome;
}

function valueOf(outcome: Awaited<ReturnType<typeof run>>): SyncOutcome {
  if (outcome.ok) return outcome.value;
  throw new FailureError(outcome.failure);
}

function failureOf(outcome: Awaited<ReturnType<typeof run>>): Failure {
  if (outcome.ok) throw new Error("it was done");
  return outcome.failure;
}

test("a far side that never says a word is not waited for where nobody can give a password", async () => {
  const { source } = memoryConnection();
  const syncing = syncDisks(
    { ...REQUEST, timeoutSeconds: 0.05 },
    {
      ports: portsOf({ disks: new Map([["/a", new Uint8Array(1)]]) }, "boot-1"),
      connect: async () => ({
        channel: source,
        ended: Promise.resolve({ exitCode: 0, stderr: "" }),
        kill: () => source.close(),
      }),
      program: "near",
      signal: new AbortController().signal,
    },
  );
  await expect(syncing).rejects.toMatchObject({
    failure: { kind: "remote", what: "hostb did not answer." },
  });
});

const ODD = 3 * 2 ** 20 + 77;

describe("a copy", () => {
  test.each(["push", "pull"])("%s, first and again", async (way) => {
    const bytes = diskBytes(ODD, 1);
    const [from, to] = [new Map([["/a", bytes]]), new Map<string, Uint8Array>()];
    const ends =
      way === "push"
        ? { near: { disks: from }, far: { disks: to } }
        : {
            near: { disks: to },
            far: { disks: from },
            request: { source: { host: "hostb", path: "/a" }, destination: { path: "/b" } },
          };
    const { done } = valueOf(await run(ends));
    expect(Buffer.compare(to.get("/b")!, bytes)).toBe(0);
    expect(done!.writtenBytes).toBeGreaterThan(0);
    from.set("/a", changedBytes(bytes, 5, 2));
    const request = { ...ends.request, verify: true };
    const again = valueOf(await run({ ...ends, request })).done!;
    expect(Buffer.compare(to.get("/b")!, from.get("/a")!)).toBe(0);
    expect(again.writtenBytes).toBeLessThan(done!.writtenBytes);
    expect(again.rereadBytes).toBe(ODD);
  });

  test.each(["push", "pull"])(
    "%s of what somebody writes to meanwhile: it is said",
    async (way) => {
      const from = { disks: new Map([["/a", diskBytes(ODD, 1)]]), changing: true };
      const to = { disks: new Map<string, Uint8Array>() };
      const pull = { source: { host: "hostb", path: "/a" }, destination: { path: "/b" } };
      const ends =
        way === "push" ? { near: from, far: to } : { near: to, far: from, request: pull };
      expect(valueOf(await run(ends)).done).toMatchObject({ sourceChanged: true });
      const quiet = { ...ends, ...(way === "push" ? { near: { disks: from.disks } } : {}) };
      if (way === "push")
        expect(valueOf(await run(quiet)).done).not.toHaveProperty("sourceChanged");
    },
  );

  test("is not begun by --dry-run", async () => {
    const to = new Map<string, Uint8Array>();
    const near = { disks: new Map([["/a", diskBytes(ODD, 1)]]) };
    const { done, dry } = valueOf(
      await run({ near, far: { disks: to }, request: { dryRun: true } }),
    );
    expect(done).toBeUndefined();
    expect(dry!.estimate.readBytes).toBe(ODD);
    expect(to.size).toBe(0);
  });

  test("--check of what differs and what does not, whoever is the source", async () => {
    const bytes = diskBytes(ODD, 1);
    const near = { disks: new Map([["/a", bytes]]) };
    const request = { checkOnly: true };
    const of = async (other: Uint8Array, more: Partial<SyncRequest> = {}) =>
      valueOf(
        await run({
          near,
          far: { disks: new Map([["/b", other]]) },
          request: { ...request, ...more },
        }),
      ).done!.differing!;
    expect(await of(Uint8Array.from(bytes))).toMatchObject({ equal: true, differingBytes: 0 });
    const changed = Uint8Array.from(bytes);
    changed[2 ** 20 + 5]! ^= 1;
    const expected = { equal: false, differingBytes: 2 ** 20, runs: [{ first: 1, count: 1 }] };
    expect(await of(changed)).toMatchObject(expected);
    const pulled = { source: { host: "hostb", path: "/b" }, destination: { path: "/a" } };
    expect(await of(changed, pulled)).toMatchObject(expected);
    expect(await of(bytes.subarray(0, ODD - 1))).toMatchObject({ equal: false });
  });
});

describe("not done", () => {
  const near = { disks: new Map([["/a", diskBytes(ODD, 1)]]) };
  const there = () => ({ disks: new Map([["/b", new Uint8Array(ODD)]]) });

  test("the far side's failure has its host", async () => {
    const failure = failureOf(await run({ near, far: { ...there(), unwritable: "/b" } }));
    expect(failure).toMatchObject({ kind: "io", where: ["hostb", "/b"], errno: "EACCES" });
  });

  test("nothing is made at the destination when the source is not there", async () => {
    const to = new Map<string, Uint8Array>();
    const failure = failureOf(await run({ far: { disks: to } }));
    expect(failure).toMatchObject({ kind: "missing", where: ["/a"] });
    expect(to.size).toBe(0);
    expect(failureOf(await run({ far: there() }))).toMatchObject({
      next: expect.stringContaining("domus sync hostb:/b /a"),
    });
  });

  test("the same device under two names of one machine", async () => {
    const disks = new Map([["/a", diskBytes(ODD, 1)]]);
    const request = { destination: { host: "hostb", path: "/a" } };
    const same = await run({ near: { disks }, far: { disks }, request, oneMachine: true });
    expect(failureOf(same)).toMatchObject({ kind: "refused" });
    // The same path on another machine is another device.
    valueOf(await run({ near: { disks }, far: { disks: new Map() }, request }));
  });

  test("a destination that somebody begins to use after the plan", async () => {
    let asked = 0;
    const far = {
      ...there(),
      users: () =>
        asked++ === 0 ? [] : [{ kind: "mount", what: "mounted at /", writes: true } as const],
    };
    const before = Uint8Array.from(far.disks.get("/b")!);
    expect(failureOf(await run({ near, far }))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("On hostb: /b is not what it was a moment ago"),
      why: expect.stringContaining("mounted at /"),
    });
    expect(Buffer.compare(far.disks.get("/b")!, before)).toBe(0);
  });

  test("a destination that a guest gets while it is opened", async () => {
    const guest = { kind: "guest", what: "taken by domus start web", writes: true } as const;
    const refusedAt = async (look: number) => {
      let asked = 0;
      const far = { ...there(), users: () => (asked++ < look ? [] : [guest]) };
      const before = Uint8Array.from(far.disks.get("/b")!);
      const ran = await run({ near, far });
      expect(ran.ok || Buffer.compare(far.disks.get("/b")!, before)).toBe(ran.ok || 0);
      return ran.ok ? undefined : failureOf(ran);
    };
    // The survey, once more before it is opened, and once afterwards.
    for (const look of [0, 1, 2]) expect(await refusedAt(look)).toMatchObject({ kind: "refused" });
    expect(await refusedAt(2)).toMatchObject({
      why: expect.stringContaining("taken by domus start web by now"),
    });
    expect(await refusedAt(3)).toBeUndefined();
  });

  test("a destination that the memory image of a guest waits for; a source may be one", async () => {
    const what = "the disk xvda (/b) of pandora, whose memory image /save/p waits since then";
    const users = [{ kind: "image", what, writes: false } as const];
    for (const look of [0, 1, 2]) {
      let asked = 0;
      const far = { ...there(), users: () => (asked++ < look ? [] : users) };
      const before = Uint8Array.from(far.disks.get("/b")!);
      expect(failureOf(await run({ near, far }))).toMatchObject({
        kind: "refused",
        why: expect.stringContaining(what),
      });
      expect(Buffer.compare(far.disks.get("/b")!, before)).toBe(0);
    }
    valueOf(await run({ near: { ...near, users: () => users }, far: there() }));
  });

  test("a connection that ends anywhere is a failure with words, and no hang", async () => {
    // Noise does not pack: all of it would pass.
    const noise = { disks: new Map([["/a", randomBytes(ODD)]]) };
    for (const cutSourceAt of [10, 400, 1200, 5000, 300_000, 2_000_000]) {
      const failure = failureOf(await run({ near: noise, far: there(), cutSourceAt }));
      expect(["remote", "io"], JSON.stringify(failure)).toContain(failure.kind);
    }
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import { assertAlone } from "../../../../src/guest/lifecycle/journal.ts";
import { cleanStale, recoverRehearsal } from "../../../../src/guest/rehearse/clean.ts";
import { rehearse } from "../../../../src/guest/rehearse/run.ts";
import { recoverOperations } from "../../../../src/guest/lifecycle/recover.ts";
import { openRecords } from "../../../../src/host/local/records-db.ts";
import type { Records } from "../../../../src/host/records.ts";
import { ID, Killed, newWorld, PLAN, portsIn } from "../../../support/rehearsal-world.ts";
import type { World } from "../../../support/rehearsal-world.ts";

let dir = "";
let records: Records;
let world: World;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-rehearse-"));
  records = openRecords(dir);
  world = newWorld();
});
afterEach(() => {
  records[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

const running = new AbortController().signal;
const runNow = (signal = running) => rehearse(portsIn(world, { records }), PLAN, signal);

function expectNothingLeft() {
  expect([...world.volumes]).toEqual(["vg0/web1", "vg0/domus-rehearse-notes"]);
  expect([...world.directories.keys()]).toEqual([]);
  expect(world.domains.map(({ name }) => name)).toEqual(["web1"]);
  expect(records.operations()).toEqual([]);
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.catch((one: unknown) => one);
  if (error instanceof FailureError) return error.failure;
  throw error instanceof Error ? error : new Error(String(error));
}

describe("a rehearsal", () => {
  test("makes the copy, starts it, and takes all of it away", async () => {
    expect(await runNow()).toEqual({
      outcome: "up",
      reason: "it asks for a login",
      evidence: ["login:"],
      left: [],
    });
    expect(world.done).toEqual([
      `mkdir ${ID}`,
      "lvcreate --name vg0/web1",
      `qemu-img create /var/lib/domus/rehearse/${ID}/disk-1.qcow2`,
      `xl create /var/lib/domus/rehearse/${ID}/guest.cfg`,
      "xl destroy 7",
      `lvremove --yes vg0/domus-rehearse-${ID}-0`,
      `rm ${ID}`,
    ]);
    expectNothingLeft();
  });

  test("says what the bootloader said, and Xen's builder", async () => {
    const stderr =
      "libxl: error: libxl_bootloader.c:649:bootloader_finished: Domain 7:bootloader failed - consult logfile /var/log/xen/bootloader.7.log\n";
    world.answers["xl create"] = { exitCode: 3, stderr };
    expect(await runNow()).toEqual({
      outcome: "failed",
      reason: "its bootloader did not start it: found nothing to start",
      evidence: ["found nothing", "to start"],
      left: [],
    });
    world.answers["xl create"] = {
      exitCode: 3,
      stderr: "xc: error: panic: xg_dom_core.c:689: xc_dom_find_loader: no loader found\n",
    };
    expect((await runNow()).reason).toContain("no loader found");
    expectNothingLeft();
  });

  test("says nothing about the guest when it is not the guest's fault", async () => {
    world.answers["xl create"] = { exitCode: 3, stderr: "libxl: error: hotplug timed out\n" };
    expect(await failureOf(runNow())).toMatchObject({
      kind: "failed",
      why: "xl says: hotplug timed out",
      next: expect.stringContaining("says nothing about the guest") as string,
    });
    world.answers["lvcreate"] = { exitCode: 5, stderr: "  Volume group has no room\n" };
    expect(await failureOf(runNow())).toMatchObject({ where: ["xvda"] });
    expectNothingLeft();
  });

  test("that cannot be taken away is not in the way of its guest", async () => {
    world.answers["lvremove --yes"] = { exitCode: 5, stderr: "  Logical volume in use.\n" };
    expect((await runNow()).left).toHaveLength(1);
    const alone = (dead: readonly number[]) =>
      assertAlone(portsIn(world, { records, pid: 200, dead }), { guest: "web1", data: {} });
    expect(() => alone([])).toThrow("is under way");
    alone([100]);
    expect(records.operations()).toHaveLength(1);
  });

  test("that could not be taken away is tried again without a wait, by every command", async () => {
    world.answers["lvremove --yes"] = { exitCode: 5, stderr: "  Logical volume in use.\n" };
    await runNow();
    const again = async (pid: number, dead: readonly number[]) => {
      const ports = portsIn(world, { records, pid, dead });
      const kinds = { rehearse: recoverRehearsal(ports.workspace) };
      const [recovered] = await recoverOperations(ports, kinds);
      expect(ports.clock.now()).toBe(0);
      return recovered;
    };
    expect(await again(101, [100])).toMatchObject({
      ended: false,
      what: expect.stringContaining("could not be removed") as string,
    });
    delete world.answers["lvremove --yes"];
    expect(await again(102, [100, 101])).toMatchObject({ ended: true });
    expectNothingLeft();
  });

  test("is not said to be gone when LVM cannot tell", async () => {
    world.answers["lvs"] = { exitCode: 5, stderr: "  Volume group cannot be read\n" };
    const left = [expect.stringContaining("lvs says: Volume group cannot be read")];
    expect((await runNow()).left).toEqual(left);
    for (const { id } of records.operations()) records.endOperation(id);
    expect((await cleanStale(portsIn(world, { records, pid: 101 }))).left).toEqual(left);
  });

  test("does not rest on what somebody else writes to, or on half of a copy", async () => {
    const ports = portsIn(world, { records });
    const user = { kind: "mount", what: "mounted at /srv", writes: true } as const;
    const used = { ...ports.guard, findUsers: async () => [user] };
    expect(await failureOf(rehearse({ ...ports, guard: used }, PLAN, running))).toMatchObject({
      kind: "refused",
      where: ["/srv/b.img"],
    });
    const half = { ...ports.guard, copyState: async () => ({ state: "unfinished", record: "/r" }) };
    const guard = half as typeof ports.guard;
    expect(await failureOf(rehearse({ ...ports, guard }, PLAN, running))).toMatchObject({
      kind: "refused",
      where: ["/dev/vg0/web1"],
    });
    expectNothingLeft();
  });

  test("a domain that is gone at once has failed; a full snapshot proves nothing", async () => {
    world.slowCreate = 1;
    expect(await runNow()).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("as soon as it was started") as string,
    });
    expectNothingLeft();
    world.full = true;
    world.outcome = { ...world.outcome, outcome: "failed", reason: "the kernel panicked" };
    expect(await runNow()).toMatchObject({
      outcome: "unknown",
      reason: expect.stringMatching(
        /more than its snapshot holds.*\(the kernel panicked\)/,
      ) as string,
    });
    expectNothingLeft();
  });

  test("Ctrl-C takes the copy away", async () => {
    const interrupt = new AbortController();
    const ports = portsIn(world, {
      records,
      watch: async (_, signal) => {
        interrupt.abort(new Error("Ctrl-C"));
        signal.throwIfAborted();
        throw new Error("not reached");
      },
    });
    await expect(rehearse(ports, PLAN, interrupt.signal)).rejects.toThrow("Ctrl-C");
    expectNothingLeft();
    world.done.splice(0);
    await expect(runNow(interrupt.signal)).rejects.toThrow("Ctrl-C");
    expect(world.done, "not even begun").toEqual([`mkdir ${ID}`, `rm ${ID}`]);
  });

  test("what cannot be taken away is said, and stays recorded until it can", async () => {
    world.answers["lvremove"] = { exitCode: 5, stderr: "  Logical volume in use.\n" };
    const { outcome, left } = await runNow();
    expect(outcome).toBe("up");
    expect(left).toEqual([
      `The volume vg0/domus-rehearse-${ID}-0 could not be removed: Logical volume in use.`,
    ]);
    expect(records.operations()).toHaveLength(1);
    const next = () => portsIn(world, { records, pid: 101, dead: [100] });
    expect((await cleanStale(next())).left).toHaveLength(1);
    delete world.answers["lvremove"];
    const last = portsIn(world, { records, pid: 102, dead: [100, 101] });
    expect((await cleanStale(last)).left).toEqual([]);
    expectNothingLeft();
  });
});

describe("kill -9", () => {
  /** Runs until the process is killed before its nth step; false when it had fewer. */
  async function killedAt(n: number): Promise<boolean> {
    const ports = portsIn(world, { records, killAt: n });
    const error = await rehearse(ports, PLAN, running).then(
      () => undefined,
      (one: unknown) => one,
    );
    if (error !== undefined && !(error instanceof Killed)) throw error;
    return error !== undefined;
  }

  test.each([
    [
      "domus rehearse --clean",
      (left: World) => cleanStale(portsIn(left, { records, pid: 101, dead: [100] })),
    ],
    [
      "any other command",
      (left: World) => {
        const ports = portsIn(left, { records, pid: 101, dead: [100] });
        return recoverOperations(ports, { rehearse: recoverRehearsal(ports.workspace) });
      },
    ],
  ])("at any step: %s takes away what it left", async (_, next) => {
    let n = 1;
    while (await killedAt(n)) {
      await next(world);
      expectNothingLeft();
      n += 1;
    }
    expect(n).toBeGreaterThan(10);
    expectNothingLeft();
  });

  test("an xl create that goes on is waited for", async () => {
    world.slowCreate = 4;
    let n = 1;
    while (!world.done.at(-1)?.startsWith("xl create")) {
      expect(await killedAt(n)).toBe(true);
      n += 1;
      if (world.done.at(-1)?.startsWith("xl create")) break;
      world.slowCreate = undefined;
      await cleanStale(portsIn(world, { records, pid: 101, dead: [100] }));
      world.slowCreate = 4;
      world.done.splice(0);
    }
    await cleanStale(portsIn(world, { records, pid: 101, dead: [100] }));
    expect(world.done).toContain("xl destroy 7");
    expectNothingLeft();
  });

  test("an xl that ended before its domain had a name leaves one with the uuid of the copy", async () => {
    const foreign = { domid: 8, name: "(null)", uuid: "77777777-2222-4333-8444-555555555555" };
    await killedAt(9);
    const at = world.domains.findIndex(({ domid }) => domid === 7);
    expect(at).toBe(1);
    world.domains.splice(at, 1, { ...world.domains[at]!, name: "(null)" }, foreign);
    const { left } = await cleanStale(portsIn(world, { records, pid: 101, dead: [100] }));
    expect(left).toEqual([]);
    expect(world.domains.splice(1)).toEqual([foreign]);
    expectNothingLeft();
  });

  test("one that is still at work is left alone", async () => {
    await killedAt(6);
    const { done, left } = await cleanStale(portsIn(world, { records, pid: 101 }));
    expect([done, left]).toEqual([[], []]);
    expect(world.volumes.has(`vg0/domus-rehearse-${ID}-0`)).toBe(true);
  });

  test("what no record knows any more is found by its name", async () => {
    await killedAt(9);
    for (const { id } of records.operations()) records.endOperation(id);
    expect((await cleanStale(portsIn(world, { records, pid: 101 }))).left).toEqual([]);
    expectNothingLeft();
  });
});

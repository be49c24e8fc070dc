import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import type { Clock } from "../../../../src/base/clock.ts";
import type { NewEvent } from "../../../../src/guest/watch/timed-events.ts";
import { watch } from "../../../../src/guest/watch/watch.ts";
import type { WatchPorts } from "../../../../src/guest/watch/watch.ts";
import type { Host } from "../../../../src/host/host.ts";
import { openRecords } from "../../../../src/host/local/records-db.ts";
import type { Records } from "../../../../src/host/records.ts";
import { act, World } from "./world.ts";
import { worldHost } from "./world-host.ts";
import type { WorldHost } from "./world-host.ts";

const POLL = { timeout: 50_000, interval: 2 };

let dir = "";
let world: World;
let host: WorldHost;
let records: Records;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-watch-"));
  world = new World();
  host = worldHost(world);
  records = openRecords(dir);
});
afterEach(() => {
  records[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

/** Time that passes as fast as it is waited for; in its order. */
function fastClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
}

type Running = {
  readonly told: NewEvent[];
  readonly said: string[];
  readonly wanted: () => ReadonlySet<string>;
  readonly change: (path: string) => void;
  readonly stop: () => Promise<void>;
};

function run(more: Partial<WatchPorts> = {}): Running {
  const told: NewEvent[] = [];
  const said: string[] = [];
  const stopping = new AbortController();
  let wanted: ReadonlySet<string> = new Set();
  let change = (_path: string) => {};
  const ports: WatchPorts = {
    ...{ host, records, clock: fastClock(), nowMs: () => world.nowMs },
    isAtWork: () => true,
    changes: (onChange) => {
      change = onChange;
      return {
        connected: true,
        want: (paths) => void (wanted = paths),
        [Symbol.dispose]() {},
      };
    },
    tell: (event) => void told.push(event),
    say: (text) => void said.push(text),
    ...more,
  };
  const done = watch(ports, { signal: stopping.signal });
  done.catch(() => {});
  return {
    ...{ told, said, wanted: () => wanted, change: (path) => change(path) },
    stop: async () => {
      stopping.abort();
      await done.catch(() => {});
    },
  };
}

const kinds = (events: readonly Pick<NewEvent, "kind" | "guest" | "domid">[]) =>
  events.map(({ kind, guest, domid }) => `${kind} ${guest} ${domid}`);

const withoutAlarms = <T extends Pick<NewEvent, "kind">>(events: readonly T[]): T[] =>
  events.filter(({ kind }) => kind !== "alarm");

const isThere = () => expect.poll(() => records.note("watch"), POLL).toBeDefined();

test("what happens is in the records, once and in order, and names are listened to", async () => {
  const watcher = run();
  await isThere();
  for (let step = 0; step < 60; step++) {
    if (!act(world, (step * 7) % 12, step % 3)) continue;
    watcher.change("/libxl");
    const happened = kinds(world.happened as never);
    await expect.poll(() => kinds(withoutAlarms(watcher.told)), POLL).toEqual(happened);
  }
  expect(world.happened.length).toBeGreaterThan(20);
  expect(kinds(withoutAlarms(records.events()))).toEqual(kinds(world.happened as never));
  // One crashes so often in that time that it is an alarm.
  const alarms = records.events().filter(({ kind }) => kind === "alarm");
  expect(alarms.map(({ guest, detail }) => `${guest} ${String(detail["code"])}`)).toEqual([
    "g1 crash-loop",
  ]);
  expect(new Set(records.events().map(({ by }) => by))).toEqual(new Set(["watcher"]));
  const names = [...world.domains.keys()].map((domid) => `/local/domain/${domid}/name`);
  await expect.poll(() => [...watcher.wanted()], POLL).toEqual(expect.arrayContaining(names));
  await watcher.stop();
});

test("a pause is seen without a word from xenstore, and an empty host costs nothing", async () => {
  const watcher = run();
  await isThere();
  const { asked } = host;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(host.asked - asked).toBeLessThan(3);
  world.start("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 1"]);
  world.pause(world.get("web")!);
  await expect.poll(() => kinds(watcher.told), POLL).toContain("paused web 1");
  await watcher.stop();
});

test("while somebody else asks for states, xl is asked when they change, and only for them", async () => {
  const asked: string[] = [];
  let tick = () => {};
  let isWanted = false;
  let ticking = true;
  const watcher = run({
    host: { ...host, run: (argv) => (asked.push(argv.join(" ")), host.run(argv)) },
    states: (onTick) => {
      tick = onTick;
      return {
        get ticking() {
          return ticking;
        },
        want: (on) => void (isWanted = on),
        [Symbol.dispose]() {},
      };
    },
  });
  await isThere();
  expect(isWanted).toBe(false);
  world.start("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 1"]);
  await expect.poll(() => isWanted, POLL).toBe(true);
  // Nothing is on its way any more.
  world.nowMs += 20_000;
  asked.length = 0;
  watcher.change("/libxl");
  await expect.poll(() => asked, POLL).toContain("xl list -l");
  await new Promise((resolve) => setTimeout(resolve, 50));
  asked.length = 0;
  world.pause(world.get("web")!);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(asked).toEqual([]);
  tick();
  await expect.poll(() => kinds(watcher.told).at(-1), POLL).toBe("paused web 1");
  world.start("db");
  tick();
  await expect.poll(() => kinds(watcher.told).at(-1), POLL).toBe("started db 2");
  const live = asked.indexOf("xl list -l");
  // A pause may be the beginning of an end: it is looked at twice.
  expect(asked.slice(0, live)).toEqual(["xl list -v", "xl list -v", "xl list -v"]);
  // One that is stuck is not waited for.
  ticking = false;
  world.resume(world.get("web")!);
  await expect.poll(() => kinds(watcher.told).at(-1), POLL).toBe("resumed web 1");
  await watcher.stop();
});

describe("what xl destroy does to a domain on the way is not told", () => {
  /** Once, when it is armed, between the table and what comes after it. */
  function between(happens: () => void): Host {
    return {
      ...host,
      run: async (argv) => {
        const ran = await host.run(argv);
        if (armed && argv.join(" ") === "xl list -v") {
          armed = false;
          happens();
        }
        return ran;
      },
    };
  }
  let armed = false;
  beforeEach(() => {
    armed = false;
    world.start("web");
  });

  test("it was paused when the table was read, and is gone when libxl is asked", async () => {
    const watcher = run({ host: between(() => world.endDestroy(world.get("web")!)) });
    await isThere();
    world.beginDestroy(world.get("web")!, "unseen");
    armed = true;
    watcher.change("@releaseDomain");
    await expect.poll(() => kinds(watcher.told), POLL).toEqual(["stopped web 1"]);
    await watcher.stop();
  });

  test("it ran when the table was read, and has lost its disks when libxl is asked", async () => {
    const watcher = run({ host: between(() => world.beginDestroy(world.get("web")!)) });
    await isThere();
    armed = true;
    watcher.change("/libxl");
    const asked = host.asked;
    await expect.poll(() => host.asked, POLL).toBeGreaterThan(asked + 10);
    expect(watcher.told).toEqual([]);
    world.endDestroy(world.get("web")!);
    await expect.poll(() => kinds(watcher.told), POLL).toEqual(["stopped web 1"]);
    await watcher.stop();
  });

  test("one that is given up half-way is paused, and without its disks", async () => {
    const watcher = run();
    await isThere();
    world.beginDestroy(world.get("web")!);
    watcher.change("/libxl");
    const asked = host.asked;
    await expect.poll(() => host.asked, POLL).toBeGreaterThan(asked + 10);
    expect(watcher.told).toEqual([]);
    // Its xl is killed.
    world.beginDestroy(world.get("web")!, "unseen");
    world.giveUp();
    await expect.poll(() => kinds(watcher.told), POLL).toEqual(["paused web 1", "detached web 1"]);
    await watcher.stop();
  });
});

describe("a watcher that was killed", () => {
  test("catches up, and tells nothing twice", async () => {
    world.start("web");
    world.start("db");
    const first = run();
    await isThere();
    world.pause(world.get("web")!);
    await expect.poll(() => kinds(first.told), POLL).toEqual(["paused web 1"]);
    await first.stop();
    world.shutDown(world.get("db")!);
    world.start("db");
    world.crash(world.get("db")!);
    world.destroy(world.get("db")!);
    world.resume(world.get("web")!);
    // domus itself did this one.
    const own = { guest: "web", uuid: world.get("web")!.uuid, domid: 1, detail: {} } as const;
    records.addEvent({ ...own, atMs: world.nowMs, kind: "resumed", by: "domus" });
    world.start("mail");
    const second = run();
    await expect.poll(() => second.told.length, POLL).toBe(5);
    expect(second.told.map(({ kind, guest, by }) => `${kind} ${guest} ${by}`)).toEqual([
      ...[
        "stopped db log",
        "started db log",
        "crashed db log",
        "stopped db log",
        "started mail log",
      ],
    ]);
    expect(second.told.at(-1)?.detail).toMatchObject({ notBeforeMs: expect.any(Number) as number });
    await second.stop();
    const third = run();
    await isThere();
    await third.stop();
    expect(third.told).toEqual([]);
    expect(records.events().filter(({ guest }) => guest === "web")).toHaveLength(2);
  });

  test("writes down in their order the lives of which one log tells, with one time for all of them", async () => {
    world.start("web");
    const first = run();
    await isThere();
    await first.stop();
    const diedMs = world.nowMs;
    for (let reboots = 0; reboots < 3; reboots++) world.reboot(world.get("web")!);
    world.shutDown(world.get("web")!);
    world.nowMs += 60_000;
    const dated: Host = {
      ...host,
      openBlock: async (path) => ({ ...(await host.openBlock(path)), modifiedMs: diedMs + 10 }),
    };
    const second = run({ host: dated });
    const lives = ["rebooted web 2", "rebooted web 3", "rebooted web 4", "stopped web 4"];
    await expect.poll(() => second.told.length, POLL).toBe(4);
    expect(kinds(second.told)).toEqual(lives);
    await second.stop();
    expect(kinds(records.events())).toEqual(lives);
    expect(new Set(records.events().map(({ atMs }) => atMs))).toEqual(new Set([diedMs + 10]));
  });

  test("in the middle of writing has written all or nothing", async () => {
    const first = run();
    await isThere();
    await first.stop();
    world.start("web");
    world.pause(world.get("web")!);
    let left = 1;
    const failing: Records = {
      ...records,
      addEvent: (event) => {
        if (left-- === 0) throw new Error("the plug is pulled");
        return records.addEvent(event);
      },
      [Symbol.dispose]() {},
    };
    const second = run({ records: failing });
    await expect.poll(() => left, POLL).toBeLessThan(0);
    await second.stop();
    expect(records.events()).toEqual([]);
    const third = run();
    await expect.poll(() => kinds(third.told), POLL).toEqual(["started web 1", "paused web 1"]);
    await third.stop();
    expect(kinds(records.events())).toEqual(["started web 1", "paused web 1"]);
  });
});

describe("a clock that is put back an hour", () => {
  const HOUR_MS = 3_600_000;
  const crashes = [
    ...["crashed web 1", "started web 2", "crashed web 2", "started web 3"],
    ...["crashed web 3", "started web 4", "alarm web 3"],
  ];
  beforeEach(() => {
    world.nowMs += 10 * HOUR_MS;
    world.start("web", { onCrash: "restart" });
  });

  test("while it watches: what the logs say is heard all the same", async () => {
    const watcher = run();
    await isThere();
    world.nowMs -= HOUR_MS;
    for (let crash = 1; crash <= 3; crash++) {
      world.crash(world.get("web")!);
      watcher.change("@releaseDomain");
      await expect.poll(() => watcher.told.length, POLL).toBeGreaterThanOrEqual(2 * crash);
    }
    await expect.poll(() => kinds(watcher.told), POLL).toEqual(crashes);
    await watcher.stop();
  });

  test("while nobody watches: what has happened since is caught up with", async () => {
    const first = run();
    await isThere();
    await first.stop();
    world.nowMs -= HOUR_MS;
    world.crash(world.get("web")!);
    const second = run();
    await expect.poll(() => kinds(second.told), POLL).toEqual(crashes.slice(0, 2));
    await second.stop();
  });
});

test("Xen that does not answer is said once, and asked again", async () => {
  host.isDeaf = true;
  const watcher = run();
  await expect.poll(() => host.asked, POLL).toBeGreaterThan(5);
  expect(watcher.said).toEqual([expect.stringContaining("got no answer from Xen. xl says: no")]);
  host.isDeaf = false;
  await isThere();
  await expect.poll(() => watcher.said.at(-1), POLL).toBe("Xen answers again.");
  await watcher.stop();
});

test("a xenstore that is not heard is said once, and all is looked at nevertheless", async () => {
  const { failure } = ioFailure(["/socket"], "connect", "ENOENT");
  let state = (_failure: Failure | undefined) => {};
  const watcher = run({
    changes: (_, onState) => {
      state = onState;
      return { connected: false, want: () => {}, [Symbol.dispose]() {} };
    },
  });
  await isThere();
  for (let i = 0; i < 5; i++) state(failure);
  world.start("web");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 1"]);
  state(undefined);
  expect(watcher.said).toEqual([
    expect.stringContaining("xenstore is not heard"),
    "Listening to xenstore.",
  ]);
  await watcher.stop();
});

test("a guest that runs beside its image is an alarm, once, unless domus is at work on it", async () => {
  world.start("web");
  const { uuid } = world.get("web")!;
  world.destroy(world.get("web")!);
  records.addImage({
    ...{ guest: "web", uuid, path: "/save/web", state: "waiting", savedAtMs: 1, disks: [] },
  });
  const begin = (kind: string) =>
    records.beginOperation({
      ...{ kind, guest: "web", step: "run", data: {}, pid: 1, pidStarted: "1", bootId: "b" },
    });
  const operation = begin("restore");
  const watcher = run();
  await isThere();
  world.start("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 2"]);
  records.endOperation(operation.id);
  watcher.change("/libxl");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 2", "alarm web 2"]);
  expect(watcher.told[1]?.detail).toMatchObject({ code: "image-bypassed", severity: "error" });
  const asked = async () => {
    const before = host.asked;
    watcher.change("/libxl");
    await expect.poll(() => host.asked, POLL).toBeGreaterThan(before + 1);
  };
  const other = begin("pause");
  await asked();
  records.endOperation(other.id);
  await asked();
  await watcher.stop();
  const again = run();
  await expect.poll(() => host.asked, POLL).toBeGreaterThan(0);
  await again.stop();
  expect(records.events().filter(({ kind }) => kind === "alarm")).toHaveLength(1);
});

test("a guest that gets a disk of a saved one is an alarm, also when the disk was not there before", async () => {
  const reaches = new Map([
    ["/dev/mail/xvda", { identity: "block 253:0", reaches: ["block 253:0"] }],
  ]);
  let isActive = false;
  const seeing: WorldHost = { ...host, reachesOf: async () => (isActive ? reaches : new Map()) };
  records.addImage({
    ...{ guest: "pandora", uuid: "u9", path: "/save/pandora", state: "waiting", savedAtMs: 1 },
    disks: [{ vdev: "xvda", path: "/dev/mail/xvda", readonly: false }],
  });
  world.start("web");
  const watcher = run({ host: seeing });
  await isThere();
  isActive = true;
  world.start("mail");
  watcher.change("@introduceDomain");
  await expect
    .poll(() => kinds(watcher.told), POLL)
    .toEqual(expect.arrayContaining(["started mail 2", "alarm mail 2"]));
  expect(watcher.told.find(({ kind }) => kind === "alarm")?.detail).toMatchObject({
    ...{ code: "image-bypassed", severity: "error", where: ["/save/pandora", "/dev/mail/xvda"] },
  });
  await watcher.stop();
});

test("a restore behind domus's back is an alarm, and the image waits no more", async () => {
  world.start("web");
  const domain = world.get("web")!;
  const watcher = run();
  await isThere();
  world.beginSave(domain);
  watcher.change("@releaseDomain");
  world.endSave(domain);
  const { uuid } = domain;
  records.addImage({
    ...{ guest: "web", uuid, path: "/save/web", state: "waiting", savedAtMs: 1, disks: [] },
  });
  world.restore("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told).at(-1), POLL).toBe("alarm web 2");
  expect(watcher.told.at(-1)?.detail).toMatchObject({ code: "image-restored-unseen" });
  expect(records.images()[0]?.state).toBe("restored");
  await watcher.stop();
});

test("a restore from another image than the one that waits leaves that one waiting", async () => {
  world.start("web");
  const domain = world.get("web")!;
  world.endSave(domain);
  records.addImage({
    ...{ guest: "web", uuid: domain.uuid, path: "/own/web-2", state: "waiting", savedAtMs: 1 },
    disks: [],
  });
  const watcher = run();
  await isThere();
  world.restore("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told).at(-1), POLL).toBe("alarm web 2");
  expect(watcher.told.at(-1)?.detail).toMatchObject({
    ...{ code: "image-bypassed", severity: "error" },
    what: expect.stringContaining("web was restored from /save/web (domain 2)") as string,
    next: expect.stringContaining("xl destroy 2 at once") as string,
  });
  expect(records.images()[0]?.state).toBe("waiting");
  await watcher.stop();
});

test("a copy that is rehearsed is no guest, also where only its log tells of it", async () => {
  const watcher = run();
  await isThere();
  world.start("domus-rehearse-web-0123abcd");
  world.start("web");
  watcher.change("@introduceDomain");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 2"]);
  world.destroy(world.get("domus-rehearse-web-0123abcd")!);
  world.shutDown(world.get("web")!);
  watcher.change("@releaseDomain");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["started web 2", "stopped web 2"]);
  await watcher.stop();
});

test("a domain whose xl is killed is an alarm when that lasts", async () => {
  world.start("web");
  const watcher = run();
  await isThere();
  world.get("web")!.pid = 0;
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["alarm web 1"]);
  expect(watcher.told[0]?.detail).toMatchObject({ code: "domain-unwatched" });
  await watcher.stop();
});

test("a disk of two under two names is an alarm, also when the one was built on the other meanwhile", async () => {
  world.start("web");
  world.start("mail");
  const asked: (readonly string[])[] = [];
  let isAlias = false;
  host.reachesOf = async (paths) => {
    asked.push(paths);
    return new Map(
      paths.map((path) => {
        const more = isAlias && path === "/dev/web/xvda" ? ["/dev/mail/xvda"] : [];
        return [path, { identity: path, reaches: [path, ...more] }];
      }),
    );
  };
  const watcher = run();
  await isThere();
  await expect.poll(() => asked, POLL).toEqual([["/dev/web/xvda", "/dev/mail/xvda"]]);
  isAlias = true;
  world.attach(world.get("mail")!);
  watcher.change("/libxl");
  await expect.poll(() => kinds(watcher.told), POLL).toEqual(["attached mail 2", "alarm mail 2"]);
  expect(watcher.told[1]?.detail).toMatchObject({
    code: "disk-shared",
    what: "Two domains may write to the same disk: web (1) as /dev/web/xvda and mail (2) as /dev/mail/xvda.",
  });
  // Of disks that it knows it does not ask again.
  expect(asked).toHaveLength(2);
  await watcher.stop();
});

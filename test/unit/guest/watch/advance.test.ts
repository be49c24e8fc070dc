import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advance, firstState } from "../../../../src/guest/watch/advance.ts";
import type { Observation } from "../../../../src/guest/watch/observation.ts";
import { parseState } from "../../../../src/guest/watch/state.ts";
import type { Seen, WatchState } from "../../../../src/guest/watch/state.ts";
import { act, World } from "./world.ts";

/** Goes on from look to look, through what is kept in between. */
function watcher(first: Observation) {
  let state: WatchState = firstState(first);
  const seen: Seen[] = [];
  return {
    seen,
    get state() {
      return state;
    },
    look: (look: Observation): readonly Seen[] => {
      const kept = parseState(JSON.parse(JSON.stringify(state)));
      const next = advance(kept!, look);
      state = next.state;
      seen.push(...next.seen);
      return next.seen;
    },
  };
}

/** One guest that runs. */
function watched() {
  const world = new World();
  world.start("a");
  const { look } = watcher(world.look());
  return { world, look, domain: world.get("a")! };
}

type Brief = { readonly kind: string; readonly guest: string; readonly domid?: number };

const brief = ({ kind, guest, domid }: Brief) => `${kind} ${guest} ${domid}`;

test("a domain that loses its name as it is destroyed is not renamed", () => {
  const world = new World();
  const { look } = watcher(world.look());
  world.start("web");
  look(world.look());
  const dying = world.look();
  const domains = dying.domains.map((one) => ({ ...one, name: "(null)" }));
  expect(look({ ...dying, domains })).toEqual([]);
  world.destroy(world.get("web")!);
  expect(look(world.look()).map(brief)).toEqual(["stopped web 1"]);
});

describe("one thing after the other", () => {
  const world = new World();
  const { look, seen } = watcher(world.look());
  const steps: (readonly [what: string, act: () => void, expected: readonly unknown[]])[] = [
    [
      "create",
      () => world.start("web"),
      [{ kind: "started", domid: 1, detail: { config: "/etc/xen/web.cfg" } }],
    ],
    ["pause", () => world.pause(world.get("web")!), [{ kind: "paused" }]],
    ["unpause", () => world.resume(world.get("web")!), [{ kind: "resumed" }]],
    [
      "attach",
      () => world.attach(world.get("web")!),
      [{ kind: "attached", detail: { vdev: "xvdb", target: "/dev/web/xvdb" } }],
    ],
    [
      "detach",
      () => world.detach(world.get("web")!),
      [{ kind: "detached", detail: { vdev: "xvdb" } }],
    ],
    [
      "reboot",
      () => world.reboot(world.get("web")!),
      [{ kind: "rebooted", domid: 2, detail: { from: 1 } }],
    ],
    [
      "crash",
      () => world.crash(world.get("web")!),
      [{ kind: "crashed", domid: 2, detail: { action: "preserve" } }],
    ],
    [
      "destroy",
      () => world.destroy(world.get("web")!),
      [{ kind: "stopped", detail: { reason: "destroyed" } }],
    ],
    [
      "create again",
      () => world.start("web", { onCrash: "restart" }),
      [{ kind: "started", domid: 3 }],
    ],
    [
      "crash with restart",
      () => world.crash(world.get("web")!),
      [
        { kind: "crashed", domid: 3 },
        { kind: "started", domid: 4, detail: { after: "crash", from: 3 } },
      ],
    ],
    [
      "shut down",
      () => world.shutDown(world.get("web")!),
      [{ kind: "stopped", detail: { reason: "poweroff" } }],
    ],
    ["create to destroy", () => world.start("web"), [{ kind: "started", domid: 5 }]],
    // It is paused, and has lost its disks.
    ["destroy begins", () => world.beginDestroy(world.get("web")!), []],
    [
      "destroy ends",
      () => world.endDestroy(world.get("web")!),
      [{ kind: "stopped", domid: 5, detail: { reason: "destroyed" } }],
    ],
    ["create at last", () => world.start("web"), [{ kind: "started", domid: 6 }]],
    ["save begins", () => world.beginSave(world.get("web")!), []],
    [
      "save ends",
      () => world.endSave(world.get("web")!),
      [{ kind: "saved", detail: { image: "/save/web" } }],
    ],
    [
      "restore",
      () => world.restore("web"),
      [{ kind: "restored", domid: 7, detail: { image: "/save/web" } }],
    ],
  ];
  test.each(steps)("%s", (_, action, expected) => {
    action();
    expect(look(world.look())).toMatchObject(expected);
    // Nothing more comes of it.
    expect(look(world.look())).toEqual([]);
    expect(seen.map(brief)).toEqual(world.happened.map(brief));
  });
});

/** Steps with a look after each, or after some. */
const steps = fc.array(fc.record({ what: fc.nat(11), which: fc.nat(7), look: fc.boolean() }), {
  maxLength: 60,
});

test("whoever looks after everything sees everything, in order", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const world = new World();
      const { look, seen } = watcher(world.look());
      for (const { what, which } of list) {
        if (!act(world, what, which)) continue;
        look(world.look());
        // What is paused from the beginning is told when that lasts.
        look(world.look());
      }
      expect(seen.map(brief)).toEqual(world.happened.map(brief));
    }),
    { numRuns: 200, seed: 1 },
  );
});

const LIFE = new Set(["started", "restored", "rebooted", "stopped", "crashed", "saved"]);

test("whoever looks now and then misses no beginning and no end", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const world = new World();
      const { look, seen } = watcher(world.look());
      for (const one of list) if (act(world, one.what, one.which) && one.look) look(world.look());
      look(world.look());
      look(world.look());
      const created = world.happened.filter(({ kind }) => kind === "created");
      const paused = new Set<number | undefined>(created.map(({ domid }) => domid));
      const lives = (all: readonly Brief[]) =>
        all
          .filter(({ kind }) => LIFE.has(kind))
          // One that was paused at first, and was destroyed: whether it ever ran is not in its log.
          .filter(({ kind, domid }) => kind !== "started" || !paused.has(domid))
          // Of what came and went only the log tells, which does not say how it came.
          .map((one) => brief({ ...one, kind: one.kind === "restored" ? "started" : one.kind }))
          .toSorted();
      expect(lives(seen)).toEqual(lives(world.happened));
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("what is there at the first look has not happened", () => {
  const world = new World();
  for (const name of ["a", "b", "c"]) world.start(name);
  world.pause(world.get("b")!);
  world.crash(world.get("c")!);
  const { look, seen } = watcher(world.look());
  look(world.look());
  look(world.look());
  expect(seen).toEqual([]);
  world.resume(world.get("b")!);
  expect(look(world.look()).map(brief)).toEqual(["resumed b 2"]);
});

test("a host that was started anew has other domains, whatever their numbers", () => {
  const world = new World();
  world.start("a");
  world.start("b");
  const { look } = watcher(world.look());
  const fresh = new World();
  fresh.nowMs = world.nowMs + 60_000;
  fresh.bootId = "boot-2";
  fresh.start("a");
  const earlier = [{ domid: 2, name: "b", pid: 7, ending: { code: 2 } }];
  expect(look({ ...fresh.look(), earlier })).toMatchObject([
    { kind: "stopped", guest: "a", domid: 1, detail: { reason: "host" } },
    { kind: "saved", guest: "b", domid: 2 },
    { kind: "started", guest: "a", domid: 1 },
  ]);
});

test("what began unseen before the host went down has ended with it", () => {
  const world = new World();
  world.start("a");
  world.start("b");
  world.start("c");
  const { look } = watcher(world.look());
  const ending = { code: 1, action: "restart" };
  const earlier = [
    { domid: 1, name: "a", pid: 100, ending },
    { domid: 2, name: "b", pid: 101, ending },
    { domid: 3, name: "c", pid: 102, ending: { code: 0, action: "destroy" } },
    { domid: 4, name: "a", pid: 100, restartOf: 1 },
    { domid: 5, name: "d", pid: 103 },
  ];
  const fresh = { ...world.look(), bootId: "boot-2", domains: [], lifetimes: [], processes: [] };
  const host = { detail: { reason: "host" } };
  expect(look({ ...fresh, earlier })).toMatchObject([
    { kind: "stopped", guest: "c", detail: { reason: "poweroff" } },
    { kind: "rebooted", guest: "a", domid: 4, detail: { from: 1 } },
    { kind: "stopped", guest: "a", domid: 4, ...host },
    { kind: "started", guest: "d", domid: 5 },
    { kind: "stopped", guest: "d", domid: 5, ...host },
    { kind: "stopped", guest: "b", domid: 2, detail: { reason: "reboot", cameBack: false } },
  ]);
  expect(look({ ...fresh, atMs: fresh.atMs + 1000 })).toEqual([]);
});

describe("what takes long", () => {
  test("a guest that is to reboot and does not come back has stopped", () => {
    const world = new World();
    world.start("a");
    const { look } = watcher(world.look());
    const domain = world.get("a")!;
    world.reboot(domain);
    const before = world.look();
    const gone = { ...before, domains: [], lifetimes: before.lifetimes.slice(0, 1) };
    expect(look(gone)).toEqual([]);
    expect(look({ ...gone, atMs: gone.atMs + 400_000 })).toMatchObject([
      { kind: "stopped", guest: "a", detail: { reason: "reboot", cameBack: false } },
    ]);
  });

  test("a guest that reboots has not stopped while its xl takes the old domain apart", () => {
    const { world, look, domain } = watched();
    domain.state = "shut-down";
    const slow = world.look();
    const ending = { code: 1, action: "restart" };
    const lifetimes = slow.lifetimes.map((life) => ({ ...life, ending }));
    for (let ms = 0; ms <= 60_000; ms += 10_000)
      expect(look({ ...slow, lifetimes, atMs: slow.atMs + ms })).toEqual([]);
    world.nowMs += 60_000;
    world.reboot(domain);
    expect(look(world.look())).toMatchObject([{ kind: "rebooted", detail: { from: 1 } }]);
  });

  test.each([
    ["is gone", 0, 5000],
    ["hangs", 100, 120_000],
  ])("one that has shut down and whose xl %s has stopped, and is kept", (_, pid, withinMs) => {
    const { world, look, domain } = watched();
    domain.state = "shut-down";
    domain.pid = pid;
    const there = world.look();
    expect(look(there)).toEqual([]);
    expect(look({ ...there, atMs: there.atMs + withinMs - 1 })).toEqual([]);
    expect(look({ ...there, atMs: there.atMs + withinMs })).toMatchObject([
      { kind: "stopped", detail: { reason: "poweroff", kept: true } },
    ]);
  });

  test("a domain that is being made, and then given up, has never been", () => {
    const world = new World();
    const { look } = watcher(world.look());
    world.start("a");
    const whole = world.look();
    const [domain] = whole.domains;
    const { guest: _, ...half } = domain!;
    const building = {
      ...whole,
      lifetimes: [],
      domains: [{ ...half, state: "paused" as const, hasRun: false }],
    };
    for (let i = 0; i < 5; i++)
      expect(look({ ...building, atMs: building.atMs + i * 1000 })).toEqual([]);
    expect(look({ ...whole, lifetimes: [], domains: [] })).toEqual([]);
  });

  test("a domain that xl is slow to unpause was not made to be paused", () => {
    const world = new World();
    const { look } = watcher(world.look());
    world.start("a", { paused: true });
    const unlogged = () => ({ ...world.look(), lifetimes: [] });
    for (let i = 0; i < 20; i++) expect(look(unlogged())).toEqual([]);
    // The list, the unpause, the log.
    expect(look(world.look())).toEqual([]);
    world.resume(world.get("a")!);
    expect(look(world.look())).toMatchObject([{ kind: "started" }]);
  });

  test("a domain that the log knows before the list does has not gone", () => {
    const world = new World();
    const { look } = watcher(world.look());
    world.start("a");
    const now = world.look();
    expect(look({ ...now, domains: [] })).toEqual([]);
    expect(look(world.look()).map(brief)).toEqual(["started a 1"]);
  });

  test("of two that are made at the same time each is what its log says", () => {
    const world = new World();
    world.start("a");
    const { look } = watcher(world.look());
    world.beginSave(world.get("a")!);
    look(world.look());
    world.endSave(world.get("a")!);
    look(world.look());
    world.start("b");
    world.restore("a");
    const both = world.look();
    expect(look({ ...both, lifetimes: [] })).toEqual([]);
    expect(look(both).map(brief)).toEqual(["started b 2", "restored a 3"]);
  });

  test("a save of which the guest goes on", () => {
    const { world, look, domain } = watched();
    world.beginSave(domain);
    look(world.look());
    domain.state = "paused";
    expect(look(world.look())).toMatchObject([
      { kind: "saved", detail: { image: "/save/a", goesOn: "paused" } },
    ]);
    domain.state = "running";
    expect(look(world.look())).toMatchObject([{ kind: "resumed" }]);
  });

  test("one that went on after a save, and ended with nobody to write a log, is not saved again", () => {
    const { world, look, domain } = watched();
    world.beginSave(domain);
    look(world.look());
    domain.state = "running";
    look(world.look());
    const before = world.look();
    // Its log says for good that it was suspended.
    const lifetimes = before.lifetimes;
    expect(look({ ...before, lifetimes })).toEqual([]);
    domain.state = "shut-down";
    look({ ...world.look(), lifetimes });
    const gone = { ...world.look(), domains: [], processes: [], lifetimes };
    expect(look(gone)).toMatchObject([{ kind: "stopped", detail: { reason: "poweroff" } }]);
  });

  test("a save of domus's own is told when the domain is gone, with the name that the image gets then", () => {
    const { world, look, domain } = watched();
    world.beginSave(domain, "/save/.a b.xl.saving");
    expect(look(world.look())).toEqual([]);
    // It is checked while it stands still.
    domain.state = "paused";
    expect(look(world.look())).toEqual([]);
    world.endSave(domain);
    expect(look(world.look())).toMatchObject([
      { kind: "saved", detail: { image: "/save/a b.xl" } },
    ]);
  });

  test.each(["suspended", "paused"] as const)(
    "a save of domus's own that was taken back from %s is none",
    (state) => {
      const { world, look, domain } = watched();
      world.beginSave(domain, "/save/.a.saving");
      look(world.look());
      domain.state = state;
      look(world.look());
      domain.state = "running";
      expect(look(world.look())).toEqual([]);
      world.pause(domain);
      expect(look(world.look())).toMatchObject([{ kind: "paused" }]);
    },
  );
});

test("a migration, from both sides", () => {
  const world = new World();
  world.start("a");
  const { look } = watcher(world.look());
  const source = world.get("a")!;
  const migrate = { pid: 50, verb: "migrate", words: ["a", "hostb"] };
  const receive = { pid: 51, verb: "migrate-receive", words: [] };
  const see = () => {
    const now = world.look();
    const lifetimes = now.lifetimes.map((one) => (one.domid === 2 ? { ...one, pid: 51 } : one));
    const processes = now.processes.filter(({ pid }) => pid !== 101);
    return look({ ...now, lifetimes, processes: [...processes, migrate, receive] });
  };
  world.start("a--incoming");
  const target = world.get("a--incoming")!;
  target.state = "paused";
  target.hasRun = false;
  expect(see()).toEqual([]);
  source.state = "suspended";
  source.name = "a--migratedaway";
  expect(see()).toEqual([]);
  target.name = "a";
  expect(see()).toEqual([]);
  target.state = "running";
  expect(see()).toMatchObject([{ kind: "migrated", guest: "a", detail: { direction: "in" } }]);
  world.domains.delete(source.domid);
  expect(see()).toMatchObject([
    { kind: "migrated", guest: "a", domid: 1, detail: { direction: "out" } },
  ]);
});

test.each([
  [["a", "hostb"]],
  [["1", "hostb"]],
  [["ssh -p 2222", "a", "hostb"]],
  [["a", "hostb", "ssh -p 2222"]],
])("a migration by xl migrate %j is no save", (words) => {
  const { world, look, domain } = watched();
  domain.state = "suspended";
  const now = world.look();
  const migrate = { pid: 50, verb: "migrate", words };
  expect(look({ ...now, processes: [...now.processes, migrate] })).toEqual([]);
  world.domains.delete(domain.domid);
  expect(look(world.look())).toMatchObject([{ kind: "migrated", detail: { direction: "out" } }]);
});

test("names and targets of any length and kind stay bounded", () => {
  const world = new World();
  world.start("a");
  const { look, state } = watcher(world.look());
  const now = world.look();
  const [domain] = now.domains;
  const name = "\u001b]0;x\u0007\n".repeat(10_000);
  const disks = Array.from({ length: 4000 }, (_, i) => ({
    ...domain!.guest!.disks[0]!,
    vdev: `v${i}`,
    target: "/x".repeat(5000),
  }));
  const hostile = { ...domain!, name, guest: { ...domain!.guest!, name, disks } };
  const seen = look({ ...now, domains: [hostile] });
  expect(seen.every((one) => JSON.stringify(one).length < 4000)).toBe(true);
  expect(seen.length).toBeLessThan(300);
  expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
});

test("a state that is none is not believed", () => {
  const { state } = watcher(new World().look());
  const tracked = {
    domid: 1,
    uuid: "u",
    name: "n",
    state: "running",
    sinceMs: 1,
    stateMs: 1,
    begun: true,
  };
  expect(parseState({ ...state, domains: [tracked] })).toBeDefined();
  for (const wrong of [
    undefined,
    null,
    [],
    {},
    { ...state, version: 2 },
    { ...state, domains: [{}] },
    { ...state, domains: [{ ...tracked, state: "happy" }] },
    { ...state, domains: [{ ...tracked, has: { disks: [1], nics: [] } }] },
    { ...state, returning: [{ domid: 1 }] },
    { ...state, alarms: [1] },
    { ...state, maxDomid: -1 },
  ])
    expect(parseState(wrong)).toBeUndefined();
});

/** Guests that crash again and again: when it counts as a loop, and that it is said once. */
import { describe, expect, test } from "vitest";
import { advance, firstState } from "../../../../src/guest/watch/advance.ts";
import { alarmsOf } from "../../../../src/guest/watch/alarms.ts";
import {
  crashLoops,
  LOOP_WITHIN_MS,
  recentCrashes,
} from "../../../../src/guest/watch/crash-loop.ts";
import { MAX_CRASHES, parseState } from "../../../../src/guest/watch/state.ts";
import type { Crash, Seen, WatchState } from "../../../../src/guest/watch/state.ts";
import { World } from "./world.ts";

const crash = (atMs: number, more: Partial<Crash> = {}): Crash => ({
  ...{ guest: "web", uuid: "u1", domid: 7, atMs },
  ...more,
});
const crashed = (more: Partial<Seen> = {}): Seen => ({
  ...{ kind: "crashed", guest: "web", uuid: "u1", domid: 7, detail: {} },
  ...more,
});
const said = (crashes: readonly Crash[]) =>
  crashLoops(crashes).map(({ finding, last }) => [finding.what, last.domid]);

describe("a loop", () => {
  test("is three crashes of one guest", () => {
    expect(said([crash(0), crash(1)])).toEqual([]);
    expect(said([crash(0), crash(1000, { guest: "db", uuid: "u2" }), crash(2000)])).toEqual([]);
    expect(said([crash(0), crash(1000), crash(2000, { domid: 9 })])).toEqual([
      ["web has crashed 3 times within a minute.", 9],
    ]);
    expect(said([crash(0), crash(1000), crash(2000), crash(200_000)])).toEqual([
      ["web has crashed 4 times within 4 minutes.", 7],
    ]);
  });

  test("is of a guest by its name where each start makes up a uuid, and by its uuid where it was renamed", () => {
    const uuids = [crash(0), crash(1, { uuid: "u2" }), crash(2, { uuid: "u3" })];
    expect(said(uuids)).toHaveLength(1);
    const names = [crash(0, { guest: "old" }), crash(1, { guest: "old" }), crash(2)];
    expect(said(names)).toEqual([["web has crashed 3 times within a minute.", 7]]);
  });
});

describe("crashes that are remembered", () => {
  const times = { beforeMs: 1000, atMs: 2000 };

  test("are those that were seen, until they are old", () => {
    const one = recentCrashes([], [crashed(), crashed({ kind: "stopped" })], times);
    expect(one).toEqual([crash(2000)]);
    const atMs = 2000 + LOOP_WITHIN_MS;
    expect(recentCrashes(one, [], { beforeMs: atMs - 1000, atMs: atMs - 1 })).toEqual(one);
    expect(recentCrashes(one, [], { beforeMs: atMs - 1000, atMs })).toEqual([]);
  });

  test("are not those of which nobody knows when they happened", () => {
    const seen = [crashed({ fromLog: true }), crashed({ fromLog: true }), crashed()];
    expect(recentCrashes([], seen, { beforeMs: 0, atMs: LOOP_WITHIN_MS })).toEqual([]);
    expect(recentCrashes([], seen, { beforeMs: 0, atMs: LOOP_WITHIN_MS - 1 })).toHaveLength(3);
  });

  test("are bounded, and none of a clock that was set back", () => {
    const many = Array.from({ length: 3 * MAX_CRASHES }, () => crashed());
    expect(recentCrashes([], many, times)).toHaveLength(MAX_CRASHES);
    expect(recentCrashes([crash(9000)], [], times)).toEqual([]);
  });

  test("are the guest's where rename-restart has given the domain another name and uuid", () => {
    const kept = { guest: "web-20261121T1215Z", uuid: "u9" };
    const [one] = recentCrashes([], [crashed(kept)], times);
    expect(one).toEqual({ guest: "web", domid: 7, atMs: 2000 });
  });
});

test("a watcher sees it, keeps it over its own restart, and says it once", () => {
  const world = new World();
  let state: WatchState = firstState(world.look());
  world.start("web", { onCrash: "restart" });
  const keys = [];
  for (let round = 0; round < 6; round++) {
    const look = world.look();
    state = advance(parseState(JSON.parse(JSON.stringify(state)))!, look).state;
    const { domains, crashes = [] } = state;
    const alarms = alarmsOf({
      ...{ domains, looks: look.domains, processes: look.processes, images: [], crashes },
      ...{ busy: new Set<string>(), reaches: new Map(), disksThen: new Map() },
    });
    keys.push(alarms.map(({ key }) => key));
    world.crash(world.get("web")!);
  }
  const { uuid } = world.get("web")!;
  const loop = [`crash-loop ${uuid}`];
  // The first look has no crash, each of the others one more.
  expect(keys).toEqual([[], [], [], loop, loop, loop]);
});

test("a state with crashes that are none is of no use", () => {
  const state = { ...firstState(new World().look()), crashes: [crash(1)] };
  expect(parseState(state)).toEqual(state);
  for (const crashes of [{}, [{}], [crash(-1)], [{ ...crash(1), guest: 7 }]])
    expect(parseState({ ...state, crashes })).toBeUndefined();
  const many = Array.from({ length: MAX_CRASHES + 1 }, () => crash(1));
  expect(parseState({ ...state, crashes: many })).toBeUndefined();
});

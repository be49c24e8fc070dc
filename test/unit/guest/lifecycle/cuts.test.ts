/** Every command cut off at every point, in every way: what is left is put in order by the next (docs/design/lifecycle.md). */
import { describe, expect, test } from "vitest";
import { FakeXen, GUEST } from "../../../support/fake-xen.ts";
import { recover, restoring, save, starting } from "../../../support/lifecycle-commands.ts";
import type { Command } from "../../../support/lifecycle-commands.ts";
import { cutsOf, cutText, done } from "../../../support/lifecycle-cuts.ts";

type Scene = {
  readonly name: string;
  readonly prepare: (world: FakeXen) => Promise<void>;
  readonly command: Command;
};

const SCENES: readonly Scene[] = [
  { name: "save", prepare: async (world) => void world.boot(), command: save },
  { name: "restore", prepare: saved, command: restoring(GUEST) },
  { name: "start", prepare: async () => {}, command: starting() },
  { name: "start --discard-image", prepare: saved, command: starting(true) },
];

async function saved(world: FakeXen): Promise<void> {
  world.boot();
  await done(world, save);
}

async function prepared({ prepare }: Scene): Promise<FakeXen> {
  const world = new FakeXen();
  await prepare(world);
  world.tick();
  return world;
}

const CONFIG_TEXT = new FakeXen().config;

const waitingOf = (world: FakeXen) =>
  world.store.tables.images.filter(({ state }) => state === "waiting");

/** At any moment. */
function assertSound(world: FakeXen): void {
  expect(world.disasters).toEqual([]);
  expect(world.config).toBe(CONFIG_TEXT);
  const runs = world.domains.some(({ state }) => state === "running");
  // An operation that is open guards: nothing is offered before recovery has looked.
  if (runs && world.store.tables.operations.length === 0) expect(waitingOf(world)).toEqual([]);
}

/** When recovery has been. */
function assertInOrder(world: FakeXen): void {
  assertSound(world);
  const { images, operations } = world.store.tables;
  expect(operations).toEqual([]);
  expect(images.filter(({ state }) => state === "saving")).toEqual([]);
  for (const { state } of world.domains) expect(state).toBe("running");
  for (const { path, state } of images) {
    if (state === "waiting") expect(world.savedMemory(path)).toBe(world.disk.content);
    if (state !== "missing") expect(world.paths).toContain(path);
  }
  if (waitingOf(world).length > 0) expect(world.domains).toEqual([]);
  expect(world.paths.filter((path) => path.endsWith(".saving"))).toEqual([]);
  // No file of an image that no row speaks of: it would be taken for one that waits.
  const files = world.paths.filter((path) => path.includes("/images/"));
  expect(files.toSorted()).toEqual(images.map(({ path }) => path).toSorted());
}

/** The guest goes on: from its image where one waits, else from its disk. */
async function goOn(world: FakeXen): Promise<void> {
  if (world.domains.length === 0) {
    const waits = waitingOf(world).length > 0;
    const memory = world.disk.content;
    await done(world, waits ? restoring(GUEST) : starting());
    expect(world.domains[0]!.memory).toBeGreaterThanOrEqual(memory);
  }
  world.tick();
  assertInOrder(world);
  expect(world.domains).toHaveLength(1);
}

function ticks(world: FakeXen): void {
  for (let n = 0; n < 3; n++) world.tick();
}

/** All pairs take ten seconds: `DOMUS_CUTS=all` runs them, otherwise every fifth has to do. */
const EVERY = process.env["DOMUS_CUTS"] === "all" ? 1 : 5;

describe.each(SCENES)("$name", (scene) => {
  test("cut off anywhere, is put in order by the next command", async () => {
    const cuts = await cutsOf(await prepared(scene), scene.command);
    expect(cuts.length).toBeGreaterThan(20);
    for (const cut of cuts) {
      const world = await prepared(scene);
      const waiting = waitingOf(world).length;
      const guestWas = world.domains.length > 0 || waiting > 0;
      const hasPower = !cut.kind.startsWith("power");
      try {
        await world.process(scene.command, cut);
        ticks(world);
        assertSound(world);
        const offered = waitingOf(world).length > 0;
        await done(world, recover);
        // Whoever was still at work has been waited for.
        world.endPending();
        assertInOrder(world);
        // The guest is in one place: it runs, or its image waits. Power takes the one, never the other.
        const isThere = world.domains.length > 0 || waitingOf(world).length > 0;
        if (guestWas && hasPower && scene.name !== "start --discard-image")
          expect(isThere).toBe(true);
        if (offered && scene.name === "save") expect(waitingOf(world)).toHaveLength(1);
        // An image that waited is never deleted, whatever became of it.
        expect(world.store.tables.images.length).toBeGreaterThanOrEqual(waiting);
        await goOn(world);
      } catch (error) {
        throw new Error(`cut ${cutText(cut)}`, { cause: error });
      }
    }
  });

  test("whose recovery is cut off as well, is put in order by the one after it", async () => {
    const cuts = await cutsOf(await prepared(scene), scene.command);
    let pairs = 0;
    for (const cut of cuts.filter(({ kind }) => kind !== "before" && kind !== "power before")) {
      const first = await prepared(scene);
      await first.process(scene.command, cut);
      const again = await cutsOf(first, recover);
      for (const second of again) {
        pairs += 1;
        if (pairs % EVERY !== 0) continue;
        const world = await prepared(scene);
        try {
          await world.process(scene.command, cut);
          await world.process(recover, second);
          ticks(world);
          assertSound(world);
          await done(world, recover);
          assertInOrder(world);
          await goOn(world);
        } catch (error) {
          throw new Error(`cut ${cutText(cut)}, then ${cutText(second)}`, { cause: error });
        }
      }
    }
  });
});

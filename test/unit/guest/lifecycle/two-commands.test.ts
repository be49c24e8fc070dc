/** Two commands that want one disk at the same moment: one of them gets it (docs/design/lifecycle.md, "No disk for two"). */
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import { DISK, DISK_ALIAS, EXTRA, FakeXen, GUEST, OTHER } from "../../../support/fake-xen.ts";
import { attaching, restoring, save, starting } from "../../../support/lifecycle-commands.ts";
import type { Command } from "../../../support/lifecycle-commands.ts";
import { done } from "../../../support/lifecycle-cuts.ts";

type Pair = {
  readonly name: string;
  readonly prepare: (world: FakeXen) => Promise<void> | void;
  readonly one: Command;
  readonly other: Command;
  /** How many of the two may succeed. Default: one of them. */
  readonly succeed?: readonly number[];
  /** What happens to them somewhere. Default: each is the faster one. */
  readonly seen?: readonly string[];
};

const toOther = (path: string): Command =>
  attaching(`${path},raw,xvdc,rw`, { to: OTHER, persist: false });
const extra = attaching(EXTRA, { persist: false });

const both = (world: FakeXen) => {
  world.boot();
  world.bootOther();
};

async function saved(world: FakeXen): Promise<void> {
  both(world);
  await done(world, save);
}

const PAIRS: readonly Pair[] = [
  {
    name: "attach and attach, to two guests",
    prepare: both,
    one: extra,
    other: toOther(EXTRA.split(",")[0]!),
  },
  {
    name: "attach and start, of one disk under two names",
    prepare: (world) => void world.bootOther(),
    one: toOther(DISK_ALIAS),
    other: starting(),
  },
  {
    name: "start and attach, of one disk under two names",
    prepare: (world) => void world.bootOther(),
    one: starting(),
    other: toOther(DISK_ALIAS),
  },
  { name: "start and start", prepare: () => {}, one: starting(), other: starting() },
  { name: "restore and restore", prepare: saved, one: restoring(GUEST), other: restoring(GUEST) },
  {
    name: "restore and start --discard-image",
    prepare: saved,
    one: restoring(GUEST),
    other: starting(true),
  },
  {
    name: "restore and attach to another guest",
    prepare: saved,
    one: restoring(GUEST),
    other: toOther(DISK_ALIAS),
    // Each is in the way of the other: the claim of the one, the image of the other.
    succeed: [0, 1],
    seen: ["done,failed", "failed,failed"],
  },
  // While both are at it, each sees the other. Once it is saved nobody has the disk, and its image needs it as it is.
  {
    name: "save and attach",
    prepare: both,
    one: save,
    other: toOther(DISK_ALIAS),
    succeed: [0, 1],
    seen: ["done,failed"],
  },
  {
    name: "attach and save",
    prepare: both,
    one: toOther(DISK),
    other: save,
    succeed: [0, 1],
    seen: ["failed,done"],
  },
];

async function prepared({ prepare }: Pair): Promise<FakeXen> {
  const world = new FakeXen();
  await prepare(world);
  world.tick();
  return world;
}

type Ended = Awaited<ReturnType<FakeXen["process"]>>;

/** `one` comes to its touch `at`; then the other to its touch `otherAt`; then `one` to its end, and the other to its own. */
async function interleaved(
  world: FakeXen,
  { one, other }: Pair,
  { at, otherAt }: { readonly at: number; readonly otherAt: number },
): Promise<readonly Ended[]> {
  const reached = Promise.withResolvers<void>();
  const oneEnds = Promise.withResolvers<void>();
  let second: Promise<Ended> | undefined;
  const begin = async () => {
    second = world.process(other, undefined, {
      at: otherAt,
      happen: () => {
        reached.resolve();
        return oneEnds.promise;
      },
    });
    await Promise.race([reached.promise, second]);
  };
  const first = await world.process(one, undefined, { at, happen: begin });
  oneEnds.resolve();
  return second ? [first, await second] : [first];
}

/** All of them take half a minute: `DOMUS_CUTS=all` runs them, otherwise some have to do. */
const MOST = process.env["DOMUS_CUTS"] === "all" ? Infinity : 40;
/** Steps through them that meet each stop of the other command. */
const STEPS = [7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47];

describe.each(PAIRS)("$name", (pair) => {
  test("whoever is overtaken by the other: one has the disk, the other is refused", async () => {
    const touches = (await (await prepared(pair)).process(pair.one)).touches;
    const otherTouches = (await (await prepared(pair)).process(pair.other)).touches;
    const seen = new Set<string>();
    // The last: the whole of the other in one go.
    const stops = otherTouches + 1;
    const least = (touches * stops) / MOST;
    const every = least <= 1 ? 1 : STEPS.find((step) => step >= least && stops % step !== 0)!;
    for (let turn = 0; turn < touches * stops; turn += every) {
      const [at, otherAt] = [1 + Math.floor(turn / stops), 1 + (turn % stops)];
      const world = await prepared(pair);
      try {
        const ended = await interleaved(world, pair, { at, otherAt });
        expect(world.disasters).toEqual([]);
        const succeeded = ended.filter(({ outcome }) => outcome === "done").length;
        expect(pair.succeed ?? [1]).toContain(succeeded);
        for (const { error } of ended) {
          if (error === undefined) continue;
          expect(error).toBeInstanceOf(FailureError);
          expect((error as FailureError).failure.kind).toMatch(/^(refused|misuse|missing)$/);
        }
        expect(world.store.tables.operations).toEqual([]);
        seen.add(ended.map(({ outcome }) => outcome).join());
      } catch (error) {
        throw new Error(`overtaken at ${at}, until ${otherAt}`, { cause: error });
      }
    }
    const orders = pair.seen ?? ["done,failed", "failed,done"];
    expect([...seen]).toEqual(expect.arrayContaining([...orders]));
  });
});

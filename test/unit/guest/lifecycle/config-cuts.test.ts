/** Commands that write a config, cut off at every point, in every way (docs/design/lifecycle.md, "persist"). */
import { describe, expect, test } from "vitest";
import { CONFIG, EXTRA, FakeXen } from "../../../support/fake-xen.ts";
import type { LostNames } from "../../../support/fake-xen.ts";
import { attaching, persisting, recover, reverting } from "../../../support/lifecycle-commands.ts";
import type { Command } from "../../../support/lifecycle-commands.ts";
import { cutsOf, cutText, done } from "../../../support/lifecycle-cuts.ts";

/** What the domain has, and one more disk. */
const PLAIN = `# of the old days
${new FakeXen().config.split("\n").slice(0, 3).join("\n")}
maxmem = 192
vcpus = 1
maxvcpus = 2
disk = [ '/dev/vg0/pandora-disk,raw,xvda,rw', '/srv/cd.iso,raw,hdc,cdrom' ]
vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]
`;
const MORE = PLAIN.replace("cdrom'", `cdrom', '${EXTRA}'`);

type Scene = {
  readonly name: string;
  readonly command: Command;
  readonly before: string;
  /** Absent: the config stays. */
  readonly after?: string;
  readonly extra: readonly string[];
};

const SCENES: readonly Scene[] = [
  { name: "persist", command: persisting, before: PLAIN, after: MORE, extra: [EXTRA] },
  {
    name: "persist, of a disk that is gone",
    command: persisting,
    before: MORE,
    after: PLAIN,
    extra: [],
  },
  { name: "attach --persist", command: attaching(EXTRA), before: PLAIN, after: MORE, extra: [] },
  {
    name: "persist --revert, of a disk that came",
    command: reverting,
    before: PLAIN,
    extra: [EXTRA],
  },
  { name: "persist --revert, of a disk that is gone", command: reverting, before: MORE, extra: [] },
];

const LOST: readonly LostNames[] = ["all", "none", "all but the last"];

function prepared({ before, extra }: Scene, lostNames: LostNames = "all"): FakeXen {
  const world = new FakeXen();
  world.lostNames = lostNames;
  world.putFile(CONFIG, Buffer.from(before));
  world.boot().extra = extra;
  return world;
}

const copyOf = (world: FakeXen) => {
  const copy = world.paths.find((path) => path.startsWith(`${CONFIG}.domus-`));
  return copy === undefined ? undefined : Buffer.from(world.bytesOf(copy)).toString();
};

const writes = (world: FakeXen) =>
  world.store.tables.events.filter(({ kind }) => kind === "config-changed").length;

/** At any moment: one of the two, whole; and none without the other one beside it. */
function assertSound(world: FakeXen, { before, after = before }: Scene): void {
  expect([before, after]).toContain(world.config);
  if (world.config !== before) expect(copyOf(world)).toBe(before);
}

/** When recovery has been: config, copy and records say the same. */
function assertInOrder(world: FakeXen, scene: Scene): void {
  assertSound(world, scene);
  const isWritten = world.config !== scene.before;
  expect(world.store.tables.operations).toEqual([]);
  expect(writes(world)).toBe(isWritten ? 1 : 0);
  expect(copyOf(world)).toBe(isWritten ? scene.before : undefined);
  const count = world.paths.filter((path) => path.startsWith("/etc/xen/")).length;
  expect(count).toBe(isWritten ? 2 : 1);
}

/** The next command does what the cut one did not. */
async function goOn(world: FakeXen, scene: Scene): Promise<void> {
  const [domain] = world.domains;
  if (!domain) return;
  const isThere = domain.extra.length > 0 === (scene.after ?? scene.before).includes(EXTRA);
  // Once attached, it is the config that is left to do.
  await done(world, scene.name.startsWith("attach") && isThere ? persisting : scene.command);
  expect(world.config).toBe(scene.after ?? scene.before);
  expect(domain.extra).toEqual(world.config.includes(EXTRA) ? [EXTRA] : []);
  assertInOrder(world, scene);
}

/** All pairs take ten seconds: `DOMUS_CUTS=all` runs them, otherwise every seventh has to do. */
const EVERY = process.env["DOMUS_CUTS"] === "all" ? 1 : 7;

describe.each(SCENES)("$name", (scene) => {
  test("does what it says", async () => {
    const world = prepared(scene);
    await done(world, scene.command);
    assertInOrder(world, scene);
    expect(world.config).toBe(scene.after ?? scene.before);
    expect(world.domains[0]!.extra).toEqual(world.config.includes(EXTRA) ? [EXTRA] : []);
  });

  test.each(LOST)("cut off anywhere, is put in order by the next; names lost: %s", async (lost) => {
    const cuts = await cutsOf(prepared(scene), scene.command);
    expect(cuts.length).toBeGreaterThan(15);
    for (const cut of cuts) {
      const world = prepared(scene, lost);
      try {
        await world.process(scene.command, cut);
        assertSound(world, scene);
        await done(world, recover);
        world.endPending();
        assertInOrder(world, scene);
        await goOn(world, scene);
      } catch (error) {
        throw new Error(`cut ${cutText(cut)}`, { cause: error });
      }
    }
  });

  test("whose recovery is cut off as well, is put in order by the one after it", async () => {
    let pairs = 0;
    for (const cut of await cutsOf(prepared(scene), scene.command)) {
      const first = prepared(scene);
      await first.process(scene.command, cut);
      for (const second of await cutsOf(first, recover)) {
        pairs += 1;
        if (pairs % EVERY !== 0) continue;
        const world = prepared(scene, LOST[pairs % LOST.length]);
        try {
          await world.process(scene.command, cut);
          await world.process(recover, second);
          assertSound(world, scene);
          await done(world, recover);
          world.endPending();
          assertInOrder(world, scene);
          await goOn(world, scene);
        } catch (error) {
          throw new Error(`cut ${cutText(cut)}, then ${cutText(second)}`, { cause: error });
        }
      }
    }
  });
});

describe("a config that somebody else changes", () => {
  const [scene] = SCENES as readonly [Scene];

  test("after the cut, stays as they have made it, and the copy stays", async () => {
    const world = prepared(scene);
    const { effects } = await done(world, scene.command);
    const states = new Set<string>();
    for (let at = 1; at <= effects; at++) {
      const cut = prepared(scene);
      await cut.process(scene.command, { at, kind: "after" });
      if (cut.store.tables.operations[0]?.step !== "config") continue;
      const copy = copyOf(cut);
      cut.putFile(CONFIG, Buffer.from("name = 'theirs'\n"));
      const { value } = await done(cut, recover);
      expect(cut.config).toBe("name = 'theirs'\n");
      expect(copyOf(cut)).toBe(copy);
      expect(writes(cut)).toBe(0);
      expect(cut.store.tables.operations).toEqual([]);
      const [{ what }] = value as [{ what: string }];
      states.add(
        what.replace(/^.*was changed by somebody else since, and is left as it is\.? ?/, ""),
      );
    }
    expect([...states].map((text) => text.replace(/\/etc\S*/g, "COPY"))).toEqual([
      "",
      "COPY is part of what it was before.",
      "What it was before is COPY",
    ]);
  });

  test("before it is written, is not overwritten", async () => {
    const world = prepared(scene);
    const ran = await world.process(async (ports) => {
      const { host } = ports;
      const replaceFile: typeof host.replaceFile = (path, change) => {
        world.putFile(CONFIG, Buffer.from("name = 'theirs'\n"));
        return host.replaceFile!(path, change);
      };
      return persisting({ ...ports, host: { ...host, replaceFile } });
    });
    expect(ran).toMatchObject({ outcome: "failed", error: { failure: { kind: "refused" } } });
    expect(world.config).toBe("name = 'theirs'\n");
    expect(copyOf(world)).toBeUndefined();
    expect(world.store.tables.operations).toEqual([]);
  });
});

test("two commands in one second keep both old configs", async () => {
  const world = prepared(SCENES[0]!);
  await done(world, persisting);
  world.domains[0]!.extra = [];
  await done(world, persisting);
  const copies = world.paths.filter((path) => path.includes(".domus-"));
  expect(copies.map((path) => Buffer.from(world.bytesOf(path)).toString())).toEqual([PLAIN, MORE]);
  expect(world.config).toBe(PLAIN);
});

test("a guest that another command works on is left alone", async () => {
  const world = prepared(SCENES[0]!);
  const ran = await world.process(async (ports) => {
    ports.records.beginOperation({
      ...ports.self,
      kind: "save",
      guest: "pandora",
      step: "write",
      data: {},
    });
    return persisting(ports);
  });
  expect(ran).toMatchObject({ outcome: "failed", error: { failure: { kind: "refused" } } });
  expect(world.config).toBe(PLAIN);
});

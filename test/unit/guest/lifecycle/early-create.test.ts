/**
 * An xl create that is killed before its domain has a name: Xen knows the domain by its uuid alone, and only one that domus has
 * started may go (docs/design/lifecycle.md, "start").
 */
import { describe, expect, test } from "vitest";
import { CONFIG, FakeXen, GUEST, UUID } from "../../../support/fake-xen.ts";
import { recover, starting } from "../../../support/lifecycle-commands.ts";
import { cutsOf, cutText, done } from "../../../support/lifecycle-cuts.ts";

const FOREIGN = "77777777-5a0b-4f2d-9c1e-0123456789ab";
const WITH_UUID = new FakeXen().config;
const WITHOUT = WITH_UUID.replace(/uuid.*\n/, "");

/** Somebody else's xl is at work, or was killed: a domain without a name that has not run. */
function addForeign(world: FakeXen, name: string, uuid: string): void {
  const foreign = { domid: 900, cpu: 0, memory: 0, state: "paused", whole: false } as const;
  world.domains.push({ ...foreign, name, uuid, own: [], extra: [] });
}

function prepared(config: string): FakeXen {
  const world = new FakeXen();
  world.putFile(CONFIG, Buffer.from(config));
  world.killedEarly = true;
  addForeign(world, "(null)", FOREIGN);
  return world;
}

describe.each([
  ["with a uuid in its config", WITH_UUID],
  ["without one", WITHOUT],
])("a guest %s", (_, config) => {
  test("whose start is cut off anywhere leaves nothing, and takes nobody else's", async () => {
    const cuts = await cutsOf(prepared(config), starting());
    expect(cuts.length).toBeGreaterThan(20);
    let halves = 0;
    for (const cut of cuts) {
      const world = prepared(config);
      try {
        await world.process(starting(), cut);
        const halfBuilt = world.domains.filter(
          ({ name, uuid }) => name !== GUEST && uuid !== FOREIGN,
        );
        halves += halfBuilt.length;
        await done(world, recover);
        world.endPending();
        expect(world.disasters).toEqual([]);
        expect(world.store.tables.operations).toEqual([]);
        const others = world.domains.filter(({ uuid }) => uuid === FOREIGN);
        expect(others).toHaveLength(cut.kind.startsWith("power") ? 0 : 1);
        const own = world.domains.filter(({ uuid }) => uuid !== FOREIGN);
        for (const one of own) expect(one).toMatchObject({ name: GUEST, state: "running" });
        if (own.length === 0) await done(world, starting());
      } catch (error) {
        throw new Error(`cut ${cutText(cut)}`, { cause: error });
      }
    }
    expect(halves).toBeGreaterThan(0);
  });
});

/** Its process is gone, and domains are as they were then. */
async function recoverStart(world: FakeXen, uuid: string | undefined): Promise<string> {
  const { value } = await world.process(async (ports) => {
    const data = { config: CONFIG, ...(uuid !== undefined && { uuid }) };
    const mark = { ...ports.self, pid: 1 };
    ports.records.beginOperation({ ...mark, kind: "start", guest: GUEST, step: "create", data });
    return (await recover(ports)) as readonly { readonly what: string }[];
  });
  return value![0]!.what;
}

describe("recovery", () => {
  test.each(["(null)", GUEST])(
    "that does not know the uuid leaves a domain called '%s', and says it",
    async (name) => {
      const world = new FakeXen();
      addForeign(world, name, FOREIGN);
      expect(await recoverStart(world, undefined)).toMatch(
        /pandora was not started\. Domain 900 has its name or none, and has never run: it may be what is left.*xl destroy 900\.$/,
      );
      expect(world.domains).toHaveLength(1);
    },
  );

  test.each([
    ["of its name and another uuid", GUEST, FOREIGN],
    ["of its uuid and another name", "pandora-clone", UUID],
    ["of no name and another uuid", "(null)", FOREIGN],
  ])("leaves a domain %s, which somebody else has made", async (_, name, uuid) => {
    const world = new FakeXen();
    addForeign(world, name, uuid);
    expect(await recoverStart(world, UUID)).toContain("was not started: nothing of it is left");
    expect(world.domains).toHaveLength(1);
  });

  test("knows a guest that was started and renamed", async () => {
    const world = new FakeXen();
    addForeign(world, "renamed", UUID);
    Object.assign(world.domains[0]!, { state: "running", cpu: 1 });
    expect(await recoverStart(world, UUID)).toContain("pandora was started: it is domain 900.");
    expect(world.domains).toHaveLength(1);
  });

  test.each(["(null)", "", GUEST])(
    "takes away what has its uuid and is called '%s'",
    async (name) => {
      const world = new FakeXen();
      addForeign(world, name, UUID);
      expect(await recoverStart(world, UUID)).toContain("was not started: nothing of it is left");
      expect(world.domains).toEqual([]);
    },
  );
});

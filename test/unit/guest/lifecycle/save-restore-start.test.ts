import { describe, expect, test } from "vitest";
import { FailureError, refused } from "../../../../src/base/failure.ts";
import { explainFailure } from "../../../../src/base/explain.ts";
import { findGuest } from "../../../../src/guest/inventory/find-guest.ts";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import { claimOperation, isSameBoot } from "../../../../src/guest/lifecycle/journal.ts";
import { planSave, surveySave } from "../../../../src/guest/lifecycle/plan-save.ts";
import { planStart, surveyStart } from "../../../../src/guest/lifecycle/plan-start.ts";
import type { BootCheck } from "../../../../src/guest/lifecycle/plan-start.ts";
import { recoverOperations } from "../../../../src/guest/lifecycle/recover.ts";
import { DISK, DISK_ALIAS, FakeXen, GUEST, IMAGES, UUID } from "../../../support/fake-xen.ts";
import { restoring, save, starting } from "../../../support/lifecycle-commands.ts";
import type { Command } from "../../../support/lifecycle-commands.ts";
import { domainJson, saveImage } from "../../../support/save-image.ts";

async function done(world: FakeXen, command: Command): Promise<unknown> {
  const ran = await world.process(command);
  if (ran.outcome === "failed") throw ran.error;
  return ran.value;
}

/** What it says when it does not do it. */
async function told(world: FakeXen, command: Command) {
  const { outcome, error } = await world.process(command);
  expect(outcome).toBe("failed");
  if (!(error instanceof FailureError)) throw error;
  return { kind: error.failure.kind, ...explainFailure(error.failure) };
}

async function savedGuest(): Promise<FakeXen> {
  const world = new FakeXen();
  world.boot();
  await done(world, save);
  return world;
}

const imagesOf = (world: FakeXen) => world.store.tables.images;
const imageFiles = (world: FakeXen) => world.paths.filter((path) => path.startsWith(IMAGES));

describe("save", () => {
  test("writes an image, records it with its disks, and ends the domain", async () => {
    const world = await savedGuest();
    const path = `${IMAGES}/pandora-20261121-120000.xl`;
    expect(world.domains).toEqual([]);
    expect(imageFiles(world)).toEqual([path]);
    expect(world.savedMemory(path)).toBe(world.disk.content);
    expect(imagesOf(world)).toMatchObject([
      {
        ...{ guest: GUEST, uuid: UUID, path, state: "waiting", xen: "4.17" },
        configPath: "/etc/xen/pandora.cfg",
        configText: world.config,
        disks: [
          { vdev: "xvda", path: DISK, readonly: false, fingerprint: { version: 1 } },
          { vdev: "hdc", readonly: true },
        ],
      },
    ]);
    expect(world.store.tables.events).toMatchObject([{ kind: "saved", by: "domus", domid: 1 }]);
  });

  test("that xl fails leaves the guest as it was", async () => {
    const world = new FakeXen();
    world.boot();
    world.failing = "save";
    const { kind, what, next } = await told(world, save);
    expect(kind).toBe("failed");
    expect(what).toContain("pandora was not saved");
    expect(next).toContain("pandora goes on as domain 1, and no image is left.");
    expect(world.domains).toMatchObject([{ state: "running" }]);
    expect([imageFiles(world), imagesOf(world), world.store.tables.operations]).toEqual([
      [],
      [],
      [],
    ]);
  });

  test("that fills the disk makes room again before it writes anything down", async () => {
    const world = new FakeXen();
    world.boot();
    Object.assign(world, { failing: "save", isFull: true });
    const { kind, next } = await told(world, save);
    expect([kind, next]).toEqual([
      "failed",
      expect.stringContaining("pandora goes on as domain 1"),
    ]);
    expect([imageFiles(world), imagesOf(world), world.store.tables.operations]).toEqual([
      [],
      [],
      [],
    ]);
  });

  test("into the directory that xendomains restores from is refused", async () => {
    const world = new FakeXen();
    world.boot();
    world.putFile("/var/lib/xen/save/README", Buffer.from(""));
    const command: Command = async (ports) => {
      const guest = findGuest(await readInventory(ports.host), "here", GUEST);
      return planSave(await surveySave(ports, guest, "/var/lib/xen/save/pandora"));
    };
    expect(await told(world, command)).toMatchObject({
      kind: "refused",
      what: "No image is written to /var/lib/xen/save.",
    });
  });

  test("of a paused guest is refused: it would not answer", async () => {
    const world = new FakeXen();
    world.boot().state = "paused";
    expect(await told(world, save)).toMatchObject({ kind: "refused", what: "pandora is paused." });
  });

  test("of a guest that does not run has nothing to do", async () => {
    expect(await told(new FakeXen(), save)).toMatchObject({ kind: "misuse" });
  });

  test("without room for it is refused before the guest stands still", async () => {
    const world = new FakeXen();
    world.boot();
    world.freeBytes = 128 * 1024 ** 2;
    const { kind, what } = await told(world, save);
    expect([kind, what]).toEqual(["refused", expect.stringContaining("There is no room")]);
    expect(world.domains).toMatchObject([{ state: "running" }]);
  });

  test("is given up at Ctrl-C, and the guest goes on", async () => {
    const world = new FakeXen();
    world.boot();
    const interrupt = new AbortController();
    const said: string[] = [];
    const tell = (text: string) => {
      said.push(text);
      interrupt.abort();
    };
    const command: Command = (ports) => save({ ...ports, tell }, interrupt.signal);
    const { outcome, error } = await world.process(command);
    expect([outcome, (error as Error).name]).toEqual(["failed", "AbortError"]);
    expect(said.at(-1)).toContain("pandora goes on as domain 1, and no image is left.");
    expect(world.domains).toMatchObject([{ state: "running" }]);
    expect([imageFiles(world), world.store.tables.operations]).toEqual([[], []]);
  });

  test("while another command works on the guest is refused", async () => {
    const world = new FakeXen();
    world.boot();
    const command: Command = async (ports) => {
      ports.records.beginOperation({
        ...{ kind: "reboot", guest: GUEST, step: "wait", data: {} },
        ...ports.self,
      });
      // Another process than the one that waits.
      const others = { ...ports, self: { ...ports.self, pid: 4711 } };
      return save(others);
    };
    const { kind, what } = await told(world, command);
    expect([kind, what]).toEqual([
      "refused",
      expect.stringContaining("domus reboot pandora is under way"),
    ]);
  });

  test.each([true, false])(
    "that is cut off with the guest suspended lets it go on (xl resume: %s)",
    async (hasResume) => {
      const world = new FakeXen();
      world.hasResume = hasResume;
      world.boot();
      await world.process(save, { at: 1, kind: "both" });
      expect(world.domains).toMatchObject([{ state: "suspended" }]);
      const [first] = (await done(world, (ports) => recoverOperations(ports))) as {
        what: string;
      }[];
      expect(first!.what).toContain(
        'domus save pandora was cut off at its step "write". It was taken back',
      );
      expect(world.domains).toMatchObject([{ state: "running" }]);
      expect(imageFiles(world)).toEqual([]);
    },
  );
});

describe("restore", () => {
  test("lets the guest go on, and does not offer the image again", async () => {
    const world = await savedGuest();
    const memory = world.disk.content;
    await done(world, restoring(GUEST));
    expect(world.domains).toMatchObject([{ state: "running" }]);
    expect(world.domains[0]!.memory).toBeGreaterThan(memory);
    const kept = `${IMAGES}/pandora-20261121-120000.xl.restored`;
    expect(imagesOf(world)).toMatchObject([{ state: "restored", path: kept }]);
    expect(imageFiles(world)).toEqual([kept]);
    world.domains = [];
    for (const anyway of [false, true])
      expect(await told(world, restoring(kept, anyway))).toMatchObject({
        kind: "refused",
        what: `The image ${kept} is not offered any more.`,
      });
    expect(world.disasters).toEqual([]);
  });

  test.each([false, true])(
    "is refused when a disk was written to since (--anyway: %s)",
    async (anyway) => {
      const world = await savedGuest();
      world.disk.content += 1;
      const { kind, what } = await told(world, restoring(GUEST, anyway));
      expect([kind, what]).toEqual([
        "refused",
        expect.stringMatching(/The disks of pandora have changed since it was saved .*xvda/),
      ]);
      expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
    },
  );

  test("after the host was started again needs no counters: the content is the same", async () => {
    const world = await savedGuest();
    world.powerFails();
    await done(world, restoring(GUEST));
    expect(world.domains).toMatchObject([{ state: "running" }]);
    expect(world.disasters).toEqual([]);
  });

  test("is refused while a domain of the guest is there", async () => {
    const world = await savedGuest();
    Object.assign(world.boot(), { state: "paused", cpu: 0 });
    expect(await told(world, restoring(GUEST))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("is there already"),
    });
  });

  test("is refused when a disk is in use", async () => {
    const world = await savedGuest();
    world.guard = {
      ...world.guard,
      findUsers: async () => [{ kind: "mount", what: "mounted at /mnt", writes: true }],
    };
    expect(await told(world, restoring(GUEST, true))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("mounted at /mnt"),
    });
  });

  test("of an image that is cut off is refused", async () => {
    const world = await savedGuest();
    const [{ path } = { path: "" }] = imagesOf(world);
    world.putFile(path, world.bytesOf(path).subarray(0, 5000));
    expect(await told(world, restoring(path, true))).toMatchObject({
      kind: "refused",
      what: `The image ${path} is not whole.`,
    });
  });

  test("of an image that xl has made wants --anyway, and then records it", async () => {
    const world = new FakeXen();
    const path = "/root/pandora.chk";
    world.putFile(path, saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } }));
    expect(await told(world, restoring(path))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("Nothing proves"),
    });
    await done(world, restoring(path, true));
    expect(imagesOf(world)).toMatchObject([{ state: "restored", path }]);
    // It is not domus's file.
    expect(world.paths).toContain(path);
    world.domains = [];
    expect(await told(world, restoring(path, true))).toMatchObject({
      what: expect.stringContaining("not offered any more"),
    });
  });

  test("gives each image that xl made under the guest's name a name of its own, out of xendomains' way", async () => {
    const world = new FakeXen();
    const path = `/var/lib/xen/save/${GUEST}`;
    const saved = () => saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } });
    const kept = ["pandora.restored", "pandora-2.restored", "pandora-3.restored"];
    for (const _ of kept) {
      world.nowMs += 3_600_000;
      world.putFile(path, saved());
      await done(world, restoring(path, true));
      world.domains = [];
    }
    const places = kept.map((name) => `/var/lib/xen/${name}`);
    expect(
      imagesOf(world)
        .map((image) => image.path)
        .toSorted(),
    ).toEqual(places.toSorted());
    expect(world.paths.filter((one) => one.startsWith("/var/lib/xen/")).toSorted()).toEqual(
      places.toSorted(),
    );
  });

  test("does not move the next image of that name away for an earlier one's sake", async () => {
    const world = new FakeXen();
    const path = `/var/lib/xen/save/${GUEST}`;
    world.putFile(path, saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } }));
    await done(world, restoring(path, true));
    world.domains = [];
    // As if it could not be moved.
    const earlier = world.store.tables.images[0]!;
    await done(world, async ({ records }) => records.changeImage(earlier.id, { path }));
    world.nowMs += 3_600_000;
    world.putFile(path, saveImage({ config: { ...domainJson(GUEST, UUID), token: 2 } }));
    await done(world, (ports) => recoverOperations(ports));
    expect(world.paths).toContain(path);
    expect(imagesOf(world)).toMatchObject([{ path: "/var/lib/xen/pandora.restored" }]);
  });

  test("that xl fails leaves the image waiting", async () => {
    const world = await savedGuest();
    world.failing = "restore";
    expect(await told(world, restoring(GUEST))).toMatchObject({
      kind: "failed",
      why: expect.stringContaining("Failed to read"),
    });
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
    expect([world.domains, world.store.tables.operations]).toEqual([[], []]);
  });

  test("of an image that was moved is as good as before; of a copy nothing is known", async () => {
    const world = await savedGuest();
    const [{ path } = { path: "" }] = imagesOf(world);
    world.putFile("/srv/copy.xl", world.bytesOf(path));
    expect(await told(world, restoring("/srv/copy.xl"))).toMatchObject({
      what: expect.stringContaining("Nothing proves"),
    });
    world.removeFile("/srv/copy.xl");
    world.moveFile(path, "/srv/moved.xl");
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "missing" }]);
    await done(world, restoring("/srv/moved.xl"));
    expect(imagesOf(world)).toMatchObject([{ state: "restored", path: "/srv/moved.xl" }]);
    world.domains = [];
    world.moveFile("/srv/moved.xl", "/srv/again.xl");
    expect(await told(world, restoring("/srv/again.xl", true))).toMatchObject({
      why: expect.stringContaining("It was restored"),
    });
  });

  test("of an image of which no fingerprints were taken wants --anyway", async () => {
    const world = new FakeXen();
    world.boot();
    world.filesAheadMs = 60_000;
    // The image is whole and has its name; then there is no power any more.
    await world.process(save, { at: 9, kind: "power after" });
    await done(world, (ports) => recoverOperations(ports));
    const [{ path, state, disks } = { path: "", state: "", disks: [] }] = imagesOf(world);
    expect([state, disks]).toEqual(["aside", []]);
    // Not offered, so that nobody has to give it up.
    await done(world, starting(false));
    world.domains = [];
    expect(await told(world, restoring(path))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("Nothing proves"),
      why: expect.stringContaining("No fingerprint of it was taken"),
    });
  });

  test("of one on a server whose clock is ahead is as good", async () => {
    const world = new FakeXen();
    world.boot();
    world.filesAheadMs = 5000;
    await done(world, save);
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
    await done(world, restoring(GUEST));
    expect(imagesOf(world)).toMatchObject([{ state: "restored" }]);
  });

  test("of one of xl's own that was given up wants --anyway, too", async () => {
    const world = new FakeXen();
    const bytes = saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } });
    world.putFile("/var/lib/xen/save/pandora", bytes);
    await done(world, starting(true));
    world.domains = [];
    expect(await told(world, restoring("/var/lib/xen/pandora.aside"))).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("Nothing proves"),
    });
  });

  test("of one that was set aside is possible as long as its disks are the same", async () => {
    const world = await savedGuest();
    await world.process(starting(true), { at: 1, kind: "both" });
    await done(world, (ports) => recoverOperations(ports));
    const [{ path, state } = { path: "", state: "" }] = imagesOf(world);
    expect([state, path]).toEqual(["aside", expect.stringMatching(/\.aside$/)]);
    await done(world, restoring(path));
    expect(world.disasters).toEqual([]);
    expect(world.domains).toMatchObject([{ state: "running" }]);
  });
});

describe("start", () => {
  test("that fails has said where the image is that was given up", async () => {
    const world = await savedGuest();
    world.failing = "create";
    const said: string[] = [];
    const tell = (text: string) => void said.push(text);
    await told(world, (ports) => starting(true)({ ...ports, tell }));
    const [{ path } = { path: "" }] = imagesOf(world);
    expect(said).toContainEqual(expect.stringContaining(`it is kept as ${path}.`));
  });

  test("is refused while an image waits, and says both ways out", async () => {
    const world = await savedGuest();
    const { kind, what, next } = await told(world, starting());
    expect([kind, what]).toEqual([
      "refused",
      expect.stringContaining("pandora is saved: its image"),
    ]);
    expect(next).toContain("domus restore pandora");
    expect(next).toContain("domus start --discard-image pandora");
  });

  test("is refused while an image of xl's own waits", async () => {
    const world = new FakeXen();
    world.putFile(
      "/var/lib/xen/save/pandora",
      saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } }),
    );
    expect(await told(world, starting())).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("/var/lib/xen/save/pandora"),
    });
    await done(world, starting(true));
    // Out of the directory that xendomains restores from.
    expect(world.paths).toContain("/var/lib/xen/pandora.aside");
    expect(imagesOf(world)).toMatchObject([{ state: "aside", path: "/var/lib/xen/pandora.aside" }]);
  });

  test("with --discard-image keeps the image aside", async () => {
    const world = await savedGuest();
    await done(world, starting(true));
    expect(world.domains).toMatchObject([{ state: "running" }]);
    expect(imagesOf(world)).toMatchObject([
      { state: "aside", path: expect.stringMatching(/\.aside$/) },
    ]);
    expect(world.store.tables.events.map(({ kind }) => kind)).toEqual([
      "saved",
      "image-aside",
      "started",
    ]);
    const [{ path } = { path: "" }] = imagesOf(world);
    world.domains = [];
    expect(await told(world, restoring(path, true))).toMatchObject({
      what: expect.stringContaining("have changed"),
    });
  });

  test("of a guest that runs is nothing to do", async () => {
    const world = new FakeXen();
    world.boot();
    expect(await told(world, starting())).toMatchObject({
      kind: "misuse",
      what: "pandora runs already, as domain 1.",
    });
  });

  test("is refused beside a domain of another name that has its uuid", async () => {
    const world = new FakeXen();
    world.boot().name = "panda";
    expect(await told(world, starting())).toMatchObject({
      kind: "refused",
      what: "The domain 1, called panda, has the uuid of pandora.",
    });
  });

  test("is refused beside a domain that crashed or is paused", async () => {
    const world = new FakeXen();
    world.boot().state = "paused";
    expect(await told(world, starting())).toMatchObject({
      kind: "refused",
      next: "Let it go on: domus resume pandora",
    });
  });

  test("is refused when another config has the name", async () => {
    const world = new FakeXen();
    world.putFile(
      "/etc/xen/copy.cfg",
      Buffer.from('name = "other"\nuuid = "22F7F7CC-5a0b-4f2d-9c1e-0123456789ab"\nmemory = 64\n'),
    );
    expect(await told(world, starting())).toMatchObject({
      kind: "refused",
      what: expect.stringContaining("/etc/xen/copy.cfg"),
    });
  });

  test("is refused for a disk that is half a copy", async () => {
    const world = new FakeXen();
    world.guard = {
      ...world.guard,
      copyState: async () => ({ state: "unfinished", record: "/r" }),
    };
    expect(await told(world, starting())).toMatchObject({
      kind: "refused",
      what: `${DISK} is an unfinished copy.`,
    });
  });

  test("that xl fails leaves nothing", async () => {
    const world = new FakeXen();
    world.failing = "create";
    expect(await told(world, starting())).toMatchObject({
      kind: "failed",
      why: "xl says: no memory",
    });
    expect([world.domains, world.store.tables.operations]).toEqual([[], []]);
  });

  test("is refused for a guest that would not boot, unless it is to start anyway", async () => {
    const world = new FakeXen();
    const finding = {
      code: "kernel-missing",
      severity: "error",
      where: ["xvda"],
      what: "No kernel.",
      why: "w",
      next: "n",
    } as const;
    const check: BootCheck = { verdict: "fails", findings: [finding] };
    const planning =
      (anyway: boolean): Command =>
      async (ports) => {
        const inventory = await readInventory(ports.host, { records: ports.records });
        const guest = findGuest(inventory, "here", GUEST);
        const survey = { ...(await surveyStart(ports, inventory, guest)), check };
        return planStart(survey, { discardImage: false, anyway });
      };
    expect(await told(world, planning(false))).toMatchObject({
      kind: "refused",
      what: "pandora would not boot: No kernel.",
    });
    expect(await done(world, planning(true))).toMatchObject({ warnings: ["No kernel."] });
  });
});

describe("recovery", () => {
  test("ends the offer of an image whose guest was started without domus, with an alarm", async () => {
    const world = await savedGuest();
    world.boot();
    const [first] = (await done(world, (ports) => recoverOperations(ports))) as { what: string }[];
    expect(first!.what).toContain("pandora runs as domain 2 although its image");
    expect(imagesOf(world)).toMatchObject([{ state: "aside" }]);
    expect(world.store.tables.events.map(({ kind }) => kind)).toEqual([
      "saved",
      "image-aside",
      "alarm",
    ]);
  });

  /** The save is cut off right before the domain is destroyed: paused, and its image waits. */
  async function beforeDestroy(): Promise<FakeXen> {
    const world = new FakeXen();
    world.boot();
    await world.process(save, { at: 2, kind: "both" });
    expect(world.domains).toMatchObject([{ state: "paused" }]);
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
    return world;
  }

  test("ends a save that was recorded", async () => {
    const world = await beforeDestroy();
    await done(world, (ports) => recoverOperations(ports));
    expect([world.domains, imagesOf(world)]).toMatchObject([[], [{ state: "waiting" }]]);
  });

  test.each(["paused", "running"] as const)(
    "destroys no domain that has lived on since its save was recorded, and is %s",
    async (state) => {
      const world = await beforeDestroy();
      world.domains[0]!.state = "running";
      world.tick();
      world.domains[0]!.state = state;
      const [first] = (await done(world, (ports) => recoverOperations(ports))) as {
        what: string;
      }[];
      expect(first!.what).toContain("was not ended");
      expect(world.domains).toMatchObject([{ state }]);
      expect(imagesOf(world)).toMatchObject([{ state: "aside" }]);
    },
  );

  test("knows after a second cut, too, that the host was started again", async () => {
    const world = new FakeXen();
    world.boot();
    await world.process(save, { at: 1, kind: "power during" });
    await done(world, async (ports) => {
      const [operation] = ports.records.operations();
      const claimed = claimOperation(ports, operation!)!;
      expect(claimed.bootId).toBe(world.bootId);
      expect(isSameBoot(ports, claimed)).toBe(false);
      const again = claimOperation({ ...ports, isAlive: () => false }, claimed)!;
      expect(isSameBoot(ports, again)).toBe(false);
    });
  });

  test("ends the offer of an image of which another guest writes to a disk", async () => {
    const world = await savedGuest();
    const other = world.boot();
    Object.assign(other, { name: "mail", uuid: "99999999-5a0b-4f2d-9c1e-0123456789ab" });
    const [first] = (await done(world, (ports) => recoverOperations(ports))) as { what: string }[];
    expect(first!.what).toContain("A disk of pandora is given to mail, which runs as domain 2");
    expect(imagesOf(world)).toMatchObject([{ state: "aside" }]);
  });

  test("knows the disk by another name, too, and says which guest has it", async () => {
    const world = await savedGuest();
    const other = world.bootOther();
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
    other.extra = [`${DISK_ALIAS},raw,xvdc,rw`];
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "aside" }]);
    expect(world.store.tables.events.at(-1)).toMatchObject({
      kind: "alarm",
      detail: { why: expect.stringContaining("mail runs as domain 2 and may write") as string },
    });
  });

  test("leaves an image alone that somebody restores at this moment", async () => {
    const world = await savedGuest();
    Object.assign(world.boot(), { state: "paused", cpu: 0 });
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
  });

  test("knows when an image was deleted", async () => {
    const world = await savedGuest();
    world.removeFile(imagesOf(world)[0]!.path);
    await done(world, (ports) => recoverOperations(ports));
    expect(imagesOf(world)).toMatchObject([{ state: "missing" }]);
    await done(world, starting());
  });

  test.each([false, true])(
    "offers an image again that was not mounted, unless its guest was started (%s) meanwhile",
    async (isStarted) => {
      const world = await savedGuest();
      const [{ path } = { path: "" }] = imagesOf(world);
      world.moveFile(path, "/unmounted");
      await done(world, (ports) => recoverOperations(ports));
      expect(imagesOf(world)).toMatchObject([{ state: "missing" }]);
      if (isStarted) await done(world, starting());
      world.moveFile("/unmounted", path);
      await done(world, (ports) => recoverOperations(ports));
      expect(imagesOf(world)).toMatchObject([{ state: isStarted ? "aside" : "waiting" }]);
    },
  );

  test("deletes what was restored after a week, and nothing before", async () => {
    const world = await savedGuest();
    await done(world, restoring(GUEST));
    world.nowMs += 6.9 * 86_400_000;
    await done(world, (ports) => recoverOperations(ports));
    expect(imageFiles(world)).toHaveLength(1);
    world.nowMs += 0.2 * 86_400_000;
    await done(world, (ports) => recoverOperations(ports));
    expect([imageFiles(world), imagesOf(world)]).toEqual([[], []]);
  });

  test("leaves a command alone that still works", async () => {
    const world = new FakeXen();
    await done(world, async (ports) => {
      ports.records.beginOperation({
        ...{ kind: "start", guest: GUEST, step: "create", data: { config: "/x" } },
        ...ports.self,
      });
      expect(await recoverOperations(ports)).toEqual([]);
      expect(ports.records.operations()).toHaveLength(1);
    });
  });

  test("that fails keeps the operation, and the guest is not touched until it succeeds", async () => {
    const world = new FakeXen();
    world.boot();
    await world.process(save, { at: 1, kind: "both" });
    const deaf: Command = (ports) =>
      save({
        ...ports,
        host: {
          ...ports.host,
          run: async (argv, options) => {
            if (argv[1] === "save") throw refused([], { what: "no", why: "", next: "" });
            return ports.host.run(argv, options);
          },
        },
      });
    expect(await told(world, deaf)).toMatchObject({
      what: expect.stringContaining("An earlier domus save pandora was cut off"),
    });
    expect(world.store.tables.operations).toHaveLength(1);
    await done(world, save);
    expect(imagesOf(world)).toMatchObject([{ state: "waiting" }]);
  });
});

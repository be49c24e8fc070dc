import { describe, expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import type { CliRun } from "../../support/cli.ts";
import { DISK, DISK_ALIAS, FakeXen, GUEST, IMAGES, UUID } from "../../support/fake-xen.ts";
import { domainJson, saveImage } from "../../support/save-image.ts";

const IMAGE = `${IMAGES}/pandora-20261121-120000.xl`;

/** domus on that dom0, as a process of its own. */
async function domus(world: FakeXen, ...argv: readonly string[]): Promise<CliRun> {
  const { value, error } = await world.process((lifecycle) =>
    cli(argv, { lifecycle, columns: 100 }),
  );
  if (!value) throw error;
  return value;
}

function running(): FakeXen {
  const world = new FakeXen();
  world.boot();
  return world;
}

describe("domus save and restore", () => {
  test("say what they did and what comes next", async () => {
    const world = running();
    const saved = await domus(world, "save", GUEST);
    expect(saved).toMatchObject({ code: 0 });
    expect(saved.stdout).toMatch(
      /^pandora is saved in \S+\.xl \([\d.]+ KiB\)\.\nTo let it go on: domus restore pandora\n$/,
    );
    const restored = await domus(world, "restore", GUEST);
    expect(restored).toMatchObject({ code: 0 });
    expect(restored.stdout).toBe(
      `pandora goes on as domain 2.\nThe image is kept for a while as ${IMAGE}.restored; it must not be restored again.\n`,
    );
  });

  test("say whose an image of xendomains is after it", async () => {
    const world = new FakeXen();
    const path = "/var/lib/xen/save/pandora";
    world.putFile(path, saveImage({ config: { ...domainJson(GUEST, UUID), token: 1 } }));
    const { code, stdout } = await domus(world, "restore", "--anyway", GUEST);
    expect(code).toBe(0);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      "moved out of xendomains' way, to /var/lib/xen/pandora.restored; it must not be restored again. It is yours to delete.",
    );
    const list = await domus(world, "list");
    expect([list.code, list.stdout]).toEqual([0, expect.not.stringContaining("restored")]);
  });

  test("as JSON", async () => {
    const world = running();
    const dry = await domus(world, "save", "--json", "--dry-run", GUEST);
    expect(JSON.parse(dry.stdout)).toMatchObject({ domus: 1, done: false, image: IMAGE, domid: 1 });
    const saved = await domus(world, "save", "--json", GUEST);
    const document = { domus: 1, guest: GUEST, uuid: UUID, image: IMAGE, done: true, unproven: [] };
    expect(JSON.parse(saved.stdout)).toMatchObject(document);
    const restored = await domus(world, "restore", "--json", GUEST);
    expect(JSON.parse(restored.stdout)).toMatchObject({
      ...{ domus: 1, guest: GUEST, uuid: UUID, image: IMAGE, done: true, domid: 2, doubts: [] },
      keptAs: `${IMAGE}.restored`,
    });
  });

  test("with --dry-run change nothing", async () => {
    const world = running();
    const { code, stdout } = await domus(world, "save", "--dry-run", GUEST);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(`Would save pandora (domain 1) in ${IMAGE}.`),
    ]);
    expect(world.domains).toMatchObject([{ state: "running" }]);
    await domus(world, "save", GUEST);
    const before = structuredClone(world.store.tables);
    const dry = await domus(world, "restore", "--dry-run", GUEST);
    expect(dry.stdout).toBe(
      `Would restore pandora from ${IMAGE}, saved 2026-11-21 12:00:00 UTC.\n`,
    );
    expect(world.store.tables).toEqual(before);
    expect(world.domains).toEqual([]);
  });

  test("a refusal is 4, and JSON as well", async () => {
    const world = running();
    await domus(world, "save", GUEST);
    world.disk.content += 1;
    const { code, stdout, stderr } = await domus(world, "restore", "--json", GUEST);
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "refused" } });
    expect(stderr).toContain("There is no way round this one.");
  });

  test("the next command says what it has put in order; --dry-run only that there is something", async () => {
    const world = running();
    await world.process((lifecycle) => cli(["save", GUEST], { lifecycle }), {
      at: 1,
      kind: "both",
    });
    const dry = await domus(world, "save", "--dry-run", GUEST);
    expect(dry.stderr).toContain('domus save pandora was cut off at its step "write"');
    expect(world.domains).toMatchObject([{ state: "suspended" }]);
    const { stderr } = await domus(world, "save", GUEST);
    expect(stderr.replaceAll("\n", " ")).toContain(
      "It was taken back: pandora goes on as domain 1",
    );
    expect(world.domains).toEqual([]);
  });
});

describe("the disk of a saved guest", () => {
  const text = ({ stderr }: CliRun) => stderr.replaceAll(/\s+/g, " ");

  test.each([
    [DISK, "rw"],
    [DISK_ALIAS, "w"],
  ])("as %s,%s is started in no other guest", async (path, access) => {
    const world = running();
    const config = `name = "mail"\nmemory = 64\ndisk = [ "${path},raw,xvda,${access}" ]\n`;
    world.putFile("/etc/xen/mail.cfg", Buffer.from(config));
    await domus(world, "save", GUEST);
    for (const flags of [[], ["--anyway"], ["--dry-run"], ["--discard-image"]]) {
      const refused = await domus(world, "start", ...flags, "mail");
      expect(refused.code).toBe(4);
      expect(text(refused)).toContain(`${path} is the disk xvda (${DISK}) of pandora`);
      expect(text(refused)).toContain(`memory image ${IMAGE} waits since 2026-11-21 12:00:00 UTC`);
    }
    expect(world.domains).toEqual([]);
    expect(world.store.tables).toMatchObject({ operations: [], images: [{ state: "waiting" }] });
    // Its own image is not in the guest's way.
    expect((await domus(world, "restore", GUEST)).code).toBe(0);
    expect(world.disasters).toEqual([]);
  });

  test("is started in its own guest when the image is given up", async () => {
    const world = running();
    await domus(world, "save", GUEST);
    const args = ["start", "--discard-image", "--no-wait", "--anyway"];
    expect((await domus(world, ...args, GUEST)).code).toBe(0);
    expect(world.disasters).toEqual([]);
  });
});

describe("domus start", () => {
  test("says that it was not watched, with --no-wait", async () => {
    const { code, stdout } = await domus(new FakeXen(), "start", "--no-wait", "--anyway", GUEST);
    expect([code, stdout]).toEqual([
      0,
      "pandora is started as domain 1. Whether it comes up was not watched.\n",
    ]);
  });

  test.each([
    ["pandora login: ", 0, /^pandora is up, as domain 1: /],
    [
      "Kernel panic - not syncing: VFS: Unable to mount root fs\r\n",
      1,
      /^pandora did not come up: /,
    ],
  ])("watches the console: %j", async (said, code, expected) => {
    const world = new FakeXen();
    const { value } = await world.process((lifecycle) =>
      cli(["start", "--anyway", GUEST], {
        lifecycle,
        boot: {
          host: lifecycle.host,
          async *readConsole() {
            yield Buffer.from(said);
          },
        },
      }),
    );
    expect(value).toMatchObject({ code, stdout: expect.stringMatching(expected) });
  });

  test("as JSON, and with --dry-run", async () => {
    const world = running();
    await domus(world, "save", GUEST);
    const args = ["start", "--discard-image", "--no-wait", "--anyway", "--json"];
    const dry = await domus(world, ...args, "--dry-run", GUEST);
    expect(JSON.parse(dry.stdout)).toMatchObject({ done: false, discards: [{ image: IMAGE }] });
    expect(world.domains).toEqual([]);
    const { stdout } = await domus(world, ...args, GUEST);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ domus: 1, guest: GUEST, done: true, domid: 2, uuid: UUID },
      discards: [{ image: IMAGE, keptAs: `${IMAGE}.aside` }],
    });
  });

  test("without the way out named is refused with 4", async () => {
    const world = running();
    await domus(world, "save", GUEST);
    const { code, stderr } = await domus(world, "start", GUEST);
    expect(code).toBe(4);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain("domus start --discard-image pandora");
    // What is refused need not be checked.
    expect(stderr).not.toContain("checked");
  });
});

import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import type { Inventory } from "../../../../src/guest/inventory/inventory.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0File, Dom0Options, FakeDomain } from "../../../support/dom0.ts";
import {
  domainJson,
  libxcContext,
  libxcStream,
  libxlStream,
  PANDORA_UUID,
  saveImage,
} from "../../../support/save-image.ts";

const OTHER_UUID = "11111111-2222-3333-4444-555555555555";
const THIRD_UUID = "33333333-2222-3333-4444-555555555555";

function config(name: string, { uuid = "", disk = `/dev/vg0/${name}-disk` } = {}): string {
  const line = uuid === "" ? "" : `uuid = "${uuid}"\n`;
  return `name = "${name}"\n${line}memory = 128\ndisk = ['${disk},raw,xvda,rw']\n`;
}

const small = libxlStream({ records: [libxcContext(libxcStream({ records: [] }))] });

function image(json: object = domainJson(), modified = "2026-02-01T00:00:00Z"): Dom0File {
  return { content: saveImage({ config: json, stream: small }), modified };
}

/** A guest's JSON with one disk. */
function jsonWith(target: string, name = "pandora", uuid = PANDORA_UUID) {
  const disks = [{ pdev_path: target, vdev: "xvda", format: "raw", readwrite: 1 }];
  return { ...domainJson(name, uuid), disks };
}

const read = (options: Dom0Options) => readInventory(fakeDom0(options));

function guestOf({ guests }: Inventory, name: string) {
  const found = guests.filter((guest) => guest.name === name);
  if (found.length !== 1) throw new Error(`${found.length} guests ${name}`);
  return found[0]!;
}

/** The domains here are made up, and differ from the configs: see drift.test.ts. So are most disks: see disks.test.ts. */
const MADE_UP = new Set(["config-drift", "disk-missing"]);
const codes = (findings: readonly { code: string }[]) =>
  findings.flatMap(({ code }) => (MADE_UP.has(code) ? [] : [code]));

describe("configs", () => {
  test("are found in xl's directories and where auto leads to, each file once", async () => {
    const inventory = await read({
      files: {
        "/etc/xen/a.cfg": config("a"),
        "/etc/xen/xl.conf": "",
        "/srv/xen/b.cfg": config("b"),
        "/srv/xen/c.cfg": config("c"),
        "/etc/xen/auto/d": config("d"),
        "/data/e.cfg": config("e"),
      },
      links: { "/etc/xen/auto/10-a": "/etc/xen/a.cfg", "/etc/xen/auto/b": "/srv/xen/b.cfg" },
    });
    const seen = inventory.guests.map(({ name, config: one }) => [name, one?.path, one?.autostart]);
    expect(seen).toEqual([
      ["a", "/etc/xen/a.cfg", ["/etc/xen/auto/10-a"]],
      ["b", "/srv/xen/b.cfg", ["/etc/xen/auto/b"]],
      ["c", "/srv/xen/c.cfg", []],
      ["d", "/etc/xen/auto/d", ["/etc/xen/auto/d"]],
    ]);
    expect(inventory.guests.every(({ state }) => state === "stopped")).toBe(true);
    const also = await readInventory(fakeDom0({ files: { "/data/e.cfg": config("e") } }), {
      also: ["/data"],
    });
    expect(also.guests.map(({ name }) => name)).toEqual(["e"]);
  });

  test("that nobody can read are guests by the name of their file", async () => {
    const inventory = await read({ files: { "/etc/xen/web.cfg": 'name = "web' } });
    const guest = guestOf(inventory, "web");
    expect(codes(guest.findings)).toEqual(["config-unreadable"]);
    expect(guest.has).toBeUndefined();
  });

  test("with one name or one uuid are told of each other", async () => {
    const { guests } = await read({
      files: {
        "/etc/xen/a.cfg": config("a", { uuid: PANDORA_UUID }),
        "/etc/xen/a-old.cfg": config("a"),
        "/etc/xen/b.cfg": config("b", { uuid: PANDORA_UUID }),
        "/etc/xen/c.cfg": config("c"),
      },
    });
    expect(guests.map(({ config: one, findings }) => [one!.path, codes(findings)])).toEqual([
      ["/etc/xen/a-old.cfg", ["duplicate-name"]],
      ["/etc/xen/a.cfg", ["duplicate-name", "duplicate-uuid"]],
      ["/etc/xen/b.cfg", ["duplicate-uuid"]],
      ["/etc/xen/c.cfg", []],
    ]);
  });

  test.each([true, false])("a link in auto that leads nowhere is said (live: %s)", async (live) => {
    const { findings } = await read({
      files: {},
      links: { "/etc/xen/auto/gone": "/etc/xen/gone.cfg" },
      live,
    });
    expect(findings).toMatchObject([{ code: "auto-link-broken", where: ["/etc/xen/auto/gone"] }]);
    expect(findings[0]!.what).toContain("/etc/xen/gone.cfg, which is not there");
  });
});

describe("disks", () => {
  test("are looked at where they are; a tree's devices cannot be seen", async () => {
    const files = {
      "/etc/xen/a.cfg": config("a", { disk: "vg0/a" }),
      "/etc/xen/b.cfg": config("b", { disk: "/srv/b.img" }),
      "/etc/xen/c.cfg": config("c", { disk: "/srv/c.img" }),
      "/srv/b.img": { content: "disk", sizeBytes: 4096 },
    };
    const kinds = async (live: boolean) =>
      [...(await read({ files, live })).backings].map(([path, backing]) => [
        path,
        backing.kind,
        backing.sizeBytes,
      ]);
    expect(await kinds(true)).toEqual([
      ["/dev/vg0/a", "missing", undefined],
      ["/srv/b.img", "file", 4096],
      ["/srv/c.img", "missing", undefined],
    ]);
    expect((await kinds(false))[0]).toEqual(["/dev/vg0/a", "not-visible", undefined]);
  });
});

describe("save images", () => {
  test("make a stopped guest a saved one, by uuid before name before disks", async () => {
    const inventory = await read({
      files: {
        "/etc/xen/renamed.cfg": config("renamed", { uuid: PANDORA_UUID }),
        "/etc/xen/named.cfg": config("named"),
        "/etc/xen/disked.cfg": config("disked", { disk: "/dev/vg0/data" }),
        "/var/lib/xen/save/pandora": image(),
        "/root/named.save": image(domainJson("named", OTHER_UUID)),
        "/srv/x": image(jsonWith("/dev/mapper/vg0-data", "former", THIRD_UUID)),
        "/var/lib/xen/nobody": image(domainJson("nobody", "99999999-2222-3333-4444-555555555555")),
        "/srv/notes.txt": "no image",
      },
      links: {},
      live: false,
    });
    const seen = inventory.guests.map(({ name, state, images }) => [
      name,
      state,
      images.map(({ by, fact }) => [by, fact.path]),
    ]);
    expect(seen).toEqual([
      ["disked", "saved", [["disks", "/srv/x"]]],
      ["named", "saved", [["name", "/root/named.save"]]],
      ["nobody", "saved", [["alone", "/var/lib/xen/nobody"]]],
      ["renamed", "saved", [["uuid", "/var/lib/xen/save/pandora"]]],
    ]);
    expect(codes(guestOf(inventory, "nobody").findings)).toEqual([
      "guest-without-config",
      "image-waiting",
    ]);
    const [waiting] = guestOf(inventory, "renamed").findings;
    expect(waiting).toMatchObject({ code: "image-waiting", severity: "note" });
    expect(waiting!.next).toContain("xendomains restores it");
  });

  test("of two configs with one uuid belong to the one with their name", async () => {
    const inventory = await read({
      files: {
        "/etc/xen/a-copy.cfg": config("copy", { uuid: PANDORA_UUID }),
        "/etc/xen/pandora.cfg": config("pandora", { uuid: PANDORA_UUID }),
        "/var/lib/xen/save/pandora": image(),
      },
    });
    expect(guestOf(inventory, "pandora").state).toBe("saved");
    expect(guestOf(inventory, "copy").state).toBe("stopped");
  });

  test("are stale when a disk file was written after them, and not when it was before", async () => {
    const at = async (modified: string) => {
      const inventory = await read({
        files: {
          "/etc/xen/pandora.cfg": config("pandora", { disk: "/srv/p.img" }),
          "/srv/p.img": { content: "disk", modified },
          "/var/lib/xen/save/pandora": image(jsonWith("/srv/p.img"), "2026-02-01T00:00:10Z"),
        },
      });
      return guestOf(inventory, "pandora").findings;
    };
    expect(codes(await at("2026-02-01T00:00:10Z"))).toEqual(["image-waiting"]);
    expect(codes(await at("2026-02-01T00:00:40Z"))).toEqual(["image-waiting"]);
    const [stale] = await at("2026-02-01T00:00:41Z");
    expect(stale).toMatchObject({ code: "image-stale", severity: "error" });
    expect(stale!.next).toContain("mv /var/lib/xen/save/pandora /var/lib/xen/pandora.stale");
  });

  test("that are cut off save nothing; of several only the newest can be right", async () => {
    const cut = image();
    const inventory = await read({
      files: {
        "/etc/xen/pandora.cfg": config("pandora"),
        "/etc/xen/mail.cfg": config("mail"),
        "/var/lib/xen/save/pandora": { ...cut, content: (cut.content as Buffer).subarray(0, -20) },
        "/root/old": image(domainJson("mail", OTHER_UUID), "2026-01-05T00:00:00Z"),
        "/root/new": image(domainJson("mail", OTHER_UUID), "2026-01-06T00:00:00Z"),
      },
    });
    const pandora = guestOf(inventory, "pandora");
    expect([pandora.state, codes(pandora.findings)]).toEqual(["stopped", ["image-incomplete"]]);
    expect(pandora.findings[0]!.why).toContain("does not start at all");
    const mail = guestOf(inventory, "mail");
    expect([mail.state, codes(mail.findings)]).toEqual([
      "saved",
      ["image-superseded", "image-waiting"],
    ]);
    expect(mail.findings[0]!.where).toEqual(["/root/old"]);
  });

  test("that cannot be read at all may be none: that is said by itself", async () => {
    const dom0 = fakeDom0({ files: { "/root/a": image() } });
    const broken = {
      ...dom0,
      openBlock: () => Promise.reject(ioFailure(["/root/a"], "open", "EACCES")),
    };
    const { guests, failures } = await readInventory(broken);
    expect([guests, failures]).toMatchObject([[], [{ errno: "EACCES" }]]);
  });

  test("what libxl keeps of each domain is none, and nobody who may not read it has to know", async () => {
    const uuid = "0f6c2a51-8a0d-4c33-9a55-3d2b7c9e1f10";
    const dom0 = fakeDom0({ files: { [`/var/lib/xen/userdata-d.1.${uuid}.libxl-json`]: "{}" } });
    const openBlock = (path: string) => Promise.reject(ioFailure([path], "open", "EACCES"));
    expect((await readInventory({ ...dom0, openBlock })).failures).toEqual([]);
  });

  test("are looked for where xendomains is told to put them", async () => {
    const { guests } = await read({
      files: {
        "/etc/default/xendomains": '# XENDOMAINS_SAVE=/no\nXENDOMAINS_SAVE="/big/save/"\n',
        "/big/save/pandora": image(),
        "/var/lib/xen/save/mail": image(domainJson("mail", OTHER_UUID)),
      },
    });
    const seen = guests.map(({ name, images }) => [name, images[0]!.fact.restoredAtBoot]);
    expect(seen).toEqual([
      ["mail", false],
      ["pandora", true],
    ]);
  });
});

describe("domains", () => {
  const running = (domain: Partial<FakeDomain>, files: Dom0Options["files"] = {}) => {
    const all = { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson(), ...domain };
    return read({
      files: { "/etc/xen/pandora.cfg": config("pandora"), ...files },
      programs: xlList([all]),
    });
  };

  test("give a guest its state and what it really has", async () => {
    const guest = guestOf(await running({}), "pandora");
    expect(guest).toMatchObject({ state: "running", uuid: PANDORA_UUID, has: { maxVcpus: 2 } });
    expect(guest.domains[0]).toMatchObject({ by: "name", fact: { domid: 3 } });
    expect(codes(guest.findings)).toEqual([]);
  });

  test.each([
    ["-b----", ["image-stale"]],
    ["---sc-", ["image-stale", "domain-crashed"]],
    ["--p---", []],
    ["---ss-", []],
  ])("in state %s make an image %j", async (flags, found) => {
    const files = { "/var/lib/xen/save/pandora": image() };
    expect(codes(guestOf(await running({ flags }, files), "pandora").findings)).toEqual(found);
  });

  test("while it is saved, its image is not yet whole", async () => {
    const files = {
      "/var/lib/xen/save/pandora": (image().content as Buffer).subarray(0, -20),
    };
    const guest = guestOf(await running({ flags: "---ss-" }, files), "pandora");
    expect([guest.state, codes(guest.findings)]).toEqual(["suspended", []]);
  });

  test("that no config describes are guests, with or without libxl's JSON", async () => {
    const foreign = { name: "half built", uuid: OTHER_UUID, config: null };
    const inventory = await running(foreign);
    const guest = guestOf(inventory, "half built");
    expect(codes(guest.findings)).toEqual(["guest-without-config"]);
    expect(guest.has).toBeUndefined();
    expect(guestOf(inventory, "pandora").state).toBe("stopped");
  });

  test("one that crashed and was kept is a guest's second domain", async () => {
    const old = { domid: 4, name: "pandora-20260101T0000Z", uuid: OTHER_UUID, flags: "---sc-" };
    const { guests } = await read({
      files: { "/etc/xen/pandora.cfg": config("pandora", { uuid: PANDORA_UUID }) },
      programs: xlList([
        { ...old, config: domainJson(old.name, OTHER_UUID) },
        { domid: 5, name: "pandora", uuid: PANDORA_UUID, config: domainJson() },
      ]),
    });
    // Its disks are named after it in this JSON, so that only the name tells them apart.
    expect(guests.map(({ name, state }) => [name, state])).toEqual([
      ["pandora", "running"],
      ["pandora-20260101T0000Z", "crashed"],
    ]);
    const shared = await read({
      files: { "/etc/xen/pandora.cfg": config("pandora", { disk: "/dev/vg0/p" }) },
      programs: xlList([
        { ...old, config: jsonWith("/dev/vg0/p", old.name, OTHER_UUID) },
        { domid: 5, name: "pandora", uuid: PANDORA_UUID, config: jsonWith("/dev/vg0/p") },
      ]),
    });
    expect(shared.guests.map(({ name, state, domains }) => [name, state, domains.length])).toEqual([
      ["pandora", "running", 2],
    ]);
  });

  test("one that a migration left behind is its guest's, and named", async () => {
    const name = "pandora--incoming";
    const json = jsonWith("/dev/vg0/pandora-disk", name);
    const guest = guestOf(await running({ name, flags: "--p---", config: json }), name);
    expect(guest).toMatchObject({ state: "paused", domains: [{ by: "disks" }] });
    expect(codes(guest.findings)).toEqual(["domain-left-over"]);
  });

  test("a forged row makes a state unknown, not wrong", async () => {
    const forged = xlList([{ domid: 3, name: "pandora", uuid: PANDORA_UUID, flags: "---sc-" }]);
    const row = forged["xl list -v"]!.trimEnd().split("\n").at(-1)!;
    const { guests } = await read({
      files: { "/etc/xen/pandora.cfg": config("pandora") },
      programs: xlList([
        { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson() },
        { domid: 8, name: `evil\n${row}\n`, uuid: OTHER_UUID },
      ]),
    });
    expect(guests.find(({ name }) => name === "pandora")?.state).toBe("unknown");
  });

  test("are not known where Xen runs and does not answer; none where no Xen runs", async () => {
    const files = {
      "/etc/xen/pandora.cfg": config("pandora"),
      "/sys/hypervisor/type": "xen\n",
      "/sys/hypervisor/version/major": "4\n",
      "/sys/hypervisor/version/minor": "17\n",
      "/sys/hypervisor/version/extra": ".5\n",
      "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64\n",
    };
    const refused = {
      exitCode: 1,
      stderr: "xencall: error: Could not obtain handle: Permission denied\n",
    };
    const deaf = await read({ files, programs: { "xl list -v": refused } });
    expect(deaf.domains).toMatchObject({
      kind: "unknown",
      failure: { why: expect.stringContaining("Permission denied") },
    });
    expect(deaf.guests[0]!.state).toBe("unknown");
    const without = await read({ files: { "/etc/xen/pandora.cfg": config("pandora") } });
    expect([without.domains.kind, without.guests[0]!.state]).toEqual(["none", "stopped"]);
  });
});

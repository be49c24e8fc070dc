/** What domus list says of domains that are not as they should be, and what it shows to those who may not ask Xen. */
import { describe, expect, test } from "vitest";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import type { SeenPort } from "../../../../src/guest/inventory/read-domains.ts";
import { parseSeen } from "../../../../src/guest/inventory/seen-domains.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0Options, FakeDomain } from "../../../support/dom0.ts";
import { domainJson, PANDORA_UUID } from "../../../support/save-image.ts";

const CONFIG = `name = "pandora"\nuuid = "${PANDORA_UUID}"\nmemory = 128\n`;
const LOG = "/var/log/xen/xl-pandora.log";
const waits = (domid: number, pid: number) =>
  `Waiting for domain pandora (domid ${domid}) to die [pid ${pid}]\n`;
const cmdline = (...words: readonly string[]) => `${words.join("\0")}\0`;
const CREATE = cmdline("xl", "create", "/etc/xen/pandora.cfg");

/** What is found of pandora's domains. */
async function findings(
  domain: Partial<FakeDomain>,
  { files = {}, links = {} }: Partial<Dom0Options> = {},
) {
  const all = { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson(), ...domain };
  const { guests } = await readInventory(
    fakeDom0({
      files: { "/etc/xen/pandora.cfg": CONFIG, "/proc/1/cmdline": cmdline("/sbin/init"), ...files },
      links,
      programs: xlList([all]),
    }),
  );
  return guests
    .flatMap((guest) => guest.findings)
    .filter(({ code }) => code.startsWith("domain-") || code === "crash-loop");
}

/** Their codes. */
async function found(domain: Partial<FakeDomain>, options?: Partial<Dom0Options>) {
  return (await findings(domain, options)).map(({ code }) => code);
}

test("a copy that is rehearsed is nobody's guest", async () => {
  const programs = xlList([
    { domid: 3, name: "domus-rehearse-pandora-0123abcd", uuid: PANDORA_UUID, config: domainJson() },
  ]);
  const files = { "/etc/xen/pandora.cfg": CONFIG };
  const { guests } = await readInventory(fakeDom0({ files, programs }));
  expect(guests.map(({ name, state }) => [name, state])).toEqual([["pandora", "stopped"]]);
});

const UNWATCHED = ["domain-unwatched"];

describe("the process that watches a domain", () => {
  test("is the one that its log names, as long as that is xl", async () => {
    const files = { [LOG]: waits(3, 354), "/proc/354/cmdline": CREATE };
    expect(await found({}, { files })).toEqual([]);
    expect(await found({}, { files: { [LOG]: waits(3, 354) } })).toEqual(UNWATCHED);
    const other = { [LOG]: waits(3, 354), "/proc/354/cmdline": cmdline("sshd") };
    expect(await found({}, { files: other })).toEqual(UNWATCHED);
  });

  test("is the same after the guest has rebooted, and another one for another domain", async () => {
    const files = { [LOG]: waits(2, 354) + waits(3, 354), "/proc/354/cmdline": CREATE };
    expect(await found({}, { files })).toEqual([]);
    const links = { "/proc/354/fd/1": LOG };
    const earlier = { [LOG]: waits(3, 354) + waits(4, 354), "/proc/354/cmdline": CREATE };
    expect(await found({ domid: 5 }, { files: earlier, links })).toEqual(UNWATCHED);
  });

  test("of a domain that was renamed writes to the log of its old name, or to one put aside", async () => {
    const log = "/var/log/xen/xl-former.log.1";
    const files = { [log]: waits(3, 354), "/proc/354/cmdline": CREATE };
    const links = { "/proc/354/fd/1": log };
    expect(await found({}, { files, links })).toEqual([]);
  });

  test("is not missed while an xl works of which nobody knows what it does, nor beside libvirt", async () => {
    expect(await found({})).toEqual(UNWATCHED);
    expect(await found({}, { files: { "/proc/9/cmdline": CREATE } })).toEqual([]);
    expect(await found({}, { files: { "/proc/9/cmdline": cmdline("xl", "list") } })).toEqual(
      UNWATCHED,
    );
    const libvirt = { "/proc/9/cmdline": cmdline("/usr/sbin/libvirtd") };
    expect(await found({}, { files: libvirt })).toEqual([]);
  });

  test("may end when the domain was preserved, not when it has to be taken away", async () => {
    const config = { ...domainJson(), on_crash: "preserve" };
    expect(await found({ flags: "---sc-", config })).toEqual(["domain-crashed"]);
    expect(await found({ flags: "---sc-" })).toEqual(UNWATCHED);
    expect(await found({ flags: "---s--" })).toEqual(UNWATCHED);
    expect(await found({ flags: "-----d" })).toEqual([]);
  });

  test("cannot be told where no process can be seen", async () => {
    const { guests } = await readInventory(
      fakeDom0({
        files: { "/etc/xen/pandora.cfg": CONFIG },
        programs: xlList([{ domid: 3, name: "pandora", uuid: PANDORA_UUID }]),
      }),
    );
    expect(guests[0]!.domains[0]!.fact.watched).toBeUndefined();
  });
});

describe("a domain that has crashed", () => {
  const crashed = (onCrash: string) => ({
    flags: "---sc-",
    config: { ...domainJson(), on_crash: onCrash },
  });
  const watched = { files: { [LOG]: waits(3, 354), "/proc/354/cmdline": CREATE } };

  test("and was preserved: it is there to be looked at, and how it is taken away", async () => {
    const [finding, ...more] = await findings(crashed("preserve"));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      ...{ code: "domain-crashed", severity: "warning" },
      why: expect.stringContaining('on_crash is "preserve"') as string,
    });
    expect(finding?.next).toMatch(
      /xl dump-core 3 FILE.*domus stop --destroy-after 0 pandora.*domus start pandora/,
    );
  });

  test.each([
    ["restart", "restart", "it is not started again"],
    ["coredump_restart", "coredump-restart", "it is not started again"],
    ["restart_rename", "rename-restart", "it is not started again"],
    ["destroy", "destroy", "it is not taken away"],
  ])("and nobody acts on it, with on_crash %s", async (onCrash, written, text) => {
    const [finding, ...more] = await findings(crashed(onCrash));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      ...{ code: "domain-unwatched", severity: "error" },
      what: expect.stringContaining(text) as string,
      why: expect.stringContaining(`on_crash is "${written}"`) as string,
      next: expect.stringContaining("domus stop --destroy-after 0 pandora") as string,
    });
  });

  test("just now: its xl is about to act", async () => {
    const [finding] = await findings(crashed("coredump_destroy"), watched);
    expect(finding).toMatchObject({ code: "domain-crashed", severity: "warning" });
    expect(finding?.why).toContain("coredump-destroy");
    expect(finding?.why).toContain("/var/lib/xen/dump/pandora");
  });

  test("and was taken away a moment later was never left", async () => {
    const domains = [{ domid: 3, name: "pandora", uuid: PANDORA_UUID, ...crashed("destroy") }];
    const [first, later] = [xlList(domains), xlList([])];
    const files = { "/etc/xen/pandora.cfg": CONFIG, "/proc/1/cmdline": cmdline("init") };
    let asked = 0;
    const host = fakeDom0({ files, programs: first });
    const { guests } = await readInventory({
      ...host,
      run: (argv, options) =>
        argv.join(" ") === "xl list -v" && asked++ > 0
          ? fakeDom0({ files: {}, programs: later }).run(argv, options)
          : host.run(argv, options),
    });
    expect([asked, guests.map(({ state }) => state)]).toEqual([2, ["stopped"]]);
  });
});

describe("a guest that crashes again and again", () => {
  const ends = (domid: number, code: number, more = "Done. Rebooting now\n") =>
    `Domain ${domid} has shut down, reason code ${code} 0x${code}\nAction for shutdown reason code ${code} is restart\n${more}`;
  const life = (domid: number, code: number) => waits(domid, 354) + ends(domid, code);
  const log = (text: string) => ({
    files: { [LOG]: text + waits(9, 354), "/proc/354/cmdline": CREATE },
  });

  test("is seen by its log", async () => {
    const [finding, ...more] = await findings(
      { domid: 9 },
      log([6, 7, 8].map((id) => life(id, 3)).join("")),
    );
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      ...{ code: "crash-loop", severity: "error" },
      what: "pandora has crashed 3 times in a row since it was started.",
      next: expect.stringContaining("domus stop --destroy-after 0 pandora") as string,
    });
  });

  test("and has just done so once more", async () => {
    const lives = [6, 7, 8].map((id) => life(id, 3)).join("");
    const codes = await found({ domid: 9, flags: "---sc-" }, log(lives));
    expect(codes).toEqual(["crash-loop", "domain-crashed"]);
  });

  test.each([
    ["twice", life(7, 3) + life(8, 3)],
    ["and rebooted in between", life(5, 3) + life(6, 3) + life(7, 1) + life(8, 3)],
    ["and rebooted since", life(5, 3) + life(6, 3) + life(7, 3) + life(8, 1)],
    [
      "and was started anew by somebody",
      life(5, 3) + life(6, 3) + life(7, 3) + waits(8, 354) + ends(8, 3, ""),
    ],
  ])("is none that did so %s", async (_, text) => {
    expect(await found({ domid: 9 }, log(text))).toEqual([]);
  });
});

describe("a domain without a configuration", () => {
  const half = { flags: "--p---", config: null } as const;

  test("is half built when it is paused, unless an xl is making it", async () => {
    expect(await found(half)).toEqual(["domain-half-built"]);
    expect(await found(half, { files: { "/proc/9/cmdline": CREATE } })).toEqual([]);
    expect(await found({ config: null })).toEqual(UNWATCHED);
  });

  test("that was gone a moment later was never half built", async () => {
    const domains = [{ domid: 3, name: "pandora", uuid: PANDORA_UUID, ...half }];
    const [first, later] = [xlList(domains), xlList([])];
    let asked = 0;
    const host = fakeDom0({ files: { "/etc/xen/pandora.cfg": CONFIG }, programs: first });
    const { guests } = await readInventory({
      ...host,
      run: (argv, options) =>
        argv.join(" ") === "xl list -v" && asked++ > 0
          ? fakeDom0({ files: {}, programs: later }).run(argv, options)
          : host.run(argv, options),
    });
    expect([asked, guests.map(({ state }) => state)]).toEqual([2, ["stopped"]]);
  });
});

test("a domain that cannot go is its guest's by its uuid, and has no name of its own", async () => {
  const dead = { domid: 7, name: "(null)", uuid: PANDORA_UUID, flags: "--ps-d", config: null };
  const { guests } = await readInventory(
    fakeDom0({ files: { "/etc/xen/pandora.cfg": CONFIG }, programs: xlList([dead]) }),
  );
  expect(guests).toMatchObject([
    { name: "pandora", state: "dying", findings: [{ code: "domain-zombie" }] },
  ]);
  const { guests: alone } = await readInventory(fakeDom0({ files: {}, programs: xlList([dead]) }));
  expect(alone).toMatchObject([{ name: "(null)", findings: [{ code: "domain-zombie" }] }]);
});

describe("what root saw", () => {
  const XEN = {
    "/etc/xen/pandora.cfg": CONFIG,
    "/sys/hypervisor/type": "xen\n",
    "/sys/hypervisor/version/major": "4\n",
    "/sys/hypervisor/version/minor": "17\n",
    "/sys/hypervisor/version/extra": ".5\n",
    "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64\n",
    "/proc/sys/kernel/random/boot_id": "boot-1\n",
  };
  const secret = { ...domainJson(), vfbs: [{ vnc: { passwd: "geheim" } }], spicepasswd: "auch" };

  /** A port that keeps in memory. */
  function memory(): SeenPort & { text?: string } {
    const port: SeenPort & { text?: string } = {
      recall: () => port.text,
      keep: (text) => void (port.text = text),
    };
    return port;
  }

  test("is shown to those who may not ask Xen, in this boot, without passwords", async () => {
    const seen = memory();
    const domain = { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: secret };
    const files = { ...XEN, "/proc/1/cmdline": cmdline("init") };
    await readInventory(fakeDom0({ files, programs: xlList([domain]) }), { seen });
    expect(seen.text).toContain("pandora");
    expect(seen.text).not.toMatch(/geheim|auch/);
    const member = await readInventory(fakeDom0({ files: XEN }), { seen });
    expect(member.domains).toMatchObject({ kind: "listed", seenAtMs: expect.any(Number) });
    expect(member.guests).toMatchObject([
      { state: "running", domains: [{ fact: { domid: 3, watched: false } }] },
    ]);
    const later = { ...XEN, "/proc/sys/kernel/random/boot_id": "boot-2\n" };
    const { domains, guests } = await readInventory(fakeDom0({ files: later }), { seen });
    expect([domains.kind, guests[0]!.state]).toEqual(["unknown", "unknown"]);
  });

  test.each(["", "{", "[]", "{}", '{"version":2}', '{"version":1,"atMs":1,"bootId":"a"}'])(
    "is nothing when it is damaged: %s",
    (text) => {
      expect(parseSeen(text)).toBeUndefined();
    },
  );
});

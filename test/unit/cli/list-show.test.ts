import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { formatSeen } from "../../../src/guest/inventory/seen-domains.ts";
import { formatVerdicts, parseVerdicts } from "../../../src/guest/inventory/verdicts.ts";
import type { Verdicts } from "../../../src/guest/inventory/verdicts.ts";
import type { GuestEvent, Records } from "../../../src/host/records.ts";
import { cli } from "../../support/cli.ts";
import { fakeDom0, xlList } from "../../support/dom0.ts";
import type { Dom0Options } from "../../support/dom0.ts";
import { domainJson, PANDORA_UUID, saveImage } from "../../support/save-image.ts";

const FILES: Dom0Options["files"] = {
  "/etc/xen/mail.cfg": `name = "mail"\nmemory = 512\nvcpus = 2\ndisk = ['/srv/mail.img,raw,xvda,w', '/srv/cd.iso,raw,hdc,cdrom']\n`,
  "/etc/xen/pandora.cfg": `name = "pandora"\nuuid = "${PANDORA_UUID}"\nmemory = 128\ndisk = ['/dev/vg0/pandora-disk,raw,xvda,w']\nvif = ['bridge=br0']\n`,
  "/srv/mail.img": { content: "disk", sizeBytes: 3 * 1024 ** 3 },
  "/dev/vg0/pandora-disk": { kind: "block-device", sizeBytes: 1024 ** 3 },
  "/var/lib/xen/save/pandora": { content: saveImage(), modified: "2026-02-01T10:20:30Z" },
};
const LINKS = {
  "/etc/xen/auto/mail": "/etc/xen/mail.cfg",
  "/etc/xen/auto/gone": "/etc/xen/gone.cfg",
};

const host = (options: Partial<Dom0Options> = {}) =>
  fakeDom0({ files: FILES, links: LINKS, ...options });

describe("domus list", () => {
  test("has a line for each guest, and what is wrong below", async () => {
    const { code, stdout } = await cli(["list"], { host: host(), columns: 120 });
    expect(stdout).toBe(
      [
        "GUEST    STATE    MEMORY   DISKS     CONFIG                IMAGE",
        "mail     stopped  512 MiB  1, 3 GiB  /etc/xen/mail.cfg",
        "pandora  saved    128 MiB  1, 1 GiB  /etc/xen/pandora.cfg  /var/lib/xen/save/pandora",
        "",
        "2 guests: 1 saved, 1 stopped. domus show GUEST says all of one.",
        "",
        "warning  /etc/xen/auto/gone leads to /etc/xen/gone.cfg, which is not there. (auto-link-broken)",
        "",
      ].join("\n"),
    );
    expect(code).toBe(0);
  });

  test.each([
    [79, "GUEST    STATE    MEMORY   CONFIG                IMAGE"],
    [68, "GUEST    STATE    CONFIG                IMAGE"],
    [45, "GUEST    STATE    CONFIG"],
    [38, "GUEST    STATE    CONFIG"],
  ])("on %i columns has the columns that fit", async (columns, header) => {
    const { stdout } = await cli(["list"], { host: host(), columns });
    expect(stdout.split("\n")[0]).toBe(header);
    for (const line of stdout.split("\n")) {
      expect(line.length, line).toBeLessThanOrEqual(Math.max(40, columns));
    }
  });

  test("keeps guest and state, and what fits beside what does not", async () => {
    const path = `/etc/xen/${"x".repeat(60)}.cfg`;
    const long = host({ files: { [path]: 'name = "a"\nmemory = 64\n' }, links: {} });
    const { stdout } = await cli(["list"], { host: long, columns: 40 });
    expect(stdout.split("\n").slice(0, 2)).toEqual([
      "GUEST  STATE    MEMORY  DISKS",
      "a      stopped  64 MiB  0",
    ]);
  });

  test("ends with 3 when an image would destroy a guest", async () => {
    const programs = xlList([
      { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: domainJson() },
    ]);
    const { code, stdout } = await cli(["list"], { host: host({ programs }), columns: 120 });
    expect(code).toBe(3);
    expect(stdout).toMatch(/^error {4}The save image .* no longer fits its disks\./m);
    expect(stdout).toMatch(/^pandora {2}running/m);
  });

  test("says what it could not find out", async () => {
    const files = {
      ...FILES,
      "/sys/hypervisor/type": "xen\n",
      "/sys/hypervisor/version/major": "4\n",
      "/sys/hypervisor/version/minor": "17\n",
      "/sys/hypervisor/version/extra": ".5\n",
      "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64\n",
    };
    const { stdout, stderr } = await cli(["list"], { host: host({ files }) });
    expect(stderr).toContain("What runs is not known: this host has no program xl.");
    expect(stdout).toMatch(/^mail {5}unknown/m);
  });

  test("of an empty host says where it looked", async () => {
    const { code, stdout, stderr } = await cli(["list"], { host: host({ files: {}, links: {} }) });
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("no config in /etc/xen");
  });

  test("escapes what comes from guests", async () => {
    const name = "a\u001b]0;x\u0007\nb";
    const uuid = "11111111-2222-3333-4444-555555555555";
    const programs = xlList([{ domid: 3, name, uuid, config: domainJson(name, uuid) }]);
    const listed = await cli(["list"], { host: host({ programs }) });
    const shown = await cli(["show", uuid], { host: host({ programs }) });
    for (const { stdout } of [listed, shown]) {
      expect(stdout).toContain("a\\x1b]0;x\\x07\\x0ab");
      // oxlint-disable-next-line no-control-regex -- what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    }
  });

  test("has a document", async () => {
    const { stdout } = await cli(["list", "--json"], { host: host() });
    const document = JSON.parse(stdout) as { guests: unknown[] };
    expect(document).toMatchObject({
      domus: 1,
      domains: "none",
      findings: [{ code: "auto-link-broken" }],
      notRead: [],
    });
    expect(document.guests).toMatchObject([
      {
        name: "mail",
        uuid: null,
        state: "stopped",
        memoryBytes: 512 * 1024 ** 2,
        config: { path: "/etc/xen/mail.cfg", autostart: ["/etc/xen/auto/mail"] },
        disks: [
          { backing: "file", sizeBytes: 3 * 1024 ** 3 },
          { cdrom: true, backing: "missing" },
        ],
        images: [],
      },
      {
        name: "pandora",
        state: "saved",
        disks: [{ target: "/dev/vg0/pandora-disk", backing: "block-device" }],
        nics: [{ mac: null, bridge: "br0" }],
        images: [
          {
            savedAt: Date.parse("2026-02-01T10:20:30Z") / 1000,
            end: "complete",
            xen: "4.17",
            deviceModel: false,
            matchedBy: "uuid",
            restoredAtBoot: true,
          },
        ],
        findings: [{ code: "image-waiting" }],
      },
    ]);
  });
});

test("of a dead host's disk, links are followed inside of it and files have their times", async () => {
  const root = mkdtempSync(join(tmpdir(), "domus-list-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const dir of ["etc/xen/auto", "srv/xen", "var/lib/xen/save"]) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  const put = (path: string, content: string | Uint8Array, time = "2026-02-01T00:00:00Z") => {
    writeFileSync(join(root, path), content);
    utimesSync(join(root, path), new Date(time), new Date(time));
  };
  put("srv/xen/pandora.cfg", `name = "pandora"\ndisk = ['/srv/p.img,raw,xvda,w']\nmemory = 64\n`);
  symlinkSync("/srv/xen/pandora.cfg", join(root, "etc/xen/auto/pandora"));
  symlinkSync("../gone.cfg", join(root, "etc/xen/auto/gone"));
  const disks = [{ pdev_path: "/srv/p.img", vdev: "xvda", format: "raw", readwrite: 1 }];
  put("var/lib/xen/save/pandora", saveImage({ config: { ...domainJson(), disks } }));
  put("srv/p.img", "");
  truncateSync(join(root, "srv/p.img"), 3 * 1024 ** 3);
  utimesSync(join(root, "srv/p.img"), 0, Date.parse("2026-02-02T00:00:00Z") / 1000);
  const { code, stdout } = await cli(["list", "--json", "--root", root]);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    domains: "none",
    guests: [
      {
        name: "pandora",
        state: "saved",
        config: { path: "/srv/xen/pandora.cfg", autostart: ["/etc/xen/auto/pandora"] },
        disks: [{ target: "/srv/p.img", backing: "file", sizeBytes: 3 * 1024 ** 3 }],
        findings: [{ code: "image-stale" }],
      },
    ],
    findings: [{ code: "auto-link-broken", what: expect.stringContaining("/etc/xen/gone.cfg") }],
  });
});

describe("domus show", () => {
  test("says all of a guest", async () => {
    const { code, stdout } = await cli(["show", "pandora"], { host: host(), columns: 120 });
    expect(code).toBe(0);
    expect(stdout.split("\n").slice(0, 9)).toEqual([
      "pandora is saved.",
      "  config     /etc/xen/pandora.cfg",
      `  uuid       ${PANDORA_UUID}`,
      "  has        pv, 128 MiB, vcpus 1",
      "  disk       xvda: /dev/vg0/pandora-disk (raw, 1 GiB)",
      "  network    a new MAC address at every start on br0",
      "  image      /var/lib/xen/save/pandora (4.0 MiB, written 2026-02-01 10:20 UTC, by Xen 4.17, complete, restored when the",
      "             host starts)",
      "",
    ]);
    expect(stdout).toContain("note: image-waiting");
  });

  test("a drive without a disc", async () => {
    const files = { "/etc/xen/a.cfg": `name = "a"\nmemory = 64\ndisk = [',empty,hdc,cdrom']\n` };
    const { stdout } = await cli(["show", "a"], { host: host({ files, links: {} }) });
    expect(stdout).toContain("hdc: empty (CD-ROM)\n");
  });

  test.each([
    ["mail", "mail"],
    [PANDORA_UUID.toUpperCase(), "pandora"],
    ["/etc/xen/mail.cfg", "mail"],
    ["/etc/xen/auto/mail", "mail"],
    ["/var/lib/xen/save/pandora", "pandora"],
    ["3", "mail"],
  ])("%s is %s", async (wanted, name) => {
    const uuid = "11111111-2222-3333-4444-555555555555";
    const programs = xlList([{ domid: 3, name: "mail", uuid, config: domainJson("mail", uuid) }]);
    const { stdout } = await cli(["show", wanted, "--json"], { host: host({ programs }) });
    const { guests } = JSON.parse(stdout) as { guests: { name: string }[] };
    expect(guests.map((guest) => guest.name)).toEqual([name]);
  });

  test("a guest that is not there is not found, with the nearest name", async () => {
    const { code, stderr } = await cli(["show", "pandorra"], { host: host() });
    expect(code).toBe(1);
    expect(stderr).toContain("Did you mean pandora?");
  });
});

const XEN = {
  "/sys/hypervisor/type": "xen\n",
  "/sys/hypervisor/version/major": "4\n",
  "/sys/hypervisor/version/minor": "17\n",
  "/sys/hypervisor/version/extra": ".5\n",
  "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64\n",
  "/proc/sys/kernel/random/boot_id": "boot-1\n",
};

describe("what is kept of guests", () => {
  const minutesAgo = (count: number) => Date.now() - count * 60_000 - 1000;

  test("shows in a column where there is any, and in show", async () => {
    const verdicts: Verdicts = new Map([
      ["/etc/xen/mail.cfg", { verdict: "fails", atMs: minutesAgo(5) }],
    ]);
    const { stdout } = await cli(["list"], { host: host(), columns: 120, state: { verdicts } });
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      "GUEST    STATE    MEMORY   DISKS     CHECK     CONFIG                IMAGE",
      "mail     stopped  512 MiB  1, 3 GiB  fails 5m  /etc/xen/mail.cfg",
      "pandora  saved    128 MiB  1, 1 GiB            /etc/xen/pandora.cfg  /var/lib/xen/save/pandora",
    ]);
    const shown = await cli(["show", "mail"], { host: host(), state: { verdicts } });
    expect(shown.stdout).toContain("  boot check will not boot (domus check, 5 minutes ago)");
    const json = await cli(["show", "mail", "--json"], { host: host(), state: { verdicts } });
    const { guests } = JSON.parse(json.stdout) as { guests: unknown[] };
    expect(guests).toMatchObject([{ check: { verdict: "fails" }, events: [] }]);
  });

  test("comes from domus check, of this host and this Xen alone", async () => {
    const kept: string[] = [];
    const keepVerdicts = async (verdicts: Verdicts) =>
      void kept.push(...[...verdicts].map(([path, { verdict }]) => `${path} ${verdict}`));
    const programs = {
      "xl info": "xen_major : 4\nxen_minor : 17\nxen_version : 4.17.5\nxen_caps : xen-3.0-x86_64\n",
    };
    const check = (...flags: string[]) =>
      cli(["check", "mail", ...flags], { host: host({ programs }), keepVerdicts });
    await check("--xen", "4.17");
    expect(kept).toEqual([]);
    const { stdout, stderr } = await check();
    expect(kept, stdout + stderr).toEqual([
      expect.stringMatching(/^\/etc\/xen\/mail\.cfg (fails|unknown)$/),
    ]);
  });

  test("survives being written down, newest first, and damage", () => {
    const verdicts: Verdicts = new Map([["/a", { verdict: "boots", atMs: 1 }]]);
    expect(parseVerdicts(formatVerdicts(verdicts))).toEqual(verdicts);
    const many = new Map(
      Array.from({ length: 5000 }, (_, i) => [`/${i}`, { verdict: "boots", atMs: i }] as const),
    );
    const kept = parseVerdicts(formatVerdicts(many));
    expect([kept.size, kept.has("/4999"), kept.has("/0")]).toEqual([4096, true, false]);
    for (const text of ["", "[]", "null", '{"version":1}', '{"version":1,"checks":{"/a":1}}'])
      expect(parseVerdicts(text).size).toBe(0);
  });

  test("events and alarms of a guest, escaped", async () => {
    const event = (id: number, change: Partial<GuestEvent> = {}): GuestEvent => ({
      ...{ id, atMs: Date.parse("2026-03-01T10:00:00Z") + id, guest: "pandora", kind: "saved" },
      ...{ by: "domus", detail: { image: "/x\u001b[2J" }, ...change },
    });
    const all = [
      event(1, { kind: "alarm", by: "watcher", detail: { what: "restored behind our back" } }),
      ...Array.from({ length: 12 }, (_, i) => event(i + 2)),
    ];
    const records = { events: () => all, images: () => [], operations: () => [] };
    const state = { records: records as unknown as Records };
    const { stdout } = await cli(["show", "pandora"], { host: host(), columns: 120, state });
    expect(stdout).toContain(
      "  ALARM      2026-03-01 10:00 UTC by watcher: alarm: restored behind our back",
    );
    const events = stdout.split("\n").filter((line) => line.startsWith("  event"));
    expect(events).toHaveLength(10);
    expect(events[0]).toContain("2026-03-01 10:00 UTC by domus: saved to /x\\x1b[2J");
  });

  test("domains that root saw are shown with their age", async () => {
    const seen = {
      recall: () =>
        formatSeen({
          ...{ atMs: minutesAgo(3), bootId: "boot-1", watched: [3], unwatched: [] },
          table: xlList([{ domid: 3, name: "pandora", uuid: PANDORA_UUID }])["xl list -v"]!,
          long: "[]",
        }),
      keep: () => {},
    };
    const files = { ...FILES, ...XEN };
    const of = { host: host({ files }), state: { seen } };
    const { stdout, stderr } = await cli(["list"], { ...of, isRoot: false });
    expect(stderr).toContain("Domains are those that root saw 3 minutes ago");
    expect(stdout).toMatch(/^pandora {2}running/m);
    // Who may ask Xen gets no answer from it now: what was seen is none.
    const root = await cli(["list"], of);
    expect(root.stderr).toContain("What runs is not known");
    expect(root.stdout).toMatch(/^pandora {2}unknown/m);
  });
});

test.each([
  ...["persist", "save", "restore", "start", "stop", "reboot", "pause", "resume", "rehearse"].map(
    (command) => `${command} pandora`,
  ),
  ...["attach pandora /dev/vg0/x,raw,xvdc,w", "detach pandora xvdb", "rehearse --clean", "watch"],
])("domus %s is for root alone", async (words) => {
  const { code, stderr } = await cli(words.split(" "), { host: host(), isRoot: false });
  expect([code, stderr]).toEqual([4, expect.stringContaining("only root may do that")]);
});

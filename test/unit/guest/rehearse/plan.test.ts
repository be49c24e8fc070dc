import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import { MIB } from "../../../../src/base/units.ts";
import { idOfDomain, idOfVolume, isRehearsal } from "../../../../src/guest/rehearse/names.ts";
import { planRehearsal } from "../../../../src/guest/rehearse/plan.ts";
import type { RehearsalDisk, RehearsalSurvey } from "../../../../src/guest/rehearse/survey.ts";
import type { Volume } from "../../../../src/guest/rehearse/volumes.ts";
import { parseDiskSpec } from "../../../../src/xen/disk-spec.ts";
import { parseDomainConfig } from "../../../../src/xen/domain-config.ts";

const ID = "0a1b2c3d";
const UUID = "11111111-2222-4333-8444-555555555555";
const OPTIONS = { id: ID, uuid: UUID, directory: `/var/lib/domus/rehearse/${ID}` };

const VOLUME: Volume = {
  group: "vg0",
  name: "web1",
  sizeBytes: 10_240 * MIB,
  room: "vg0",
  freeBytes: 8192 * MIB,
  thin: false,
  usedPercent: 100,
  isSnapshot: false,
  isInvalid: false,
};

type Disk = Partial<Omit<RehearsalDisk, "spec">> & { readonly text: string };

const LV: Disk = { text: "phy:/dev/vg0/web1,xvda,w", kind: "block-device", volume: VOLUME };

type Given = {
  readonly disks?: readonly Disk[];
  readonly lines?: readonly string[];
  readonly runs?: boolean;
  readonly freeMemoryMib?: number;
};

function surveyOf(given: Given = {}): RehearsalSurvey {
  const { disks = [LV], lines = [], runs = false, freeMemoryMib = 4096 } = given;
  const entries = disks.map(({ text }) => `"${text}"`).join(", ");
  const text = ['name = "web1"', "memory = 512", `disk = [ ${entries} ]`, ...lines, ""].join("\n");
  const { config } = parseDomainConfig(text, { path: "/etc/xen/web1.cfg" });
  return {
    guest: "web1",
    configPath: "/etc/xen/web1.cfg",
    text,
    config: config!,
    runs,
    freeMemoryMib,
    disks: disks.map(({ text: one, kind = "file", ...rest }) => {
      const spec = parseDiskSpec(one);
      const path = spec.target === "" ? {} : { path: spec.target, realPath: `/real${spec.target}` };
      return { spec, kind, ...path, ...rest };
    }),
  };
}

const planned = (given?: Given, options: { memoryMib?: number } = {}) =>
  planRehearsal(surveyOf(given), { ...OPTIONS, ...options });
const refusal = (given: Given) => attemptSync(() => planned(given));
const commands = (given: Given) => planned(given).disks.map(({ argv }) => argv?.join(" "));

describe("disks", () => {
  test("a volume gets a snapshot of a fifth of its size, also of a guest that runs", () => {
    const line = `lvcreate --yes --ignoremonitoring --snapshot --name domus-rehearse-${ID}-0 --size ${2052 * MIB}b vg0/web1`;
    expect(commands({})).toEqual([line]);
    expect(commands({ runs: true })).toEqual([line]);
    expect(planned({ runs: true }).notes[0]).toContain("as after a power failure");
    expect(planned().disks[0]).toMatchObject({
      kind: "snapshot",
      target: `/dev/vg0/domus-rehearse-${ID}-0`,
    });
  });

  test("a small one is covered whole; several share the room of their group", () => {
    const small = (freeBytes: number): Disk => ({
      ...LV,
      volume: { ...VOLUME, sizeBytes: 100 * MIB, freeBytes },
    });
    expect(commands({ disks: [small(1000 * MIB)] })[0]).toContain(`--size ${104 * MIB}b`);
    const two = [LV, { ...LV, text: "phy:/dev/vg0/web1b,xvdb,w" }].map((disk) => ({
      ...disk,
      volume: { ...VOLUME, freeBytes: 3000 * MIB },
    }));
    expect(commands({ disks: two }).map((line) => /--size (\d+)b/.exec(line ?? "")?.[1])).toEqual([
      String(2052 * MIB),
      String(948 * MIB),
    ]);
    expect(commands({ disks: [small(10 * MIB)] })[0]).toMatch(/^qemu-img /);
  });

  test("a thin volume takes nothing of the group, and is made active; its pool must have the room", () => {
    const thin = (freeBytes: number): Disk => ({
      ...LV,
      volume: { ...VOLUME, thin: true, room: "vg0/pool", freeBytes },
    });
    expect(commands({ disks: [thin(2052 * MIB)], runs: true })).toEqual([
      `lvcreate --yes --ignoremonitoring --snapshot --name domus-rehearse-${ID}-0 --setactivationskip n --activate y vg0/web1`,
    ]);
    const full = thin(2000 * MIB);
    expect(commands({ disks: [full] })[0]).toMatch(/^qemu-img /);
    expect(refusal({ disks: [full], runs: true })).toMatchObject({
      failure: {
        why: expect.stringContaining("thin pool vg0/pool has only 2.0 GiB free") as string,
      },
    });
    // Each takes its part.
    const two = [thin(3000 * MIB), thin(3000 * MIB)];
    expect(commands({ disks: two }).map((line) => line?.split(" ")[0])).toEqual([
      "lvcreate",
      "qemu-img",
    ]);
  });

  test("what has no snapshot gets an overlay while the guest is stopped", () => {
    const disks: Disk[] = [
      { ...LV, volume: { ...VOLUME, freeBytes: 0 } },
      { ...LV, text: "phy:/dev/vg0/snap,xvdb,w", volume: { ...VOLUME, isSnapshot: true } },
      { text: "phy:/dev/sdb,xvdc,w", kind: "block-device" },
      { text: "file:/srv/a.img,xvdd,w" },
      { text: "/srv/b.qcow2,qcow2,xvde,w" },
      { text: "/srv/c.vhd,vhd,xvdf,w" },
    ];
    const overlay = (format: string, path: string, index: number) =>
      `qemu-img create -q -f qcow2 -F ${format} -b /real${path} ${OPTIONS.directory}/disk-${index}.qcow2`;
    expect(commands({ disks })).toEqual([
      overlay("raw", "/dev/vg0/web1", 0),
      overlay("raw", "/dev/vg0/snap", 1),
      overlay("raw", "/dev/sdb", 2),
      overlay("raw", "/srv/a.img", 3),
      overlay("qcow2", "/srv/b.qcow2", 4),
      overlay("vpc", "/srv/c.vhd", 5),
    ]);
    for (const disk of disks)
      expect(refusal({ disks: [disk], runs: true }), disk.text).toMatchObject({
        failure: { kind: "refused", what: expect.stringContaining("web1 runs") as string },
      });
  });

  test("what is only read is shared; an empty drive stays empty", () => {
    const disks: Disk[] = [
      LV,
      { text: "/srv/a.iso,raw,hdc,ro,cdrom" },
      { text: ",raw,hdd,cdrom", kind: "empty" },
    ];
    const plan = planned({ disks, runs: true });
    expect(plan.disks.map(({ kind, argv }) => [kind, argv?.[0]])).toEqual([
      ["snapshot", "lvcreate"],
      ["shared", undefined],
      ["shared", undefined],
    ]);
    expect(plan.configText).toContain('"/srv/a.iso,raw,hdc,ro,cdrom"');
  });

  test("what is not there, and what dom0 does not have, is refused", () => {
    for (const disk of [
      { ...LV, kind: "missing" },
      { ...LV, kind: "directory" },
      { text: "/srv/a.iso,raw,hdc,ro,cdrom", kind: "missing" },
      { text: "script=block-drbd,vdev=xvda,target=r0", kind: "elsewhere" },
      { text: "script=block-drbd,vdev=xvda,access=ro,target=r0", kind: "elsewhere" },
    ] as const)
      expect(refusal({ disks: [disk] }), disk.text).toMatchObject({ failure: { kind: "refused" } });
  });
});

describe("memory", () => {
  test("as the guest has, or as is free, or as is asked for", () => {
    expect(planned().memoryMib).toBe(512);
    const less = planned({ freeMemoryMib: 300 });
    expect(less.memoryMib).toBeGreaterThan(256);
    expect(less.memoryMib).toBeLessThan(288);
    expect(less.notes).toContainEqual(expect.stringMatching(/ MiB of memory, not 512, as 300/));
    expect(refusal({ freeMemoryMib: 140 })).toMatchObject({
      failure: { kind: "refused", next: expect.stringContaining("--memory") as string },
    });
    expect(planned({ freeMemoryMib: 0 }, { memoryMib: 64 }).memoryMib).toBe(64);
  });
});

describe("the copy's config", () => {
  const lines = [
    'uuid = "99999999-2222-4333-8444-555555555555"',
    "maxmem = 4096",
    'vif = [ "mac=00:16:3e:00:00:01" ]',
    'vif += [ "bridge=xenbr1" ]',
    "pci = [ '01:00.0' ]",
    'p9 = [ "tag=x,path=/srv,security_model=none" ]',
    'on_crash = "restart"',
    'kernel = "/boot/vmlinuz"',
    'extra = "root=/dev/xvda \\"x\\""',
  ];

  test("is the guest's, with nothing of what is the guest's alone", () => {
    const plan = planned({ lines });
    const { config, failures } = parseDomainConfig(plan.configText, { path: "copy" });
    expect(failures).toEqual([]);
    expect(config).toMatchObject({
      name: `domus-rehearse-web1-${ID}`,
      uuid: UUID,
      memory: 512,
      maxmem: 512,
      vifs: [],
      pci: [],
      kernel: "/boot/vmlinuz",
      onPoweroff: "destroy",
      onReboot: "destroy",
      onCrash: "preserve",
    });
    expect(
      config?.disks.map(({ target, vdev, format, readonly }) => [target, vdev, format, readonly]),
    ).toEqual([[`/dev/vg0/domus-rehearse-${ID}-0`, "xvda", "raw", false]]);
    expect(plan.configText.startsWith(surveyOf({ lines }).text)).toBe(true);
    expect(plan.configText).toMatch(/^p9 = \[ \]$/m);
    expect(plan.notes).toEqual(["The copy has no network.", "The copy has none of: p9, pci."]);
  });

  test("of an HVM guest has its serial console on a pty, and no display", () => {
    const { configText } = planned({ lines: ['type = "hvm"', "vnc = 1", 'serial = "file:/x"'] });
    expect(configText.trimEnd().split("\n").slice(-2)).toEqual(["vnc = 0", 'serial = "pty"']);
  });

  test("names of copies are known again, and safe", () => {
    const { name } = planned();
    expect([isRehearsal(name), idOfDomain(name)]).toEqual([true, ID]);
    const odd = planRehearsal({ ...surveyOf(), guest: `../é\n${"x".repeat(99)}` }, OPTIONS).name;
    expect(odd).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$/);
    expect(idOfDomain(odd)).toBe(ID);
    for (const other of ["web1", "domus-rehearse-web1", "domus-rehearse-web1-0A1B2C3D"])
      expect(idOfDomain(other), other).toBeUndefined();
    expect(idOfVolume(`domus-rehearse-${ID}-12`)).toBe(ID);
    expect(idOfVolume(`domus-rehearse-${ID}`)).toBeUndefined();
  });
});

import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import { planConfig } from "../../../../src/guest/persist/plan-config.ts";
import { planRevert } from "../../../../src/guest/persist/plan-revert.ts";
import { parseDomainConfig } from "../../../../src/xen/domain-config.ts";
import { summaryOfConfig } from "../../../../src/xen/domain-summary.ts";
import type { DomainSummary, SummaryDisk } from "../../../../src/xen/domain-summary.ts";
import { compareGuests } from "../../../../src/xen/drift.ts";
import { lineChanges } from "../../../../src/cli/render/line-changes.ts";
import { configShapes } from "../../../support/config-shapes.ts";

const DATA: SummaryDisk = {
  vdev: "xvdc",
  target: "/dev/vg0/data",
  format: "raw",
  readonly: false,
  cdrom: false,
  elsewhere: false,
};

const CONFIG = `# the shop
name   = 'web1'
memory = 512     # grows in december
vcpus  = 4
disk = [
    'phy:/dev/vg0/web1,xvda,w',   # root
    'phy:/dev/vg0/swap,xvdb,w',   # swap
]
vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]
on_crash = "preserve"
`;

function summary(text: string): DomainSummary {
  return summaryOfConfig(parseDomainConfig(text, { path: "web1.cfg" }).config!);
}

function plan(text: string, live: DomainSummary, memory = false) {
  const samePath = ({ target }: SummaryDisk) => target;
  return planConfig({ text, path: "/etc/xen/web1.cfg", live, samePath, memory });
}

const signs = (before: string, after: string) =>
  lineChanges(before, after).map(({ sign, text }) => sign + text);

describe("what is written", () => {
  const base = summary(CONFIG);

  test("nothing when nothing differs", () => {
    expect(plan(CONFIG, base)).toEqual({ text: CONFIG, written: [], left: [] });
  });

  test("a disk that came and one that went, an interface, vcpus", () => {
    const live = {
      ...base,
      disks: [base.disks[0]!, DATA],
      nics: [
        ...base.nics,
        { mac: "00:16:3e:00:00:02", bridge: "xenbr1", script: "/etc/xen/scripts/vif-bridge" },
      ],
      vcpus: 2,
      memoryKib: 262_144,
    };
    const { text, written, left } = plan(CONFIG, live);
    expect(signs(CONFIG, text)).toEqual([
      "-vcpus  = 4",
      "+vcpus  = 2",
      "-    'phy:/dev/vg0/swap,xvdb,w',   # swap",
      "+    '/dev/vg0/data,raw,xvdc,rw',",
      "-vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]",
      "+vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0', 'mac=00:16:3e:00:00:02,bridge=xenbr1' ]",
      "+maxvcpus = 4",
    ]);
    expect(written).toHaveLength(4);
    expect(left.map(({ difference }) => difference.of)).toEqual(["memoryKib"]);
    expect(compareGuests(summary(text), live).map(({ of }) => of)).toEqual(["memoryKib"]);
  });

  test("memory when it is asked for", () => {
    const live = { ...base, memoryKib: 262_144 };
    const { text, left } = plan(CONFIG, live, true);
    expect(left).toEqual([]);
    expect(summary(text)).toMatchObject({ memoryKib: 262_144 });
    expect(text).toContain("memory = 256     # grows in december");
  });

  test("no maximum where vcpus= and memory= say it", () => {
    const text = 'name = "web1"\nvcpus = 2\nmemory = 512\n';
    const live = { ...summary(text), ...{ vcpus: 1, maxVcpus: 1 } };
    const small = { ...live, memoryKib: 262_144, maxMemoryKib: 262_144 };
    expect(plan(text, live).text).toBe('name = "web1"\nvcpus = 1\nmemory = 512\n');
    expect(plan(text, small, true).text).toBe('name = "web1"\nvcpus = 1\nmemory = 256\n');
    // What is named is changed where it stands.
    const named = 'name = "web1"\nvcpus = 2\nmaxvcpus = 4\n';
    expect(plan(named, live).text).toBe('name = "web1"\nvcpus = 1\nmaxvcpus = 1\n');
  });

  test("a disk with a comma, a CD-ROM, a script", () => {
    const odd: SummaryDisk[] = [
      { ...DATA, target: "/srv/a,b.img" },
      { ...DATA, target: "/srv/cd.iso", cdrom: true, readonly: true, vdev: "xvdd" },
      { ...DATA, target: "iqn.2026-11:x", script: "block-iscsi", elsewhere: true, vdev: "xvde" },
    ];
    const live = { ...base, disks: [...base.disks, ...odd] };
    expect(compareGuests(summary(plan(CONFIG, live).text), live)).toEqual([]);
  });

  test("nothing into what xl refuses", () => {
    const refused = attemptSync(() => plan(`import os\n${CONFIG}`, base));
    expect(refused).toMatchObject({ ok: false, failure: { kind: "refused" } });
  });
});

test("300 configs: only the lines of what changed", () => {
  for (const { text, seed } of configShapes(300)) {
    const base = summary(text);
    const vdevs = new Set(base.disks.map(({ vdev }) => vdev));
    // Two entries for one place in the guest are what xl refuses.
    if (vdevs.size < base.disks.length) continue;
    const live = { ...base, disks: [...base.disks.slice(1), { ...DATA, vdev: "xvdz" }] };
    const planned = plan(text, live);
    const label = `${seed}:\n${text}\n${planned.text}`;
    expect(compareGuests(summary(planned.text), live), label).toEqual([]);
    const gone = lineChanges(text, planned.text).filter(({ sign }) => sign === "-");
    expect(gone.length, label).toBeLessThanOrEqual(3);
    for (const line of gone) expect(line.text, label).toMatch(/disk|xvd|^\t|\]/);
  }
});

test("the commands of a revert take away before they give", () => {
  const base = summary(CONFIG);
  const live: DomainSummary = {
    ...base,
    name: "web2",
    disks: [{ ...base.disks[0]!, target: "/dev/vg0/other" }, DATA],
    nics: [{ mac: "00:16:3e:00:00:07", bridge: "xenbr0" }],
    vcpus: 2,
    maxVcpus: 8,
    memoryKib: 1024,
  };
  const { steps, left } = planRevert(compareGuests(base, live), 7, false);
  expect(steps.map(({ argv }) => argv.join(" "))).toEqual([
    "xl block-detach 7 xvda",
    "xl block-detach 7 xvdc",
    "xl network-detach 7 00:16:3e:00:00:07",
    "xl block-attach 7 /dev/vg0/web1,raw,xvda,rw",
    "xl block-attach 7 /dev/vg0/swap,raw,xvdb,rw",
    "xl network-attach 7 mac=00:16:3e:00:00:01 bridge=xenbr0",
    "xl rename 7 web1",
    "xl vcpu-set 7 4",
  ]);
  expect(left.map(({ difference }) => difference.of)).toEqual(["maxVcpus", "memoryKib"]);
  expect(
    planRevert([{ of: "memoryKib", config: 1024, live: 512 }], 7, true).steps[0]!.argv,
  ).toEqual(["xl", "mem-set", "7", "1024k"]);
});

test("what the domain was not made for is left to its next start: xl would refuse it", () => {
  const base = summary(CONFIG);
  const live: DomainSummary = {
    ...base,
    vcpus: 1,
    maxVcpus: 1,
    memoryKib: 1024,
    maxMemoryKib: 1024,
  };
  const differences = compareGuests(base, live);
  const { steps, left } = planRevert(differences, 7, true);
  expect(steps).toEqual([]);
  expect(left.map(({ difference }) => difference.of).toSorted()).toEqual([
    "maxMemoryKib",
    "maxVcpus",
    "memoryKib",
    "vcpus",
  ]);
  expect(new Set(left.map(({ why }) => why))).toEqual(
    new Set(["Xen can change it only with a new start of the guest"]),
  );
});

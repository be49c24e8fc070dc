import { describe, expect, test } from "vitest";
import { compareGuests } from "../../../../src/xen/drift.ts";
import type { DomainSummary, SummaryDisk } from "../../../../src/xen/domain-summary.ts";
import { driftFindings } from "../../../../src/guest/inventory/drift.ts";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import { domainJson, PANDORA_UUID } from "../../../support/save-image.ts";

function disk(vdev: string, target: string, more: Partial<SummaryDisk> = {}): SummaryDisk {
  return { vdev, target, format: "raw", readonly: false, cdrom: false, elsewhere: false, ...more };
}

const GUEST: DomainSummary = {
  name: "web1",
  type: "pv",
  memoryKib: 524_288,
  maxMemoryKib: 524_288,
  vcpus: 2,
  maxVcpus: 2,
  disks: [disk("xvda", "/dev/vg0/web1"), disk("xvdb", "/dev/vg0/swap")],
  nics: [{ mac: "00:16:3e:00:00:01", bridge: "xenbr0" }, { bridge: "xenbr1" }],
};

const kinds = (live: Partial<DomainSummary>) =>
  compareGuests(GUEST, { ...GUEST, ...live }).map((one) =>
    [one.of, one.config === undefined ? "-" : "c", one.live === undefined ? "-" : "l"].join(" "),
  );

describe("what differs", () => {
  test("nothing, however it is written", () => {
    expect(kinds({})).toEqual([]);
    expect(
      kinds({ disks: [disk("51712", "/dev/vg0/web1"), disk("xvdb", "/dev/vg0/swap")] }),
    ).toEqual([]);
    // xl gives the second interface a MAC at every start.
    expect(
      kinds({
        nics: [
          { mac: "00:16:3e:77:00:01", bridge: "xenbr1" },
          { mac: "00:16:3e:00:00:01", bridge: "xenbr0" },
        ],
      }),
    ).toEqual([]);
  });

  test("one device by two names is one", () => {
    const live = { ...GUEST, disks: [disk("xvda", "vg0/web1"), GUEST.disks[1]!] };
    expect(compareGuests(GUEST, live)).toHaveLength(1);
    expect(compareGuests(GUEST, live, ({ target }) => target.replace(/^\/dev\//, ""))).toEqual([]);
  });

  test.each<[string, Partial<DomainSummary>, string[]]>([
    ["a disk more", { disks: [...GUEST.disks, disk("xvdc", "/d")] }, ["disk - l"]],
    ["a disk less", { disks: GUEST.disks.slice(1) }, ["disk c -"]],
    ["another target", { disks: [disk("xvda", "/x"), GUEST.disks[1]!] }, ["disk c l"]],
    [
      "read-only",
      { disks: [{ ...GUEST.disks[0]!, readonly: true }, GUEST.disks[1]!] },
      ["disk c l"],
    ],
    ["an interface more", { nics: [...GUEST.nics, { mac: "00:16:3e:00:00:09" }] }, ["nic - l"]],
    ["an interface less", { nics: GUEST.nics.slice(1) }, ["nic c -"]],
    [
      "another bridge",
      { nics: [{ mac: "00:16:3e:00:00:01", bridge: "br9" }, GUEST.nics[1]!] },
      ["nic c l"],
    ],
    [
      "sizes",
      { vcpus: 1, memoryKib: 262_144, name: "web2" },
      ["name c l", "vcpus c l", "memoryKib c l"],
    ],
  ])("%s", (_, live, found) => {
    expect(kinds(live)).toEqual(found);
  });
});

const config = `name = "pandora"\nuuid = "${PANDORA_UUID}"\nmemory = 128\nvcpus = 2\ndisk = [ '/dev/vg0/pandora-disk,raw,xvda,rw' ]\n`;

/** The guest with a disk that was attached live. */
async function drifted(flags = "-b----", name = "pandora") {
  const made: Record<string, unknown> = domainJson(name, PANDORA_UUID);
  const disks = [
    { pdev_path: "/dev/vg0/pandora-disk", vdev: "xvda", format: "raw", readwrite: 1 },
    { pdev_path: "/dev/vg0/data", vdev: "xvdb", format: "raw", readwrite: 1 },
  ];
  const json = {
    ...made,
    disks,
    nics: [],
    b_info: {
      ...(made["b_info"] as object),
      target_memkb: 65_536,
      max_memkb: 131_072,
      avail_vcpus: [0, 1],
    },
  };
  const host = fakeDom0({
    files: {
      "/etc/xen/pandora.cfg": config,
      "/dev/vg0/pandora-disk": { kind: "block-device" },
      "/dev/vg0/data": { kind: "block-device" },
    },
    programs: xlList([{ domid: 3, name, uuid: PANDORA_UUID, flags, config: json }]),
  });
  const inventory = await readInventory(host);
  return { inventory, guest: inventory.guests[0]! };
}

describe("findings", () => {
  test("say what will become of it; memory is a note", async () => {
    const { guest } = await drifted();
    const drift = guest.findings.filter(({ code }) => code === "config-drift");
    expect(drift.map(({ severity, what }) => [severity, what])).toEqual([
      ["warning", "The disk xvdb (/dev/vg0/data) is in the domain, and not in the config."],
      ["note", "The config says memory 128 MiB; the domain has 64 MiB."],
    ]);
    expect(drift[0]!.why).toContain("it is gone without a word");
    expect(drift[0]!.next).toContain("domus persist pandora");
  });

  test("of a domain that has ended, or is on its way, there are none", async () => {
    const ended = await drifted("---sc-");
    expect(driftFindings(ended.guest, ended.inventory.backings)).toEqual([]);
    const incoming = await drifted("--p---", "pandora--incoming");
    expect(driftFindings(incoming.guest, incoming.inventory.backings)).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { alarmsOf } from "../../../../src/guest/watch/alarms.ts";
import type { Alarm, AlarmFacts } from "../../../../src/guest/watch/alarms.ts";
import type { DomainLook } from "../../../../src/guest/watch/observation.ts";
import type { Tracked } from "../../../../src/guest/watch/state.ts";
import type { DiskReach } from "../../../../src/host/disk-reach.ts";
import type { ImageRecord } from "../../../../src/host/records.ts";

const tracked = (domid: number, more: Partial<Tracked> = {}): Tracked => ({
  ...{ domid, uuid: `u${domid}`, name: `g${domid}`, state: "running", begun: true },
  ...{ sinceMs: 0, stateMs: 0, monitorPid: 100 + domid },
  ...more,
});

const look = (domid: number, target: string, readonly = false): DomainLook => ({
  ...{ domid, name: `g${domid}`, uuid: `u${domid}`, state: "running", hasRun: true },
  guest: {
    nics: [],
    disks: [{ vdev: "xvda", target, format: "raw", readonly, cdrom: false, elsewhere: false }],
  },
});

const monitor = (domid: number) => ({ pid: 100 + domid, verb: "create", words: [] });

const IMAGE: ImageRecord = {
  ...{
    id: 4,
    guest: "g1",
    uuid: "u1",
    path: "/save/g1",
    state: "waiting",
    savedAtMs: 1,
    disks: [],
  },
};

const alarms = (facts: Partial<AlarmFacts>) =>
  alarmsOf({
    ...{ domains: [tracked(1)], looks: [look(1, "/dev/a")], processes: [monitor(1)], images: [] },
    ...{ busy: new Set<string>(), reaches: new Map(), disksThen: new Map() },
    ...facts,
  });
/** Those that may be raised. */
const codes = (facts: Partial<AlarmFacts>) =>
  alarms(facts)
    .filter(({ afterMs }) => afterMs < Infinity)
    .map(({ finding }) => finding.code);

test("a guest in order is none", () => {
  expect(alarms({})).toEqual([]);
});

describe("an image that waits", () => {
  test.each([
    ["its guest by uuid", tracked(1, { name: "other" }), ["image-bypassed"]],
    ["its guest by name", tracked(1, { uuid: "other" }), ["image-bypassed"]],
    ["another guest", tracked(1, { name: "other", uuid: "other" }), []],
    ["one that is being made", tracked(1, { begun: false, state: "paused" }), []],
    ["one that is being saved", tracked(1, { state: "suspended" }), []],
    ["one that has crashed", tracked(1, { state: "crashed" }), []],
    ["one that was restored", tracked(1, { image: "/save/g1" }), ["image-restored-unseen"]],
  ])("and %s", (_, domain, expected) => {
    expect(codes({ domains: [domain], images: [IMAGE] })).toEqual(expected);
  });

  test("is in order while domus works on the guest, and when it waits no more", () => {
    expect(codes({ images: [IMAGE], busy: new Set(["g1"]) })).toEqual([]);
    expect(codes({ images: [IMAGE], busy: new Set(["u1"]) })).toEqual([]);
    expect(codes({ images: [{ ...IMAGE, state: "restored" }] })).toEqual([]);
  });

  test.each([
    ["changed", "error", "Its disks had changed since the save: It was written."],
    ["perhaps changed", "warning", "It ran already when its disks were looked at"],
    ["unchanged", "warning", "Its disks were those of the save."],
    ["unknown", "warning", "is not known"],
  ] as const)("and was restored with disks that are %s", (verdict, severity, text) => {
    const disksThen = new Map([[1, { verdict, changes: ["It was written."] }]]);
    const domains = [tracked(1, { image: "save/g1" })];
    const [alarm] = alarms({ domains, images: [IMAGE], disksThen });
    expect(alarm?.finding).toMatchObject({
      severity,
      what: expect.stringContaining(text) as string,
    });
    expect(alarm?.finding.what).toContain("save/g1 (recorded as /save/g1)");
  });
});

describe("a disk that an image waits for", () => {
  const reach = (identity: string, ...more: string[]): DiskReach => ({
    ...{ identity, reaches: [identity, ...more] },
  });
  const reaches = new Map([
    ["/dev/vg/a", reach("block 253:0")],
    ["/dev/mapper/vg-a", reach("block 253:0")],
    ["/dev/sdb", reach("block 8:16", "block 253:0")],
    ["/dev/vg/b", reach("block 253:1")],
  ]);
  const needing = (readonly = false): ImageRecord => ({
    ...IMAGE,
    disks: [{ vdev: "xvda", path: "/dev/vg/a", readonly }],
  });
  const beside = (target: string, facts: Partial<AlarmFacts> = {}, readonly = false) =>
    alarms({
      ...{ domains: [tracked(2)], looks: [look(2, target, readonly)], processes: [monitor(2)] },
      ...{ images: [needing()], reaches },
      ...facts,
    });

  test.each(["/dev/vg/a", "/dev/mapper/vg-a", "/dev/sdb"])(
    "is given to another guest as %s",
    (target) => {
      const [alarm, ...more] = beside(target);
      expect(more).toEqual([]);
      expect(alarm).toMatchObject({
        ...{ guest: "g2", domid: 2, key: "image-bypassed 2 u2 4" },
        finding: { code: "image-bypassed", severity: "error", where: ["/save/g1", target] },
      });
      expect(alarm?.finding.what).toContain(`g2 (domain 2) may write to ${target}, a disk of g1,`);
      expect(alarm?.finding.next).toContain("domus detach g2 xvda");
    },
  );

  test("holds on, once raised, while domus works on one of the two", () => {
    const [{ key }] = beside("/dev/vg/a") as [Alarm];
    for (const guest of ["g1", "u2"])
      expect(beside("/dev/vg/a", { busy: new Set([guest]) })).toMatchObject([
        { key, afterMs: Infinity },
      ]);
  });

  test("is one alarm for all of a guest's disks", () => {
    const disks = ["xvda", "xvdb"].map((vdev, at) => ({
      ...{ vdev, path: at === 0 ? "/dev/vg/a" : "/dev/vg/b", readonly: false },
    }));
    const both = { ...look(2, "/dev/vg/a") };
    const [first] = both.guest!.disks;
    const guest = { ...both.guest!, disks: [first!, { ...first!, target: "/dev/vg/b" }] };
    const images = [{ ...IMAGE, disks }];
    const found = beside("/dev/vg/a", { looks: [{ ...both, guest }], images });
    expect(found.map(({ finding }) => finding.where[1])).toEqual(["/dev/vg/a"]);
  });

  test.each<[string, ReturnType<typeof beside>]>([
    ["another disk", beside("/dev/vg/b")],
    ["one that is not there", beside("/dev/none")],
    ["to be read", beside("/dev/vg/a", {}, true)],
    ["what the saved guest only read", beside("/dev/vg/a", { images: [needing(true)] })],
    ["a guest that domus works on", beside("/dev/vg/a", { busy: new Set(["u2"]) })],
    ["when domus works on the saved one", beside("/dev/vg/a", { busy: new Set(["g1"]) })],
    ["one that is being made", beside("/dev/vg/a", { domains: [tracked(2, { begun: false })] })],
    [
      "when the image waits no more",
      beside("/dev/vg/a", { images: [{ ...needing(), state: "aside" }] }),
    ],
  ])("is no alarm: %s", (_, found) => {
    const raised = found.filter(({ afterMs }) => afterMs < Infinity);
    expect(raised.filter(({ finding }) => finding.code === "image-bypassed")).toEqual([]);
  });

  test("is one alarm when it is the guest itself", () => {
    const own = { domains: [tracked(1)], looks: [look(1, "/dev/vg/a")], processes: [monitor(1)] };
    expect(codes({ ...own, images: [needing()], reaches })).toEqual(["image-bypassed"]);
  });
});

describe("a disk of two", () => {
  const reach = (identity: string, ...more: string[]): DiskReach => ({
    ...{ identity, reaches: [identity, ...more] },
  });
  const reaches = new Map([
    ["/dev/vg/a", reach("block 253:0", "block 253:7")],
    ["/dev/mapper/vg-a", reach("block 253:0", "block 253:7")],
    ["/dev/mapper/alias", reach("block 253:7")],
    ["/dev/vg/b", reach("block 253:1")],
    // Two loop devices on one file.
    ["/dev/loop0", reach("block 7:0", "file 1:5", "block 7:1")],
    ["/dev/loop1", reach("block 7:1", "file 1:5", "block 7:0")],
  ]);
  const two = (one: DomainLook, other: DomainLook, more: Partial<Tracked> = {}) =>
    codes({
      ...{ domains: [tracked(1), tracked(2, more)], looks: [one, other], reaches },
      processes: [monitor(1), monitor(2)],
    });
  const [a, b] = [look(1, "/dev/vg/a"), look(2, "/dev/mapper/vg-a")];

  test("that both may write to", () => {
    expect(two(a, b)).toEqual(["disk-shared"]);
    expect(two(a, look(2, "/dev/mapper/vg-a", true))).toEqual([]);
    expect(two(a, look(2, "/dev/vg/b"))).toEqual([]);
    expect(two(a, look(2, "/dev/none"))).toEqual([]);
    expect(two(a, b, { state: "crashed" })).toEqual([]);
    expect(two(a, b, { name: "g1--incoming" })).not.toContain("disk-shared");
  });

  test.each([
    ["/dev/vg/a", "/dev/mapper/alias"],
    ["/dev/mapper/alias", "/dev/vg/a"],
    ["/dev/loop0", "/dev/loop1"],
  ])("under the names %s and %s, whichever of them is known to lie on the other", (one, other) => {
    const found = alarms({
      ...{ domains: [tracked(1), tracked(2)], processes: [monitor(1), monitor(2)], reaches },
      looks: [look(1, one), look(2, other)],
    });
    expect(found).toMatchObject([
      {
        domid: 2,
        finding: {
          code: "disk-shared",
          what: `Two domains may write to the same disk: g1 (1) as ${one} and g2 (2) as ${other}.`,
        },
      },
    ]);
  });

  test("is an alarm for each that came to it", () => {
    const found = alarms({
      domains: [tracked(1), tracked(2), tracked(3)],
      ...{ processes: [1, 2, 3].map(monitor), reaches },
      looks: [1, 2, 3].map((domid) => look(domid, "/dev/vg/a")),
    });
    expect(found.map(({ key }) => key)).toEqual([
      "disk-shared 2 u2 block 253:0",
      "disk-shared 3 u3 block 253:0",
    ]);
  });
});

describe("a domain that is left", () => {
  test("by the process that watched it", () => {
    expect(codes({ processes: [] })).toEqual(["domain-unwatched"]);
    // Nothing new while it is saved; what was raised before is not raised again after it.
    const saved = alarms({ processes: [], domains: [tracked(1, { state: "suspended" })] });
    expect(saved).toMatchObject([{ key: alarms({ processes: [] })[0]!.key, afterMs: Infinity }]);
    // xl create -e
    const { monitorPid: _, ...alone } = tracked(1);
    expect(codes({ processes: [], domains: [alone] })).toEqual([]);
  });

  test("by that process, and has crashed since: nobody does what on_crash says", () => {
    const crashed = (more: Partial<Tracked> = {}, onCrash?: string) => {
      const seen = look(1, "/dev/a");
      const guest = { ...seen.guest!, ...(onCrash !== undefined && { onCrash }) };
      const domains = [tracked(1, { state: "crashed", ...more })];
      return alarms({ processes: [], domains, looks: [{ ...seen, guest }] });
    };
    const [one] = crashed({}, "restart");
    expect(one?.finding).toMatchObject({
      ...{ code: "domain-unwatched", severity: "error" },
      what: "g1 has crashed as domain 1, and nobody acts on it: it is not started again.",
    });
    expect(one?.finding.next).toContain("domus stop --destroy-after 0 g1");
    // It was alarming before, and is more so now.
    expect(one?.key).not.toBe(alarms({ processes: [] })[0]?.key);
    expect(crashed({ ending: { code: 3, action: "restart" } })).toHaveLength(1);
    expect(crashed({ ending: { code: 3, action: "preserve" } })).toEqual([]);
    expect(crashed({}, "preserve")).toEqual([]);
    const domains = [tracked(1, { state: "crashed" })];
    expect(codes({ domains, processes: [monitor(1)] })).toEqual([]);
  });

  test("by a migration", () => {
    const { monitorPid: _, ...left } = tracked(1, {
      name: "g--incoming",
      begun: false,
      state: "paused",
    });
    const receive = { pid: 7, verb: "migrate-receive", words: [] };
    expect(codes({ domains: [left], processes: [] })).toEqual(["domain-left-over"]);
    expect(codes({ domains: [left], processes: [receive] })).toEqual([]);
  });

  test("half built", () => {
    const { monitorPid: _, ...half } = tracked(2, { begun: false, state: "paused" });
    const { guest: _guest, ...noConfig } = look(2, "");
    const facts = { domains: [tracked(1), half], looks: [look(1, "/dev/a"), noConfig] };
    expect(codes({ ...facts, processes: [monitor(1)] })).toEqual(["domain-half-built"]);
    // Another xl is at work, which may be its.
    expect(codes({ ...facts, processes: [monitor(1), monitor(9)] })).toEqual([]);
    expect(codes({ ...facts, looks: [look(1, "/dev/a"), look(2, "")] })).toEqual([]);
  });
});

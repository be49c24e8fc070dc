/** What domus start says when xl create failed, and what it takes away: scripts for disks and network cards that failed. */
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import { failedStart, lookBeforeStart } from "../../../../src/guest/lifecycle/failed-start.ts";
import type { StartPlan } from "../../../../src/guest/lifecycle/plan-start.ts";
import type { DeviceUser } from "../../../../src/host/local/device-users.ts";
import { commandedXen } from "../../../support/commanded-xen.ts";
import type { Dom0Options } from "../../../support/dom0.ts";

const PLAN: StartPlan = {
  ...{ guest: "web", configPath: "/etc/xen/web.cfg", discards: [], warnings: [] },
  disks: [{ path: "/srv/web.img", writes: true }],
};
const LOG = "/var/log/xen/xen-hotplug.log";
const FAILED =
  "libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [343] exited with error status 1\nlibxl: error: libxl_create.c:1672:domcreate_launch_dm: Domain 1:unable to add disk devices\n";
const KILLED = FAILED.replace("exited with error status 1", "died due to fatal signal Killed");
const LATE = `libxl: error: libxl_aoutils.c:519:async_exec_timeout: killing execution of /etc/xen/scripts/block add because of timeout\n${KILLED}`;
const BEHIND: DeviceUser = { kind: "loop", what: "behind /dev/loop0", writes: true };

type Options = {
  readonly stderr: string;
  readonly files?: Dom0Options["files"];
  readonly links?: Dom0Options["links"];
  readonly users?: readonly DeviceUser[];
  readonly domids?: readonly number[];
  /** `losetup -d` does nothing; or somebody else has it open for a moment. */
  readonly stuck?: boolean | "for a moment";
  /** What was in the log before. */
  readonly before?: string;
};

async function start({ stderr, users = [BEHIND], domids = [], before = "", ...more }: Options) {
  const files = { "/srv/web.img": "disk", "/srv/other.img": "other", ...more.files };
  let letGo = () => {};
  const xen = commandedXen([], {
    files,
    findUsers: async () => users,
    verbs: {
      "-d": (_, [, , device]) => {
        const file = `/sys/class/block/${device!.replace("/dev/", "")}/loop/backing_file`;
        letGo = () => void Reflect.deleteProperty(files, file);
        if (!more.stuck) letGo();
      },
    },
  });
  const { host, clock } = xen.ports;
  const ports = {
    ...xen.ports,
    clock: {
      ...clock,
      async sleep(ms: number) {
        await clock.sleep(ms);
        if (more.stuck === "for a moment" && clock.now() >= 1000) letGo();
      },
    },
    host: {
      ...host,
      realPath: async (path: string) => more.links?.[path] ?? host.realPath(path),
    },
  };
  const failure = await failedStart(ports, PLAN, {
    ran: { argv: ["xl", "create"], exitCode: 3, stdout: "", stderr },
    before: { logBytes: before.length, loops: new Set() },
    domids,
  });
  expect(failure).toBeInstanceOf(FailureError);
  const said = failure.failure as { what: string; why: string; next: string };
  return { ...said, calls: xen.calls, told: xen.told };
}

const loop = (file: string, name = "loop0") => ({
  [`/sys/class/block/${name}/loop/backing_file`]: `${file}\n`,
});

describe("why", () => {
  test("is what xl says, and where a script failed what that has written since", async () => {
    const old = "of yesterday\n";
    const files = { [LOG]: `${old}line 1\n\n  mdadm: the array is locked\n` };
    const said = await start({ stderr: FAILED, files, before: old });
    expect(said.what).toBe("xl create of web failed.");
    expect(said.why).toBe(
      "xl says: /etc/xen/scripts/block add [343] exited with error status 1; unable to add disk devices. In /var/log/xen/xen-hotplug.log since then: line 1; mdadm: the array is locked",
    );
    expect(said.next).toBe(
      "Nothing of it is left. Put right what the script says, then domus start web again.",
    );
  });

  test("is nothing of the scripts' where none failed", async () => {
    const said = await start({ stderr: "libxl: error: no memory\n", files: { [LOG]: "line\n" } });
    expect(said.why).toBe("xl says: no memory");
    expect(said.next).toContain("domus check web");
  });

  test("is the last of a log that was put aside meanwhile", async () => {
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`).join("\n");
    const said = await start({
      ...{ stderr: FAILED, files: { [LOG]: lines }, before: "x".repeat(10_000) },
    });
    expect(said.why).toMatch(/since then: line 15; line 16; line 17; line 18; line 19$/);
  });

  test("is the time that libxl gives a script", async () => {
    expect((await start({ stderr: LATE })).why).toContain("libxl gives a script 40 seconds");
    expect((await start({ stderr: KILLED })).why).not.toContain("40 seconds");
  });
});

describe("what is left", () => {
  test("a loop device behind its own disk is let go of", async () => {
    const said = await start({ stderr: KILLED, files: loop("/srv/web.img") });
    expect(said.calls).toEqual(["-d /dev/loop0"]);
    expect(said.told).toEqual([
      "The start had left /srv/web.img behind /dev/loop0; it was let go of.",
    ]);
    expect(said.next).toMatch(/^Nothing of it is left\./);
  });

  test("one that somebody has open for a moment goes, too", async () => {
    const files = loop("/srv/web.img");
    const said = await start({ stderr: KILLED, files, stuck: "for a moment" });
    expect(said.told.join("")).toContain("it was let go of");
    expect(said.next).toMatch(/^Nothing of it is left\./);
  });

  test("one that cannot be let go of is named", async () => {
    const said = await start({ stderr: KILLED, files: loop("/srv/web.img"), stuck: true });
    expect(said.next).toMatch(
      /^\/srv\/web\.img is still behind \/dev\/loop0: losetup -d \/dev\/loop0\./,
    );
  });

  test("one behind another file is named, and left alone", async () => {
    const said = await start({ stderr: KILLED, files: loop("/srv/other.img") });
    expect([said.calls, said.told]).toEqual([[], []]);
    expect(said.next).toMatch(
      /^The loop device \/dev\/loop0 \(\/srv\/other\.img\) is new since then/,
    );
  });

  test.each<[string, Partial<Options>]>([
    ["of a domain", { users: [BEHIND, { kind: "guest", what: "disk of domain", writes: true }] }],
    ["mounted", { users: [BEHIND, { kind: "mount", what: "mounted at /mnt", writes: true }] }],
    ["with something built on it", { files: { "/sys/class/block/loop0/holders/dm-0": "" } }],
  ])("one that is %s is not touched", async (_, { files = {}, ...more }) => {
    const said = await start({
      ...{ stderr: KILLED, files: { ...loop("/srv/web.img"), ...files }, ...more },
    });
    expect([said.calls, said.told]).toEqual([[], []]);
  });

  test("a loop device that was there before is somebody else's", async () => {
    const xen = commandedXen([], { files: { "/srv/web.img": "disk", ...loop("/srv/web.img") } });
    const before = await lookBeforeStart(xen.ports.host);
    const ran = { argv: ["xl"], exitCode: 3, stdout: "", stderr: KILLED };
    await failedStart(xen.ports, PLAN, { ran, before, domids: [] });
    expect(xen.calls).toEqual([]);
  });

  test("a domain that ran, and a lock that is held", async () => {
    const said = await start({
      ...{ stderr: LATE, domids: [7] },
      files: { "/run/xen-hotplug/block": "", "/proc/55/cmdline": "/bin/sleep\0now\0" },
      links: { "/proc/55/fd/200": "/run/xen-hotplug/block" },
    });
    expect(said.next).toContain("Domain 7 of it is still there.");
    expect(said.next).toContain("process 55 (sleep) holds /run/xen-hotplug/block");
    expect(said.next).toContain("kill 55.");
  });
});

/** What domus start, reboot and stop say of guests that crash, as a person types them. */
import { describe, expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { commandedXen, WEB1_UUID } from "../../support/commanded-xen.ts";
import type { CommandedOptions, CommandedXen } from "../../support/commanded-xen.ts";
import type { FakeDomain } from "../../support/dom0.ts";

const LOG = "/var/log/xen/xl-web1.log";
const CREATE = "xl\0create\0/etc/xen/web1.cfg\0";
const FILES = {
  "/etc/xen/web1.cfg": `name = "web1"\nuuid = "${WEB1_UUID}"\nmemory = 128\ndisk = [ '/dev/vg0/web1,raw,xvda,rw' ]\n`,
  "/dev/vg0/web1": { kind: "block-device", sizeBytes: 4096 },
  "/proc/1/cmdline": "init\0",
} as const;

function web1(onCrash: string, more: Partial<FakeDomain> = {}): FakeDomain {
  const named = { name: "web1", uuid: WEB1_UUID };
  const config = { c_info: named, disks: [], on_reboot: "restart", on_crash: onCrash };
  return { domid: 3, ...named, config, ...more };
}

async function domus(xen: CommandedXen, ...argv: readonly string[]) {
  const readConsole = async function* () {
    yield Buffer.from("Kernel panic - not syncing: VFS: Unable to mount root fs\r\n");
  };
  const boot = { host: xen.ports.host, readConsole, clock: xen.clock };
  const options = { host: xen.ports.host, lifecycle: xen.ports, boot, columns: 200 };
  return cli(argv, options);
}

describe("a guest that crashes as it boots", () => {
  const scene = (onCrash: string) =>
    commandedXen([], {
      files: FILES,
      verbs: { create: (xen) => void (xen.domains = [web1(onCrash)]) },
    });

  test.each([
    ["restart", 'on_crash is "restart"), for ever: domus stop --destroy-after 0 web1 ends that'],
    ["restart_rename", 'on_crash is "rename-restart")'],
    ["preserve", "domus stop --destroy-after 0 web1 takes it away"],
    ["destroy", "domus check web1 says what would stop it"],
  ])("is started once, with on_crash %s, and it is said what comes next", async (onCrash, text) => {
    const xen = scene(onCrash);
    const { code, stdout, stderr } = await domus(xen, "start", "--anyway", "web1");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^web1 did not come up: the kernel panicked: .*\n$/);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain(text);
    expect(xen.calls).toEqual(["create /etc/xen/web1.cfg"]);
  });

  test.each([
    ["restart", "--destroy-after 0 web1 ends that"],
    ["coredump-restart", 'on_crash is "coredump-restart")'],
    ["destroy", "domus check web1 says what would stop it"],
    ["nonsense", "domus check web1 says what would stop it"],
  ])("is told the same when it was gone before libxl was asked: %s", async (action, text) => {
    const log = `Waiting for domain web1 (domid 3) to die [pid 354]\nDomain 3 has shut down, reason code 3 0x3\nAction for shutdown reason code 3 is ${action}\n`;
    let asked = 0;
    const xen = commandedXen([], {
      files: { ...FILES, [LOG]: log, "/proc/354/cmdline": "" },
      verbs: { create: (one) => void ((one.domains = [web1("restart")]), (asked = 0)) },
      onLook: (one) => {
        asked += 1;
        // It was there when xl create had ended.
        if (asked > 1) one.domains = [];
      },
    });
    const { code, stderr } = await domus(xen, "start", "--anyway", "web1");
    expect(code).toBe(1);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain(text);
  });

  test("is told the same when it was to reboot", async () => {
    const waits = "Waiting for domain web1 (domid 3) to die [pid 354]\n";
    const xen = commandedXen([web1("restart")], {
      files: { ...FILES, [LOG]: waits, "/proc/354/cmdline": CREATE },
      verbs: { reboot: (one) => void (one.domains = [web1("restart", { domid: 4 })]) },
    });
    const { code, stdout, stderr } = await domus(xen, "reboot", "--anyway", "web1");
    expect([code, stdout]).toEqual([1, expect.stringContaining("did not come up again")]);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain("--destroy-after 0 web1 ends that");
    expect(xen.calls).toEqual(["reboot 3"]);
  });
});

test("a domain that is gone between two questions is no failure of Xen's", async () => {
  let asked = 0;
  const xen: CommandedXen = commandedXen([web1("restart")], {
    files: FILES,
    // The inventory asks twice before.
    onLook: (one) => {
      asked += 1;
      if (asked > 2) one.domains = [];
    },
  });
  const { stderr } = await domus(xen, "stop", "web1");
  expect(stderr).not.toContain("got no answer");
  expect(stderr).toContain("Run the command again");
});

describe("a guest that has no domain because its xl is about to start it again", () => {
  const log = (more: string) =>
    `Waiting for domain web1 (domid 3) to die [pid 354]\nDomain 3 has shut down, reason code 3 0x3\nAction for shutdown reason code 3 is restart\n${more}`;
  const scene = (files: CommandedOptions["files"]) =>
    commandedXen([], {
      files: { ...FILES, ...files },
      verbs: { destroy: (xen) => void (xen.domains = []) },
    });

  test("is not called stopped, and is destroyed when it is there", async () => {
    const next = "Done. Rebooting now\nWaiting for domain web1 (domid 4) to die [pid 354]\n";
    const files: Record<string, string> = { [LOG]: log(""), "/proc/354/cmdline": CREATE };
    const xen = scene(files);
    const { clock, host } = xen.ports;
    const dynamic = {
      ...host,
      readFile: async (path: string, limit?: number) =>
        path === LOG ? Buffer.from(files[LOG]!) : host.readFile(path, limit),
    };
    const sleep = clock.sleep.bind(clock);
    let naps = 0;
    Object.assign(clock, {
      sleep: (ms: number) => {
        naps += 1;
        if (naps === 5) {
          files[LOG] = log(next);
          xen.domains = [web1("restart", { domid: 4 })];
        }
        if (naps === 6) files[LOG] += "Domain 4 has been destroyed.\n";
        return sleep(ms);
      },
    });
    const lifecycle = { ...xen.ports, host: dynamic };
    const ran = await cli(["stop", "--destroy-after", "0", "web1"], { host: dynamic, lifecycle });
    expect(ran).toMatchObject({ code: 0, stdout: "web1 was destroyed.\n" });
    expect(xen.calls).toEqual(["destroy 4"]);
  });

  test("is not started beside that", async () => {
    const files = { [LOG]: log(""), "/proc/354/cmdline": CREATE };
    const started = async (writesTo: string) => {
      const xen = scene(files);
      const host = {
        ...xen.ports.host,
        realPath: async (path: string) =>
          path === "/proc/354/fd/1" ? writesTo : xen.ports.host.realPath(path),
      };
      const argv = ["start", "--anyway", "--no-wait", "web1"];
      const ran = await cli(argv, { host, lifecycle: { ...xen.ports, host }, columns: 200 });
      return { ...ran, calls: xen.calls };
    };
    const refused = await started(LOG);
    expect(refused).toMatchObject({ code: 4, calls: [] });
    expect(refused.stderr).toContain("is about to be started again by its xl (process 354)");
    // Its number was given to another guest's.
    expect((await started("/var/log/xen/xl-db.log")).calls).not.toEqual([]);
  });

  test.each([
    ["when that xl is gone", { [LOG]: log("") }],
    [
      "when it ended for good",
      {
        [LOG]: `${log("").replace("is restart", "is destroy")}Done. Exiting now\n`,
        "/proc/354/cmdline": CREATE,
      },
    ],
    ["when there is no log", {}],
  ])("is stopped %s", async (_, files) => {
    const ran = await domus(scene(files), "stop", "web1");
    expect(ran).toMatchObject({ code: 0, stdout: "web1 does not run: it is stopped.\n" });
  });
});

test("a domain that was left half built is taken away, not resumed", async () => {
  const half = web1("restart", { flags: "--p---", config: null });
  const xen = commandedXen([half], { files: FILES });
  const { code, stderr } = await domus(xen, "start", "--anyway", "web1");
  expect(code).toBe(4);
  expect(stderr.replaceAll(/\s+/g, " ")).toContain("domus stop --destroy-after 0 web1 takes it");
  const paused = commandedXen([web1("restart", { flags: "--p---" })], { files: FILES });
  expect((await domus(paused, "start", "--anyway", "web1")).stderr).toContain("domus resume web1");
});

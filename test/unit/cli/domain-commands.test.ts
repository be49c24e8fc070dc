/** domus stop, reboot, pause, resume, attach and detach as a person types them. */
import { describe, expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { commandedXen, WEB1_UUID } from "../../support/commanded-xen.ts";
import type { CommandedOptions, CommandedXen } from "../../support/commanded-xen.ts";
import type { FakeDomain } from "../../support/dom0.ts";

const CONFIG = `name = "web1"\nmemory = 128\ndisk = [ '/dev/vg0/web1,raw,xvda,rw' ]\n`;
const FILES: NonNullable<CommandedOptions["files"]> = {
  "/etc/xen/web1.cfg": CONFIG,
  "/dev/vg0/web1": { kind: "block-device", sizeBytes: 4096 },
  "/dev/vg0/data": { kind: "block-device", sizeBytes: 4096 },
};
const disk = (vdev: string, path: string) => ({
  ...{ vdev, pdev_path: path, format: "raw", readwrite: 1 },
});

function web1(more: Partial<FakeDomain> = {}, disks = [disk("xvda", "/dev/vg0/web1")]): FakeDomain {
  const config = { c_info: { name: "web1", uuid: WEB1_UUID }, disks, on_reboot: "restart" };
  return { domid: 3, name: "web1", uuid: WEB1_UUID, config, ...more };
}

function scene(options: CommandedOptions = {}, domain: FakeDomain = web1()) {
  const xen = commandedXen([domain], { files: FILES, ...options });
  return { xen, run: (...argv: string[]) => run(xen, argv) };
}

async function run(xen: CommandedXen, argv: readonly string[]) {
  const readConsole = async function* () {
    yield Buffer.from("web1 login: ");
  };
  const boot = { host: xen.ports.host, readConsole, clock: xen.clock };
  return cli(argv, { host: xen.ports.host, lifecycle: xen.ports, boot, columns: 120 });
}

describe("domus stop", () => {
  const verbs: CommandedOptions["verbs"] = { shutdown: (xen) => void (xen.domains = []) };

  test("says when it is done", async () => {
    const { run: domus } = scene({ verbs });
    const { code, stdout, stderr } = await domus("stop", "web1");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "web1 has shut down, after 0 s.\n" });
    expect(stderr).toBe("Asking web1 (domain 3) to shut down.\n");
  });

  test("says every 10 s that it waits, and gives up with exit code 1", async () => {
    const { run: domus } = scene();
    const { code, stdout, stderr } = await domus("stop", "--wait", "25", "web1");
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("web1 still runs, 10 s after it was asked to shut down.\n");
    expect(stderr).toContain("web1 still runs, 20 s after it was asked to shut down.\n");
    expect(stderr).not.toContain(" 15 s ");
    expect(stderr).toContain("web1 (domain 3) still runs, 25 s after it was asked");
  });

  test("--dry-run does nothing and says what", async () => {
    const { xen, run: domus } = scene({ verbs });
    const { stdout } = await domus("stop", "--dry-run", "--destroy-after", "60", "web1");
    expect(stdout).toBe(
      "Would ask web1 to shut down: xl shutdown 3\nWould wait until its domain is gone, and after 60 s destroy it: xl destroy 3\n",
    );
    expect(xen.calls).toEqual([]);
  });

  test("--json", async () => {
    const { run: domus } = scene({ verbs });
    expect(JSON.parse((await domus("stop", "--json", "web1")).stdout)).toEqual({
      ...{ domus: 1, guest: "web1", domid: 3, uuid: WEB1_UUID, done: true },
      ...{ ask: "shutdown", waitSeconds: 600, destroyAfterSeconds: null },
      ...{ how: "shut-down", seconds: 0 },
    });
  });

  test("of a guest that does not run is done", async () => {
    const xen = commandedXen([], { files: FILES });
    const { code, stdout } = await run(xen, ["stop", "web1"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "web1 does not run: it is stopped.\n" });
  });

  test("refuses one that cannot hear, and names that are not safe", async () => {
    const paused = scene({ verbs }, web1({ flags: "--p---" }));
    expect((await paused.run("stop", "web1")).code).toBe(4);
    const config = { c_info: { name: "a b", uuid: WEB1_UUID } };
    const odd = scene({ verbs }, web1({ name: "a b", config }));
    const { code, stderr } = await odd.run("stop", "a b");
    expect(code).toBe(4);
    expect(stderr).toContain("xl rename 3 NEWNAME");
    expect([...paused.xen.calls, ...odd.xen.calls]).toEqual([]);
  });

  test.each(["x", "-1", "1.5", ""])("does not take %j for seconds", async (seconds) => {
    const { code } = await scene({ verbs }).run("stop", "--destroy-after", seconds, "web1");
    expect(code).toBe(2);
  });
});

describe("domus reboot", () => {
  const verbs: CommandedOptions["verbs"] = {
    reboot: (xen) => void (xen.domains = [web1({ domid: 4 })]),
  };

  test("says that it is up again", async () => {
    const { xen, run: domus } = scene({ verbs });
    const { code, stdout } = await domus("reboot", "--anyway", "web1");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "web1 is up again, as domain 4: it asks for a login.\n",
    });
    expect(xen.calls).toEqual(["reboot 3"]);
  });

  test("says why not, with the end of its console, and exit code 1", async () => {
    const dying: CommandedOptions["verbs"] = {
      reboot: (xen) => void (xen.domains = [web1({ domid: 4, flags: "---sc-" })]),
    };
    const { xen } = scene({ verbs: dying });
    const readConsole = async function* () {
      yield Buffer.from("\x1b[31mOops\x1b[0m: 0000\r\n");
    };
    const boot = { host: xen.ports.host, readConsole, clock: xen.clock };
    const options = { host: xen.ports.host, lifecycle: xen.ports, boot };
    const { code, stdout, stderr } = await cli(["reboot", "--anyway", "web1"], options);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^web1 did not come up again: the domain crashed/);
    expect(stderr).toContain("  Oops: 0000\n");
  });

  test("refuses a guest that xl would end, and tells what the config would bring", async () => {
    const config = { c_info: { name: "web1", uuid: WEB1_UUID }, disks: [] };
    const { xen, run: domus } = scene({ verbs }, web1({ config }));
    const { code, stderr } = await domus("reboot", "--anyway", "web1");
    expect(code).toBe(4);
    expect(stderr).toContain('on_reboot is "destroy"');
    expect(xen.calls).toEqual([]);
    const drifted = scene({ verbs }, web1({}, []));
    const dry = await drifted.run("reboot", "--dry-run", "--anyway", "web1");
    expect(dry.stderr.replaceAll(/\s+/g, " ")).toContain(
      "A reboot does not read /etc/xen/web1.cfg: the guest keeps what its domain has. The disk xvda (/dev/vg0/web1) is in the config, and not in the domain.",
    );
    expect(dry.stdout).toContain("Would ask web1 to reboot: xl reboot 3\n");
    expect(drifted.xen.calls).toEqual([]);
  });

  test("of a guest that does not run says what to do", async () => {
    const { code, stderr } = await run(commandedXen([], { files: FILES }), ["reboot", "web1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("domus start web1 starts it.");
  });
});

describe("domus pause and resume", () => {
  const verbs: CommandedOptions["verbs"] = {
    pause: (xen) => void (xen.domains = [web1({ flags: "--p---" })]),
    unpause: (xen) => void (xen.domains = [web1()]),
  };

  test("there and back", async () => {
    const { xen, run: domus } = scene({ verbs });
    expect((await domus("pause", "--dry-run", "web1")).stdout).toBe("Would run: xl pause 3\n");
    expect((await domus("pause", "web1")).stdout).toMatch(/^web1 \(domain 3\) is paused;/);
    expect((await domus("pause", "web1")).stdout).toBe("web1 (domain 3) is paused already.\n");
    const { stdout } = await domus("resume", "--json", "web1");
    expect(JSON.parse(stdout)).toMatchObject({ guest: "web1", done: true, state: "running" });
    expect(xen.calls).toEqual(["pause 3", "unpause 3"]);
  });
});

describe("domus attach and detach", () => {
  const both = [disk("xvda", "/dev/vg0/web1"), disk("xvdb", "/dev/vg0/data")];
  const verbs: CommandedOptions["verbs"] = {
    "block-attach": (xen) => void (xen.domains = [web1({}, both)]),
    "block-detach": (xen) => void (xen.domains = [web1()]),
  };

  test("a disk, and what becomes of the config", async () => {
    const { xen, run: domus } = scene({ verbs });
    const dry = await domus("attach", "--dry-run", "--persist", "web1", "phy:/dev/vg0/data,xvdb,w");
    expect(dry.stdout).toBe(
      [
        "Would run: xl block-attach 3 /dev/vg0/data,raw,xvdb,rw",
        "/etc/xen/web1.cfg would become:",
        "- disk = [ '/dev/vg0/web1,raw,xvda,rw' ]",
        "+ disk = [ '/dev/vg0/web1,raw,xvda,rw', '/dev/vg0/data,raw,xvdb,rw' ]",
        "",
      ].join("\n"),
    );
    expect(xen.calls).toEqual([]);
    const { stdout, stderr } = await domus("attach", "web1", "/dev/vg0/data,raw,xvdb,rw");
    expect(stdout).toBe("web1 has the disk xvdb (/dev/vg0/data).\n");
    expect(stderr).toContain("domus persist web1 writes it.");
    const gone = await domus("detach", "web1", "xvdb");
    expect(gone.stdout).toBe("web1 does not have the disk xvdb (/dev/vg0/data) any more.\n");
  });

  test("either a disk or an interface", async () => {
    for (const argv of [
      ["attach", "web1"],
      ["attach", "web1", "/dev/vg0/data,raw,xvdb,rw", "--nic", "bridge=xenbr0"],
      ["detach", "web1"],
    ])
      expect((await scene({ verbs }).run(...argv)).code).toBe(2);
  });

  test("an interface gets an address", async () => {
    const { stdout } = await scene().run("attach", "--dry-run", "--json", "web1", "--nic", "");
    const { command } = JSON.parse(stdout) as { command: string[] };
    expect(command.slice(0, 3)).toEqual(["xl", "network-attach", "3"]);
    expect(command[3]).toMatch(/^mac=00:16:3e:[0-7][0-9a-f](?::[0-9a-f]{2}){2}$/);
  });

  test("refuses a disk that somebody has", async () => {
    const findUsers = async () => [
      { kind: "mount" as const, what: "mounted at /srv", writes: true },
    ];
    const { xen, run: domus } = scene({ verbs, findUsers });
    const { code, stderr } = await domus("attach", "web1", "/dev/vg0/data,raw,xvdb,rw");
    expect(code).toBe(4);
    expect(stderr).toContain("mounted at /srv");
    expect(xen.calls).toEqual([]);
  });
});

describe("a disk that the memory image of another guest waits for", () => {
  const IMAGE = "/var/lib/domus/images/pandora.xl";
  const NEEDS = ["of pandora", IMAGE, "domus restore pandora", "start --discard-image pandora"];
  const verbs: NonNullable<CommandedOptions["verbs"]> = {
    "block-attach": (xen, [, , , spec = ""]) => {
      const [path = "", , vdev = ""] = spec.split(",");
      xen.domains = [web1({}, [disk("xvda", "/dev/vg0/web1"), disk(vdev, path)])];
    },
  };

  function saved(domain = web1(), config = CONFIG) {
    const files = { ...FILES, "/etc/xen/web1.cfg": config, [IMAGE]: "memory" };
    const { xen, run: domus } = scene({ verbs, files }, domain);
    xen.ports.records.addImage({
      ...{ guest: "pandora", uuid: "u9", path: IMAGE, state: "waiting" },
      savedAtMs: 1_800_000_000_000,
      disks: [{ vdev: "xvda", path: "/dev/vg0/data", readonly: false }],
    });
    return { xen, domus };
  }

  test.each(["", "--dry-run", "--persist"])(
    "is not attached to be written: nothing is done, as with %j",
    async (flag) => {
      const { xen, domus } = saved();
      const spec = "/dev/vg0/data,raw,xvdb,rw";
      const { code, stdout, stderr } = await domus("attach", ...(flag ? [flag] : []), "web1", spec);
      expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
      for (const text of NEEDS) expect(stderr.replaceAll(/\s+/g, " ")).toContain(text);
      expect(xen.calls).toEqual([]);
      expect(xen.ports.records.operations()).toEqual([]);
      expect(xen.ports.records.images()).toMatchObject([{ state: "waiting" }]);
    },
  );

  test("is attached to be read, and to be written when no image waits any more", async () => {
    const { xen, domus } = saved();
    const read = await domus("attach", "web1", "/dev/vg0/data,raw,xvdb,r");
    expect(read.code).toBe(0);
    xen.domains = [web1()];
    xen.ports.records.removeImage(xen.ports.records.images()[0]!.id);
    expect((await domus("attach", "web1", "/dev/vg0/data,raw,xvdb,rw")).code).toBe(0);
  });

  test("is attached by no revert, which begins with nothing then", async () => {
    const lacking = web1({}, [disk("xvda", "/dev/vg0/web1"), disk("xvdc", "/dev/vg0/more")]);
    const config = CONFIG.replace(" ]", ", '/dev/vg0/data,raw,xvdb,rw' ]");
    const { xen, domus } = saved(lacking, config);
    for (const mode of [[], ["--dry-run"]]) {
      const { code, stderr } = await domus("persist", "--revert", ...mode, "web1");
      expect(code).toBe(4);
      for (const text of NEEDS) expect(stderr.replaceAll(/\s+/g, " ")).toContain(text);
    }
    expect(xen.calls).toEqual([]);
    expect(xen.ports.records.operations()).toEqual([]);
  });
});

describe("domus persist", () => {
  const domain = web1({}, [disk("xvda", "/dev/vg0/web1"), disk("xvdb", "/dev/vg0/data")]);
  const cut = (step: string) => ({
    ...{ kind: "attach", guest: "web1", step, pid: 9, pidStarted: "1", bootId: "b" },
    data: { uuid: WEB1_UUID, domid: 3, device: "a disk" },
  });

  test("puts in order first what an earlier command has left, and has its own row", async () => {
    const { xen } = scene({}, domain);
    const { ports } = xen;
    ports.records.beginOperation(cut("domain"));
    const rows: string[] = [];
    const replaceFile = async () => {
      rows.push(...ports.records.operations().map(({ kind, step }) => `${kind} ${step}`));
    };
    const lifecycle = {
      ...ports,
      host: { ...ports.host, replaceFile },
      isAlive: ({ pid }: { readonly pid: number }) => pid !== 9,
    };
    const { code, stdout, stderr } = await cli(["persist", "web1"], { lifecycle });
    expect(stderr).toContain('domus attach web1 was cut off at its step "domain".');
    expect([code, stdout]).toEqual([0, expect.stringContaining("+ ")]);
    expect(rows).toEqual(["persist config"]);
    expect(ports.records.operations()).toEqual([]);
    expect(xen.events().map(({ kind }) => kind)).toEqual(["config-changed"]);
  });

  test("--dry-run only says that there is something", async () => {
    const { xen } = scene({}, domain);
    xen.ports.records.beginOperation(cut("domain"));
    const lifecycle = { ...xen.ports, isAlive: () => false };
    const { code, stderr } = await cli(["persist", "--dry-run", "web1"], { lifecycle });
    expect(code).toBe(0);
    expect(stderr).toContain("the next command that is no --dry-run puts that in order first");
    expect(xen.ports.records.operations()).toHaveLength(1);
  });

  test("--revert is refused while another command works on the guest", async () => {
    const { xen, run: domus } = scene({}, domain);
    xen.ports.records.beginOperation(cut("domain"));
    const { code, stderr } = await domus("persist", "--revert", "web1");
    expect(code).toBe(4);
    expect(stderr).toContain("domus attach web1 is under way, as process 9.");
    expect(xen.calls).toEqual([]);
  });
});

/** Xen runs and xl does not answer, at 3 a.m.: nothing is done on a guess, and the cause is said. */
import { describe, expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { commandedXen, WEB1_UUID } from "../../support/commanded-xen.ts";
import { xlList } from "../../support/dom0.ts";
import { formatSeen } from "../../../src/guest/inventory/seen-domains.ts";
import type { Host } from "../../../src/host/host.ts";

const FILES = {
  "/etc/xen/web1.cfg": `name = "web1"\nmemory = 128\ndisk = [ '/srv/web1.img,raw,xvda,rw' ]\n`,
  "/srv/web1.img": "",
  "/proc/sys/kernel/random/boot_id": "boot-1\n",
  "/sys/hypervisor/type": "xen\n",
  "/sys/hypervisor/version/major": "4\n",
  "/sys/hypervisor/version/minor": "17\n",
  "/sys/hypervisor/version/extra": ".5\n",
  "/sys/hypervisor/properties/capabilities": "xen-3.0-x86_64\n",
};
const DEAF =
  "xencall: error: Could not obtain handle on privileged command interface: No such file or directory\nlibxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: No such file or directory\ncannot init xl context\n";

/** What root saw a minute ago, on this boot. */
const seen = {
  recall: () =>
    formatSeen({
      ...{ atMs: Date.now() - 60_000, bootId: "boot-1", watched: [3], unwatched: [] },
      table: xlList([{ domid: 3, name: "web1", uuid: WEB1_UUID }])["xl list -v"]!,
      long: "[]",
    }),
  keep: () => {},
};

function silentXen() {
  const xen = commandedXen([], { files: FILES });
  const host: Host = {
    ...xen.ports.host,
    run: async (argv, options) =>
      argv[1] === "list"
        ? { argv, exitCode: 1, stdout: "", stderr: DEAF }
        : xen.ports.host.run(argv, options),
  };
  const readConsole = async function* () {};
  const run = (...argv: string[]) =>
    cli(argv, {
      ...{ host, columns: 120, state: { seen } },
      lifecycle: { ...xen.ports, host },
      boot: { host, readConsole, clock: xen.clock },
    });
  return { xen, run };
}

describe.each([
  ["save"],
  ["restore"],
  ["start"],
  ["start", "--anyway"],
  ["stop"],
  ["stop", "--destroy-after", "0"],
  ["reboot"],
  ["pause"],
  ["resume"],
  ["attach", "/srv/data.img,raw,xvdb,rw"],
  ["detach", "xvda"],
  // The guest may run: an overlay on its file would be no safe copy.
  ["rehearse"],
  ["persist"],
  ["persist", "--revert"],
])("domus %s %s", (command, ...more) => {
  const flags = more.filter(
    (word, index) => word.startsWith("-") || more[index - 1]?.startsWith("--d"),
  );
  const rest = more.filter((word) => !flags.includes(word));

  test.each([[], ["--dry-run"]])("does nothing, and says why %j", async (...dry) => {
    const { xen, run } = silentXen();
    const { code, stdout, stderr } = await run(command, ...flags, ...dry, "web1", ...rest);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^domus: xl list -[vl] got no answer from Xen\. \(command-failed\)\n/);
    expect(stderr).toContain("xl says: Could not obtain handle on privileged command interface");
    expect(stderr).toContain("systemctl status xenstored");
    expect(xen.calls).toEqual([]);
  });

  test("as JSON, too", async () => {
    const { run } = silentXen();
    const { code, stdout } = await run(command, "--json", ...flags, "web1", ...rest);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ domus: 1, error: { code: "command-failed" } });
  });
});

test("what is only shown says that the states are not known, and why", async () => {
  const { run } = silentXen();
  const listed = await run("list");
  expect(listed.code).toBe(0);
  expect(listed.stdout).toMatch(/^web1 {3}unknown/m);
  expect(listed.stderr.replaceAll(/\s+/g, " ")).toMatch(
    /^What runs is not known: xl list -[vl] got no answer from Xen\. xl says: .* cannot init xl context\. xl info says/,
  );
  expect((await run("show", "web1")).stdout).toMatch(/^What web1 does is not known\.\n/);
  const { domains, domainsSeenAt, notRead } = JSON.parse((await run("list", "--json")).stdout) as {
    readonly domains: string;
    readonly domainsSeenAt: number | null;
    readonly notRead: readonly string[];
  };
  expect([domains, domainsSeenAt]).toEqual(["unknown", null]);
  expect(notRead).toEqual([expect.stringContaining("got no answer from Xen")]);
});

import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { domainCommand, lookAtDomain } from "../../../../src/guest/lifecycle/domain-command.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0Options } from "../../../support/dom0.ts";

const UUID = "822e57d0-1279-42d4-ac91-63be99d78339";
const WEB1 = { domid: 3, name: "web1", uuid: UUID };
const row = (domains: Parameters<typeof xlList>[0]) => xlList(domains)["xl list -v"]!;
const host = (programs: Dom0Options["programs"]) =>
  fakeDom0({ files: {}, programs: programs ?? {} });
const pause = (domid: string) => ["xl", "pause", domid];

describe("a command for a domain", () => {
  test("is run when the domain is still the guest's", async () => {
    const ran = await domainCommand(
      host({ "xl list -v 3": row([WEB1]), "xl pause 3": "ok" }),
      WEB1,
      pause,
    );
    expect(ran).toMatchObject({ argv: ["xl", "pause", "3"], stdout: "ok" });
  });

  test.each([
    ["another guest's", row([{ ...WEB1, uuid: UUID.replace("8", "9") }])],
    ["gone", { exitCode: 1, stderr: "Error: Domain '3' does not exist.\n" }],
    [
      "gone, as later releases say it",
      { exitCode: 1, stderr: "3 is an invalid domain identifier (rc=-6)\n" },
    ],
  ])("is not run when it is %s", async (_, said) => {
    const ran = await attempt(() => domainCommand(host({ "xl list -v 3": said }), WEB1, pause));
    expect(ran).toMatchObject({ ok: false, failure: { kind: "refused" } });
  });

  test("Xen that does not tell, and a name that looks like a row, are no answer", async () => {
    const silent = {
      exitCode: 1,
      stderr: "libxl: error: libxl.c:123:libxl_ctx_alloc: cannot open\n",
    };
    const forged = row([WEB1, WEB1]);
    for (const said of [silent, forged]) {
      const looked = await attempt(() => lookAtDomain(host({ "xl list -v 3": said }), 3));
      expect(looked).toMatchObject({ ok: false, failure: { kind: "failed" } });
    }
  });

  test("that fails says what xl said", async () => {
    const stderr =
      "libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [77] exited with error status 1\nlibxl: error: libxl_device.c:1259:device_hotplug_child_death_cb: script: Device /dev/dm-0 is mounted in a guest domain,\nand so cannot be mounted now.\nlibxl_device_disk_add failed.\n";
    const ran = await attempt(() =>
      domainCommand(
        host({ "xl list -v 3": row([WEB1]), "xl pause 3": { exitCode: 1, stderr } }),
        WEB1,
        pause,
      ),
    );
    expect(ran).toMatchObject({
      ok: false,
      failure: {
        kind: "failed",
        what: "xl pause failed for web1 (domain 3).",
        why: "xl says: script: Device /dev/dm-0 is mounted in a guest domain, and so cannot be mounted now.; /etc/xen/scripts/block add [77] exited with error status 1; libxl_device_disk_add failed.",
      },
    });
  });
});

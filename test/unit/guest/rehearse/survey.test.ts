import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { findGuest } from "../../../../src/guest/inventory/find-guest.ts";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import { surveyRehearsal } from "../../../../src/guest/rehearse/survey.ts";
import type { Host } from "../../../../src/host/host.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { FakeDomain } from "../../../support/dom0.ts";

const CONFIG = [
  'name = "web"',
  "memory = 256",
  "disk = [ 'phy:vg0/web,xvda,w', '/srv/link.img,raw,xvdb,w', '/srv/a.iso,raw,hdc,ro,cdrom',",
  " ',raw,hdd,cdrom', 'script=block-drbd,vdev=xvde,target=r0', '/dev/sdb,raw,xvdf,w' ]",
  "",
].join("\n");
const LVS =
  "lvs --reportformat json --units b --nosuffix -o lv_name,vg_name,lv_attr,lv_size,vg_free,pool_lv,data_percent --";
const REPORT =
  '{"report":[{"lv":[{"lv_name":"web","vg_name":"vg0","lv_attr":"-wi-a-----","lv_size":"8388608","vg_free":"4194304"}]}]}';
const INFO = "xen_major : 4\nxen_minor : 17\nxen_caps : xen-3.0-x86_64\nfree_memory : 700\n";

function hostOf(domains: readonly FakeDomain[] = [], config = CONFIG, info = INFO): Host {
  return fakeDom0({
    files: {
      "/etc/xen/web.cfg": config,
      "/dev/vg0/web": { kind: "block-device" },
      "/dev/sdb": { kind: "block-device" },
      "/srv/web.img": "",
      "/srv/a.iso": "",
    },
    links: { "/srv/link.img": "/srv/web.img" },
    programs: {
      ...xlList(domains),
      "xl info": info,
      [`${LVS} /dev/vg0/web`]: REPORT,
      [`${LVS} /dev/sdb`]: { exitCode: 5, stderr: "not a volume" },
    },
  });
}

async function survey(host: Host, name = "web") {
  return surveyRehearsal(host, findGuest(await readInventory(host), "here", name));
}

describe("the survey", () => {
  test("knows what the disks are, how much memory is free, and whether the guest has a domain", async () => {
    const found = await survey(hostOf());
    expect(found).toMatchObject({ guest: "web", runs: false, freeMemoryMib: 700, text: CONFIG });
    expect(
      found.disks.map(({ spec, kind, path, realPath, volume }) => [
        ...[spec.vdev, kind, path, realPath, volume?.name],
      ]),
    ).toEqual([
      ["xvda", "block-device", "/dev/vg0/web", "/dev/vg0/web", "web"],
      ["xvdb", "file", "/srv/link.img", "/srv/web.img", undefined],
      ["hdc", "file", "/srv/a.iso", undefined, undefined],
      ["hdd", "empty", undefined, undefined, undefined],
      ["xvde", "elsewhere", undefined, undefined, undefined],
      ["xvdf", "block-device", "/dev/sdb", "/dev/sdb", undefined],
    ]);
    const domain = { domid: 4, name: "web", uuid: "822e57d0-1279-42d4-ac91-63be99d78339" };
    expect((await survey(hostOf([{ ...domain, flags: "---sc-" }]))).runs).toBe(true);
  });

  test("without LVM there are no volumes", async () => {
    const host = hostOf();
    const without: Host = {
      ...host,
      run: (argv) => (argv[0] === "lvs" ? host.run(["no-such-program"]) : host.run(argv)),
    };
    const { disks } = await survey(without);
    expect(disks.filter(({ volume }) => volume)).toEqual([]);
  });

  test("refuses what cannot be started anyway, and says so of a Xen that does not answer", async () => {
    const broken = await attempt(() =>
      survey(hostOf([], "name = 'web'\nmemory = = 5\n"), "/etc/xen/web.cfg"),
    );
    expect(broken).toMatchObject({ failure: { kind: "refused" } });
    const mute = await attempt(() => survey(hostOf([], CONFIG, "nothing")));
    expect(mute).toMatchObject({ ok: false });
    const unknown = { domid: 4, name: "ghost", uuid: "822e57d0-1279-42d4-ac91-63be99d78339" };
    expect(await attempt(() => survey(hostOf([unknown]), "ghost"))).toMatchObject({
      failure: { kind: "misuse" },
    });
  });
});

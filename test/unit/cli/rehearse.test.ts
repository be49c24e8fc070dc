import { expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { fakeDom0, xlList } from "../../support/dom0.ts";

const host = fakeDom0({
  files: {
    "/etc/xen/web.cfg":
      'name = "web"\nmemory = 256\ndisk = [ "/srv/a b.img,raw,xvda,w" ]\nvif = [ "" ]\n',
    "/srv/a b.img": "",
  },
  programs: {
    ...xlList([]),
    "xl info": "xen_major : 4\nxen_minor : 17\nxen_caps : xen-3.0-x86_64\nfree_memory : 700\n",
  },
});

test("a dry run says what would be made, and makes nothing", async () => {
  const { code, stdout, stderr } = await cli(["rehearse", "--dry-run", "web"], { host });
  expect(code, stderr).toBe(0);
  expect(stdout.replaceAll(/[0-9a-f]{8}/g, "ID")).toBe(
    [
      "Would run:",
      "  qemu-img create -q -f qcow2 -F raw -b '/srv/a b.img' /var/lib/domus/rehearse/ID/disk-0.qcow2",
      "  xl create /var/lib/domus/rehearse/ID/guest.cfg",
      "",
    ].join("\n"),
  );
  expect(stderr).toContain("The copy has no network.\n");
});

test("the same as a document", async () => {
  const { code, stdout } = await cli(["rehearse", "--dry-run", "--json", "web"], { host });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    domus: 1,
    guest: "web",
    done: false,
    copy: { memoryMib: 256, disks: [{ vdev: "xvda", kind: "overlay", path: "/srv/a b.img" }] },
    notes: ["The copy has no network."],
  });
});

test("a guest has to be named, and known", async () => {
  expect((await cli(["rehearse"], { host })).code).toBe(2);
  expect((await cli(["rehearse", "wep"], { host })).stderr).toContain("Did you mean web?");
  expect((await cli(["rehearse", "--memory", "0", "web"], { host })).code).toBe(2);
});

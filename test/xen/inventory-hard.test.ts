/**
 * domus list and show on real Xen where things are not as they should be: drift, stale and damaged images, disks of two guests,
 * a domain that nobody watches, one that is half built, names from hell, and a user who may only look.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { quote } from "../../lab/ssh.ts";
import { testHost } from "../support/lab.ts";

const KERNEL = "6.1-cloud";
const UUID = "22f7f7cc-5a0b-4f2d-9c1e-0123456789ab";
const IMAGE = "/var/lib/xen/save/pandora";
const PATIENT = { timeoutMs: 600_000 };

let host: LabHost;
let dir: string;
let config: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  host = await testHost({ name: "test-hard" });
  makeExt4Guest(image, { kernel: KERNEL });
  config = await host.writeGuest({
    name: "pandora",
    memoryMib: 96,
    disks: [{ image, as: "file" }],
    kernel: debianKernel(KERNEL).vmlinuz,
    ramdisk: guestInitramfs(KERNEL),
    config: [
      `uuid = "${UUID}"`,
      "maxmem = 128",
      'extra = "root=/dev/xvda console=hvc0 sysrq_always_enabled"',
      'vif = [ "mac=00:16:3e:00:00:01,bridge=xenbr0" ]',
      'on_crash = "preserve"',
    ],
  });
  await host.output(`xl create ${config}`, PATIENT);
  await host.waitForConsole("pandora", /userland reached/, 600_000);
}, 900_000);

afterAll(async () => {
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Found = { readonly code: string; readonly severity: string; readonly what: string };
type Guest = {
  readonly name: string;
  readonly state: string;
  readonly config: { readonly path: string } | null;
  readonly domains: readonly { readonly name: string; readonly watched: boolean | null }[];
  readonly images: readonly { readonly path: string; readonly matchedBy: string }[];
  readonly findings: readonly Found[];
};

async function list(): Promise<readonly Guest[]> {
  const { stdout, stderr } = await host.run("domus list --json", PATIENT);
  const { domains, guests } = JSON.parse(stdout) as { domains: string; guests: readonly Guest[] };
  expect(domains, stderr).toBe("listed");
  return guests;
}

async function guestOf(name: string): Promise<Guest> {
  const found = (await list()).filter((guest) => guest.name === name);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** `error image-stale` and the like, sorted; drift has a test of its own. */
const codes = ({ findings }: Guest) =>
  findings
    .filter(({ code }) => code !== "config-drift")
    .map(({ severity, code }) => `${severity} ${code}`)
    .toSorted();

test("a config that was edited, a NIC that was attached, memory and processors that were changed", async () => {
  const drift = async () =>
    (await guestOf("pandora")).findings.map(({ severity, code }) => `${severity} ${code}`);
  expect(await drift()).toEqual([]);
  await host.output("xl mem-set pandora 80");
  expect(await drift()).toEqual(["note config-drift"]);
  await host.output(
    `xl mem-set pandora 96; cp ${config} /root/before.cfg; sed -i 's/^vcpus = 1/vcpus = 2/' ${config}
     xl network-attach pandora mac=00:16:3e:00:00:02 bridge=xenbr0`,
    PATIENT,
  );
  const { findings } = await guestOf("pandora");
  const said = findings.filter(({ severity }) => severity === "warning").map(({ what }) => what);
  expect(said).toEqual(
    expect.arrayContaining([
      expect.stringContaining("vcpus 2; the domain has 1"),
      expect.stringContaining("00:16:3e:00:00:02 on xenbr0 is in the domain"),
    ]),
  );
  // The guest has no driver for it, so that xl may give up waiting for it.
  await host.run(`cp /root/before.cfg ${config}; xl network-detach pandora 1`, PATIENT);
});

test("an image of a guest that went on, where xendomains would restore it; one that is cut off", async () => {
  await host.output(`mkdir -p /var/lib/xen/save; xl save -c pandora ${IMAGE}`, PATIENT);
  await host.output(`head -c 5000000 ${IMAGE} > /root/cut.save`);
  const pandora = await guestOf("pandora");
  // For its xl the guest has ended with the save, so that it watches no more.
  const unwatched = "warning domain-unwatched";
  expect(codes(pandora)).toEqual(["error image-stale", unwatched, "warning image-incomplete"]);
  expect(pandora.findings.find(({ code }) => code === "image-incomplete")!.what).toContain(
    "/root/cut.save",
  );
  const { code, stdout } = await host.run("domus show pandora", PATIENT);
  expect(code).toBe(3);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("xendomains does so by itself");
  await host.output(`rm ${IMAGE} /root/cut.save`);
});

test("one file in other configs by a link, a hard link, a bind mount; mounted in dom0; a uuid twice; LVM", async () => {
  const disk = "/srv/guests/pandora-disk.img";
  await host.output(`set -e
    mkdir -p /mnt/bind /mnt/loop
    ln -s ${disk} /srv/link.img
    ln ${disk} /srv/guests/hard.img
    mount --bind /srv/guests /mnt/bind
    lvcreate -qqy -L 8m -n origin vg0
    lvcreate -qqy -s -L 4m -n snap vg0/origin
    dmsetup create alias --table "0 16384 linear /dev/vg0/origin 0"
    dmsetup mknodes
    write() { printf 'name = "%s"\\nmemory = 64\\ndisk = ["%s,raw,xvda,rw"]\\n' "$1" "$2" > /etc/xen/$1.cfg; }
    write link /srv/link.img
    write hard /srv/guests/hard.img
    write bind /mnt/bind/pandora-disk.img
    write origin /dev/vg0/origin
    write mapper /dev/mapper/vg0-origin
    write alias /dev/mapper/alias
    write snap /dev/vg0/snap
    echo 'uuid = "${UUID}"' >> /etc/xen/link.cfg
    mount -o loop,ro,noload ${disk} /mnt/loop`);
  const guests = await list();
  const said = Object.fromEntries(guests.map((guest) => [guest.name, codes(guest)]));
  const shared = "warning disk-shared";
  const mounted = "warning disk-mounted";
  expect(said).toEqual({
    pandora: ["error disk-mounted", shared, "warning domain-unwatched", "warning duplicate-uuid"],
    link: [mounted, shared, "warning duplicate-uuid"],
    hard: [mounted, shared],
    bind: [mounted, shared],
    origin: [shared],
    mapper: [shared],
    alias: [shared],
    snap: ["warning disk-snapshot"],
  });
  await host.run(`umount /mnt/loop /mnt/bind
    dmsetup remove alias
    lvremove -qqfy vg0/snap vg0/origin
    rm /srv/link.img /srv/guests/hard.img
    cd /etc/xen; rm link.cfg hard.cfg bind.cfg origin.cfg mapper.cfg alias.cfg snap.cfg`);
});

test("a domain whose xl was killed is half built, and was not while xl made it", async () => {
  // A script of a disk that does not come to its end.
  await host.output(`set -e
    mkfifo /root/never
    printf '#!/bin/sh\\nread line < /root/never\\n' > /etc/xen/scripts/block-never
    chmod +x /etc/xen/scripts/block-never
    sed -e 's/"pandora"/"half"/; /^uuid/d; /^disk/d; /^vif/d' ${config} > /etc/xen/half.cfg
    echo 'disk = ["script=block-never,vdev=xvda,target=x"]' >> /etc/xen/half.cfg
    setsid xl create /etc/xen/half.cfg > /root/create.log 2>&1 < /dev/null & echo $! > /root/create.pid`);
  await expect
    .poll(async () => (await host.run("xl list -v | grep -c '^half '")).stdout, {
      ...{ timeout: 600_000, interval: 1000 },
    })
    .toBe("1\n");
  expect(codes(await guestOf("half"))).toEqual([]);
  await host.output("kill -9 $(cat /root/create.pid)");
  await expect
    .poll(async () => codes(await guestOf("half")), { timeout: 600_000, interval: 1000 })
    .toEqual(["warning domain-half-built"]);
});

test("names from hell, and what a migration leaves, are escaped and shown", async () => {
  const domid = (await host.output("xl domid half")).trim();
  const rename = (name: string) => host.output(`xl rename ${domid} ${quote(name)}`);
  const long = "n".repeat(200);
  for (const [name, shown] of [
    ["33", "33"],
    ["../../x", "../../x"],
    [long, long],
    ["gäst", "gäst"],
    // Without a configuration there is only the row: what is behind the last line feed.
    ["a\nb\u001b[2J", "b\\x1b[2J"],
  ] as const) {
    await rename(name);
    const { stdout } = await host.run(`domus show ${domid}`, PATIENT);
    expect(stdout.split("\n")[0], name).toBe(`${shown} is paused.`);
  }
  const text = await host.run("domus list", PATIENT);
  // oxlint-disable-next-line no-control-regex -- what must not be there
  expect(text.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  expect((await list()).map(({ name }) => name)).toContain("b\u001b[2J");
  await rename("half--incoming");
  const guests = await list();
  const left = guests.find(({ domains }) => domains.some(({ name }) => name === "half--incoming"));
  expect(codes(left!)).toContain("warning domain-left-over");
});

test("a member of the group domus sees what root saw, and changes nothing", async () => {
  await host.output(
    `set -e
    groupadd domus; useradd -M -G domus member
    install -d -m 0750 -o root -g domus /var/lib/domus
    domus list > /dev/null`,
    PATIENT,
  );
  const asMember = (command: string) =>
    host.run(
      `setpriv --reuid member --regid member --groups domus --inh-caps=-all env HOME=/ ${command}`,
      PATIENT,
    );
  const listed = await asMember("domus list --json");
  expect(listed.stderr).toMatch(/Domains are those that root saw/);
  const { domains, guests } = JSON.parse(listed.stdout) as { domains: string; guests: Guest[] };
  expect([domains, guests.map(({ state }) => state)]).toEqual([
    "listed",
    expect.arrayContaining(["paused"]),
  ]);
  const shown = await asMember("domus show half--incoming");
  expect(shown.stdout).toContain("is paused.");
  for (const command of ["domus persist pandora", "domus start pandora"]) {
    const { code, stderr } = await asMember(command);
    expect([code, stderr], command).toEqual([4, expect.stringContaining("only root may do that")]);
  }
  await host.output("xl list half--incoming");
});

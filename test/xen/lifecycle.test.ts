/** Save, restore and start on real Xen: disks that have two users, images that are not whole, and commands that are killed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import {
  countingFiles,
  COUNTING_ARGS,
  COUNTING_MEMORY_MIB,
  dataDisk,
  lastTick,
  nextTick,
  readCountingDisk,
  wrongTicks,
} from "../support/counting-guest.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import type { LabDomus, Said } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";
import { armShim, installShim, readShim, withShim } from "../support/xl-shim.ts";
import type { Strike } from "../support/xl-shim.ts";

const UUID = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d12";
const DISK = "/dev/vg0/pandora-disk";
const FILE = "/srv/guests/pandora-disk2.img";
const CONFIG = "/etc/xen/pandora.cfg";
const IMAGES = "/var/lib/domus/images";

let host: LabHost;
let dir: string;
let domus: LabDomus;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  host = await testHost({ name: "test-lifecycle" });
  domus = labDomus(host);
  const { image, kernel, ramdisk } = countingFiles(dir);
  await host.writeGuest({
    name: "pandora",
    memoryMib: COUNTING_MEMORY_MIB,
    disks: [{ image }, { image: dataDisk(dir, "mail"), as: "file" }],
    kernel,
    ramdisk,
    config: [`uuid = "${UUID}"`, `extra = "${COUNTING_ARGS}"`],
  });
  await installShim(host);
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs the command with a blow at a counted call of xl; the blow came. */
async function struck(words: string, strike: Strike): Promise<Said> {
  await armShim(host, strike);
  const { code, stdout, stderr } = await host.run(withShim(`domus ${words}`), PATIENT);
  const saw = await readShim(host);
  expect(saw.struck, `${saw.calls.join("\n")}\n${stderr}`).toBeDefined();
  return { code, text: `${stdout}${stderr}`.replaceAll(/\s+/g, " ") };
}

/** Names of images that are offered or kept, and of nothing else: what is begun has a name of another form. */
async function imageFiles(): Promise<string[]> {
  const { stdout } = await host.run(`ls -A ${IMAGES}`);
  return stdout.split("\n").filter((name) => name !== "");
}

/** A guest of another name with that disk: as `xl create` would take it. */
async function writeTwin(name: string, disk: string, ...more: string[]): Promise<void> {
  const text = [
    `name = "${name}"`,
    "memory = 80",
    ...(await host.output(`grep -E '^(kernel|ramdisk|extra)' ${CONFIG}`)).trim().split("\n"),
    `disk = [ "phy:${disk},xvda,w" ]`,
    ...more,
  ].join("\n");
  await host.output(`cat > /etc/xen/${name}.cfg`, { input: `${text}\n` });
}

/** The guest has ended: its disk is whole, and nothing that it had flushed is gone. */
async function expectWhole(): Promise<void> {
  const { fsckCode, fsck, ticks } = await readCountingDisk(host, DISK);
  expect(fsckCode, fsck).toBe(0);
  expect(wrongTicks(ticks, await host.console("pandora"))).toBe(undefined);
}

test("a start: up, and no disk of it is given to anybody else, by whatever name", async () => {
  await host.output(
    `dmsetup create alias --table "0 $(blockdev --getsz ${DISK}) linear ${DISK} 0"`,
  );
  expect(await domus.refused("start pandora")).toContain("/dev/mapper/alias");
  await host.output(
    `set -e
     dmsetup remove alias
     ln ${FILE} /srv/guests/hard.img; ln -s ${FILE} /srv/guests/soft.img
     mkdir /mnt/same; mount --bind /srv/guests /mnt/same`,
  );
  expect(await domus.done("start pandora")).toMatch(/pandora .*(is up|runs)/);
  await nextTick(host, "pandora", { boot: 1, tick: 1 });
  const names = [
    "/dev/mapper/vg0-pandora--disk",
    "/srv/guests/hard.img",
    "/srv/guests/soft.img",
    "/mnt/same/pandora-disk2.img",
  ];
  for (const path of names) {
    await writeTwin("twin", path);
    expect(await domus.refused("start twin"), path).toContain("pandora");
  }
  // A copied config has the uuid of its model: xl takes the two for one guest, and gives the disk.
  await writeTwin("clone", DISK, `uuid = "${UUID}"`);
  expect(await domus.refused("start clone")).toContain("pandora");
  await host.output("umount /mnt/same");
  await host.output(
    "rm /etc/xen/twin.cfg /etc/xen/clone.cfg /srv/guests/hard.img /srv/guests/soft.img",
  );
});

test("images of xl's own: of a guest that went on, cut off, and of one that crashed", async () => {
  await host.output("xl save -c pandora /var/tmp/other", PATIENT);
  await nextTick(host, "pandora", await lastTick(host, "pandora"));
  expect(await domus.refused("restore /var/tmp/other")).toContain("runs");
  await host.output("truncate -s -100000 /var/tmp/other");
  expect(await domus.refused("restore --anyway /var/tmp/other")).toMatch(
    /cut off|not whole|incomplete/,
  );
  await host.output("rm /var/tmp/other");
});

test("the disk that is saved to fills up: the guest goes on, and there is no image", async () => {
  const before = await lastTick(host, "pandora");
  await host.output("mkdir -p /mnt/small && mount -t tmpfs -o size=200m,mode=700 none /mnt/small");
  const fills = { what: "hook", at: 1, of: "save" } as const;
  const { code, text } = await struck("save --to /mnt/small/pandora.xl pandora", {
    ...fills,
    hook: "fallocate -l 150M /mnt/small/filler",
  });
  expect(code, text).toBe(1);
  expect(text).toMatch(/no space|No space|full/);
  expect((await nextTick(host, "pandora", before)).boot).toBe(1);
  expect(await host.output("ls -A /mnt/small")).toBe("filler\n");
  await host.output("umount /mnt/small");
});

test("killed while it saves: the next command puts it in order", async () => {
  const before = await lastTick(host, "pandora");
  // The image is whole, and the guest is paused.
  await struck("save pandora", { what: "caller after", of: "save", at: 1 });
  await domus.done("save pandora");
  expect(await imageFiles()).toHaveLength(1);
  // The domain is built and never ran.
  await struck("restore pandora", { what: "caller after", of: "restore", at: 1 });
  await domus.done("restore pandora");
  expect((await nextTick(host, "pandora", before)).boot).toBe(1);
  // xl alone, with half an image.
  await struck("save pandora", { what: "xl", of: "save", at: 1, delayMs: "grown" });
  expect((await nextTick(host, "pandora", await lastTick(host, "pandora"))).boot).toBe(1);
});

test("renamed, saved and restored: it is the same guest, and nobody else has got its disk meanwhile", async () => {
  await host.output("xl rename pandora panda");
  await domus.done("save pandora");
  const needed = "whose memory image /var/lib/domus/images/";
  await writeTwin("twin", "/dev/mapper/vg0-pandora--disk");
  expect(await domus.refused("start twin")).toContain(needed);
  await host.output("rm /etc/xen/twin.cfg");
  expect(await domus.refused(`sync /etc/hostname ${DISK}`)).toContain(needed);
  await domus.done("restore pandora");
  await host.output("xl shutdown -ww panda", PATIENT);
  await expectWhole();
});

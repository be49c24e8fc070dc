/** Disks as destinations in a real dom0: who uses them there, and thin volumes, which only its kernel has. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { testHost } from "../support/lab.ts";

const KERNEL = "6.1-cloud";
/** The command starts twice, on an emulated processor. */
const PATIENT = { timeoutMs: 600_000 };
/** Of the command, when it refuses for safety. */
const REFUSED = 4;

let host: LabHost;
let dir: string;
let config: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  host = await testHost({ name: "test-users" });
  makeExt4Guest(image, { kernel: KERNEL });
  config = await host.writeGuest({
    name: "pandora",
    memoryMib: 96,
    disks: [{ image }],
    kernel: debianKernel(KERNEL).vmlinuz,
    ramdisk: guestInitramfs(KERNEL),
    config: ['extra = "root=/dev/xvda console=hvc0"'],
  });
  await host.output("head -c 6M /dev/urandom >/root/noise; truncate -s 16M /root/noise");
});

afterAll(async () => {
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Why the command does not write there; line ends do not count. */
async function refusal(destination: string): Promise<string> {
  const { code, stdout, stderr } = await host.run(`domus sync /root/noise ${destination}`, PATIENT);
  expect(code, stderr).toBe(REFUSED);
  return `${stdout}${stderr}`.replaceAll(/\s+/g, " ");
}

test("the disk of a volume group, a volume that is mounted, the disk of a guest that runs", async () => {
  expect(await refusal("/dev/vdb")).toContain("part of volume group vg0");
  await host.output(
    `lvcreate -qqy -L 32m -n data vg0 && mkfs.ext4 -q /dev/vg0/data
     mkdir -p /mnt/data && mount /dev/mapper/vg0-data /mnt/data`,
  );
  expect(await refusal("vg0/data")).toContain("mounted at /mnt/data");
  await host.output("umount /mnt/data");
  const volume = (
    await host.output(`sed -n 's/.*\\(\\/dev\\/vg0\\/[^,]*\\),.*/\\1/p' ${config}`)
  ).trim();
  expect(volume).toMatch(/^\/dev\/vg0\/\S+$/);
  await host.output(`xl create ${config}`);
  expect(await refusal(volume)).toMatch(/disk xvda of domain pandora \((running|paused)\)/);
  // As kpartx does it: the kernel lets both write.
  await host.output(`dmsetup create part --table "0 32768 linear ${volume} 2048"`);
  expect(await refusal("/dev/mapper/part")).toMatch(/built on disk xvda of domain pandora \(/);
  await host.output("dmsetup remove --retry part");
  await host.output("xl destroy pandora");
});

test("a thin volume gives back what becomes zero", async () => {
  await host.output(
    `lvcreate -qqy --type thin-pool -c 64k -L 64m --poolmetadatasize 4m -n pool vg0
     lvcreate -qqy -V 16m --thinpool pool -n thin vg0`,
  );
  /** `0 32768 thin MAPPED HIGHEST`, in sectors. */
  const mappedBytes = async () =>
    512 * Number((await host.output("dmsetup status vg0-thin")).trim().split(" ")[3]);
  await host.output("domus sync /root/noise vg0/thin", PATIENT);
  await host.output("cmp /root/noise /dev/vg0/thin");
  expect(await mappedBytes()).toBe(6 * 1024 ** 2);
  // 58 MiB of the pool are free, as LVM says; 20 are wanted.
  await host.output(
    `sed -e 's/"pandora"/"thinned"/; s/^disk.*/disk = [ "vg0\\/thin,raw,xvda,w" ]/' ${config} > /root/thinned.cfg`,
  );
  const rehearsal = await host.output("domus rehearse --dry-run --also /root thinned", PATIENT);
  expect(rehearsal).toMatch(/--setactivationskip n --activate y\s+vg0\/thin/);
  // Of what is left of it 100 KiB begin and end inside of blocks of the pool.
  await host.output(
    `dd if=/dev/zero of=/root/noise bs=1K seek=30 count=4966 conv=notrunc status=none`,
  );
  await host.output("domus sync /root/noise vg0/thin", PATIENT);
  await host.output("blockdev --flushbufs /dev/vg0/thin; cmp /root/noise /dev/vg0/thin");
  expect(await mappedBytes()).toBeLessThanOrEqual(2 * 1024 ** 2);
});

test("a thin volume of a pool that keeps old bytes is refused", async () => {
  await host.output("lvchange -qq --zero n vg0/pool");
  const { code, stderr } = await host.run("domus sync /root/noise vg0/thin", PATIENT);
  expect(code).not.toBe(0);
  expect(stderr.replaceAll(/\s+/g, " ")).toContain("thin pool that does not zero new blocks");
});

/** The cache of facts against a guest that changes its kernel in every way there is: nothing may go unnoticed. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { FactsCache } from "../../../src/guest/check/facts-cache.ts";
import { MIB } from "../../../src/base/units.ts";
import { factsCache } from "../../../src/guest/check/facts-cache.ts";
import { openFactStore } from "../../../src/host/local/fact-store.ts";
import { ext4Image } from "../../../tools/sample/image.ts";
import { sampleInitramfs } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

/** Of one size, whatever is inside. */
function kernel(release: string): Buffer {
  const bytes = sampleKernel({ release, packing: "gzip", decompressors: [["gzip", true]] });
  return Buffer.concat([bytes, Buffer.alloc(4 * MIB - bytes.length)]);
}

type Counted = FactsCache & { made: string[] };

/** Notes what is read anew, as a run of domus would that finds the files of earlier ones. */
async function nextRun(directory: string): Promise<Counted> {
  const store = await openFactStore(directory);
  if (!store) throw new Error("no store");
  const cache = factsCache(store, "test");
  const made: string[] = [];
  return {
    made,
    facts: (source, inputs, make) =>
      cache.facts(source, inputs, (bytes) => {
        made.push(String(inputs[0]));
        return make(bytes);
      }),
  };
}

test("a kernel that changes in place, under the filesystem or back again is noticed", async () => {
  need("mkfs.ext4", "mount");
  needRoot("loop mounts");
  const dir = scratch();
  const [old, other] = [kernel("4.11.7-1-ARCH"), kernel("4.11.8-1-ARCH")];
  const image = join(dir, "guest.img");
  ext4Image(image, {
    sizeMib: 24,
    uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff",
    tree: {
      "boot/vmlinuz": old,
      "boot/initrd.img": sampleInitramfs({
        generator: "mkinitcpio",
        kernel: "4.11.7-1-ARCH",
        packing: "gzip",
        modules: ["xen_blkfront", "ext4"],
      }),
      "boot/grub/grub.cfg":
        "menuentry 'Arch' {\n linux /boot/vmlinuz root=/dev/xvda console=hvc0\n initrd /boot/initrd.img\n}\n",
      "sbin/init": "sample",
    },
  });
  const config = join(dir, "guest.cfg");
  writeFileSync(
    config,
    `name = "guest"\nmemory = 512\nbootloader = "/usr/bin/pygrub"\ndisk = [ '${image},raw,xvda,w' ]\n`,
  );
  const check = async () => {
    const facts = await nextRun(join(dir, "cache"));
    const ran = await cli(["check", "--json", "--xen", "4.17", config], { facts });
    const { guests } = JSON.parse(ran.stdout) as {
      guests: { plan: { kernel: { version: string } } }[];
    };
    return { version: guests[0]!.plan.kernel.version, made: facts.made, stdout: ran.stdout };
  };

  const first = await check();
  expect(first).toMatchObject({ version: "4.11.7-1-ARCH", made: ["kernel", "initramfs"] });
  const second = await check();
  expect(second.made).toEqual([]);
  expect(second.stdout).toBe(first.stdout);

  // Overwritten in place by the guest's kernel, its time set back.
  writeFileSync(join(dir, "other"), other);
  const mnt = join(dir, "mnt");
  sh(`mkdir ${mnt}; mount -o loop ${image} ${mnt}
    cp -p ${mnt}/boot/vmlinuz ${dir}/before
    dd if=${dir}/other of=${mnt}/boot/vmlinuz conv=notrunc status=none
    touch -r ${dir}/before ${mnt}/boot/vmlinuz
    umount ${mnt}`);
  expect(await check()).toMatchObject({ version: "4.11.8-1-ARCH", made: ["kernel"] });

  // Below the filesystem: no inode, no time, no checksum changes. What was seen before is known again.
  const disk = readFileSync(image);
  const changed = blocksThatDiffer(old, other);
  expect(changed.length).toBeGreaterThan(0);
  for (const at of changed) {
    const place = disk.indexOf(other.subarray(at, at + BLOCK));
    expect(place % BLOCK).toBe(0);
    write(image, old.subarray(at, at + BLOCK), place);
  }
  expect(await check()).toMatchObject({ version: "4.11.7-1-ARCH", made: [] });

  // One byte of it, of the string in its header that says the version.
  const header = old.indexOf("4.11.7-1");
  const block = Math.floor(header / BLOCK) * BLOCK;
  const place = readFileSync(image).indexOf(old.subarray(block, block + BLOCK));
  write(image, Buffer.from("9"), place + header - block + 5);
  expect(await check()).toMatchObject({ version: "4.11.9-1-ARCH", made: ["kernel"] });
}, 60_000);

/** What mkfs gives a filesystem of this size. */
const BLOCK = 1024;

function blocksThatDiffer(one: Buffer, other: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < one.length; at += BLOCK) {
    if (!one.subarray(at, at + BLOCK).equals(other.subarray(at, at + BLOCK))) found.push(at);
  }
  return found;
}

function write(path: string, bytes: Uint8Array, at: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

/**
 * A PV guest that counts on its disk, so that a guest which came back in time shows: a line `BOOT NUMBER` at the end of /ticks
 * and a file beside it, each of them flushed before the console says it. And what its disk says of that, by e2fsprogs in dom0.
 */
import { rmSync, truncateSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { debianKernel, type KernelName } from "../../lab/debian.ts";
import { GUEST_MODULES, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { makeInitramfs } from "../../lab/initramfs.ts";
import { quote } from "../../lab/ssh.ts";
import { sh } from "./need.ts";

export const COUNTING_KERNEL: KernelName = "6.1-cloud";
/** What a save writes and a restore reads. Enough for the kernel and three disks, whose rings take some MiB each. */
export const COUNTING_MEMORY_MIB = 96;
/** Arguments of its kernel: a crash by sysrq is allowed. */
export const COUNTING_ARGS = "root=/dev/xvda console=hvc0 sysrq_always_enabled";

/** The kernel runs /sbin/poweroff and /sbin/reboot when xl asks for it: the disk is unmounted before. */
const INIT = `mkdir -p /sbin
exec < /dev/console > /dev/console 2>&1
for how in poweroff reboot; do
  cat > /sbin/$how << END
#!/bin/busybox sh
export PATH=/bin
touch /stop
while [ ! -e /stopped ]; do usleep 50000; done
exec $how -f
END
  chmod 755 /sbin/$how
done
while [ ! -b /dev/xvda ]; do usleep 50000; done
mount -t ext4 /dev/xvda /mnt || { echo "counting guest: cannot mount its disk"; poweroff -f; }
boot=$(($(cat /mnt/boots 2>/dev/null || echo 0) + 1))
echo $boot > /mnt/boots
mkdir -p /mnt/files /mnt/boot-$boot
# of a boot alone: what another memory knows nothing of
i=0
while [ $i -lt 200 ]; do i=$((i + 1)); echo "letter $i" > /mnt/boot-$boot/$i; done
sync
echo "counting guest: boot $boot"
echo "pandora login:"
n=0
while [ ! -e /stop ]; do
  n=$((n + 1))
  echo "$boot $n" >> /mnt/ticks &&
    echo "$boot $n" > "/mnt/files/$boot-$((n % 100))" &&
    sync &&
    echo "tick $boot $n"
  usleep 200000
done
umount /mnt
touch /stopped
while :; do sleep 1000; done
`;

/** The initramfs with which a guest counts, as a file in `dir`. */
export function countingInitramfs(dir: string, name = COUNTING_KERNEL): string {
  const { root, version } = debianKernel(name);
  const file = join(dir, "counting.initrd");
  const recipe = { kernelRoot: root, version, modules: GUEST_MODULES, init: INIT };
  writeFileSync(file, makeInitramfs(recipe));
  return file;
}

export type CountingFiles = {
  /** Its disk: ext4, with GRUB's configuration, kernel and initramfs for a boot through a bootloader. */
  readonly image: string;
  /** For a boot without one. */
  readonly kernel: string;
  readonly ramdisk: string;
};

/** Makes what a counting guest is made of in `dir`. */
export function countingFiles(dir: string, name = COUNTING_KERNEL): CountingFiles {
  const ramdisk = countingInitramfs(dir, name);
  const image = join(dir, "counting.img");
  makeExt4Guest(image, { kernel: name, initramfs: ramdisk, args: COUNTING_ARGS });
  return { image, kernel: debianKernel(name).vmlinuz, ramdisk };
}

/** A small ext4 disk with nothing of interest on it, as a file in `dir`. */
export function dataDisk(dir: string, name: string, sizeBytes = 8 * 1024 ** 2): string {
  const file = join(dir, `${name}.img`);
  const tree = join(dir, `${name}.tree`);
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, "letter"), "of the first day\n");
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  sh(`mkfs.ext4 -q -F -L ${name} -d '${tree}' '${file}'`);
  rmSync(tree, { recursive: true });
  return file;
}

export type Tick = { readonly boot: number; readonly tick: number };

/** All that the console said it had flushed. */
export function ticksOf(console: string): Tick[] {
  return [...console.matchAll(/^tick (\d+) (\d+)\r?$/gm)].map(([, boot, tick]) => ({
    boot: Number(boot),
    tick: Number(tick),
  }));
}

/** The last one that the console said; `{ boot: 0, tick: 0 }` before the first. */
export async function lastTick(host: LabHost, guest: string): Promise<Tick> {
  return ticksOf(await host.console(guest)).at(-1) ?? { boot: 0, tick: 0 };
}

/** Waits until the guest has counted on beyond `after`, and returns where it is. */
export async function nextTick(
  host: LabHost,
  guest: string,
  after: Tick,
  timeoutMs = 300_000,
): Promise<Tick> {
  const deadline = Date.now() + timeoutMs;
  while (true) {
    // asked first: what a domain said before its end is in the log then
    const { stdout: list, code } = await host.run("xl list -v");
    const text = await host.console(guest);
    const last = ticksOf(text).at(-1) ?? { boot: 0, tick: 0 };
    if (last.boot > after.boot || (last.boot === after.boot && last.tick > after.tick)) return last;
    const isGone = code === 0 && !/^(?!Domain-0)\S/m.test(list.replace(/^.*\n/, ""));
    if (isGone || Date.now() > deadline)
      throw new Error(
        `${guest} does not count on after ${after.boot} ${after.tick}:\n${text.slice(-4000)}\n${list}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

export type DiskTruth = {
  /** e2fsck's exit code after the journal was replayed: 0 is clean. */
  readonly fsckCode: number;
  readonly fsck: string;
  readonly ticks: readonly Tick[];
};

/**
 * What is on a disk that nobody writes to now: a copy of it has its journal replayed and is checked by e2fsck. The disk itself
 * is only read, past dom0's page cache.
 */
export async function readCountingDisk(host: LabHost, path: string): Promise<DiskTruth> {
  const copy = "/var/tmp/counting-disk";
  const { stdout } = await host.run(
    `dd if=${quote(path)} of=${copy} bs=1M iflag=direct conv=sparse status=none || exit 1
     e2fsck -E journal_only -y ${copy} > /dev/null 2>&1
     debugfs -R 'cat /ticks' ${copy} 2> /dev/null
     echo ---
     e2fsck -fn ${copy} 2>&1
     echo "code $?"
     rm -f ${copy}`,
    { timeoutMs: 300_000 },
  );
  const [lines = "", fsck = ""] = stdout.split("---\n");
  const code = /^code (\d+)$/m.exec(fsck)?.[1];
  if (code === undefined) throw new Error(`${path} cannot be looked at:\n${stdout}`);
  const ticks = [...lines.matchAll(/^(\d+) (\d+)$/gm)].map(([, boot, tick]) => ({
    boot: Number(boot),
    tick: Number(tick),
  }));
  return { fsckCode: Number(code), fsck, ticks };
}

/**
 * What is wrong with the ticks of a disk: a guest counts on, or boots anew and begins with 1; and all that its console said to
 * be flushed is there.
 */
export function wrongTicks(onDisk: readonly Tick[], console: string): string | undefined {
  let before: Tick = { boot: 0, tick: 0 };
  for (const one of onDisk) {
    const counts = one.boot === before.boot && one.tick === before.tick + 1;
    const boots = one.boot > before.boot && one.tick === 1;
    if (!counts && !boots)
      return `after ${before.boot} ${before.tick} comes ${one.boot} ${one.tick}`;
    before = one;
  }
  const key = ({ boot, tick }: Tick) => `${boot} ${tick}`;
  const there = new Set(onDisk.map(key));
  const lost = ticksOf(console).find((one) => !there.has(key(one)));
  return lost && `${key(lost)} was flushed and is not on the disk`;
}

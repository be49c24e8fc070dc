/**
 * `domus-pygrub` on real Xen: guests reach their own userland through it, from every kind of disk, also those that die
 * with Xen's own pygrub. How it does that is tested in test/real/pygrub.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest, reached } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import type { LabRelease } from "../../lab/releases.ts";
import { formatWaitingList } from "../../src/xen/waiting-list.ts";
import { ext4Image } from "../../tools/sample/image.ts";
import { kernelWithoutZstd } from "../support/boot-probe.ts";
import { GUEST_DISKS, GUEST_KERNEL } from "../support/guest-disks.ts";
import { testHost } from "../support/lab.ts";
import { need, sh } from "../support/need.ts";
import {
  bootloaderLog,
  create,
  diskDigest,
  imageDigest,
  leftOvers,
  writePygrubGuest,
  writeStockTwin,
} from "../support/pygrub-guests.ts";

const MIB = 1 << 20;

let host: LabHost;
let dir: string;

function onHost(release: LabRelease): void {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
    host = await testHost({ name: `test-pygrub-${release}`, release });
  });
  afterAll(async () => {
    await host.remove();
    rmSync(dir, { recursive: true, force: true });
  });
}

/** Where the guest's disk is made; the guest ends with the test. */
function imageOf(guest: string): string {
  onTestFinished(async () => {
    await host.run(`xl destroy ${guest}`);
  });
  return join(dir, `${guest}.img`);
}

describe("on Xen 4.17", () => {
  onHost("bookworm");
  const { version } = debianKernel(GUEST_KERNEL);

  test.each(GUEST_DISKS.map((disk, index) => ({ ...disk, guest: `disk${index}` })))(
    "a guest starts from $name",
    async ({ guest, root, make }) => {
      const image = imageOf(guest);
      await make(image);
      const disks = [{ image, as: root === "/dev/xvda" ? "volume" : "file" } as const];
      const config = await writePygrubGuest(host, { name: guest, disks });
      const ran = await create(host, config);
      expect(ran.code, ran.stderr).toBe(0);
      await host.waitForConsole(guest, /userland reached/);
      expect(await host.console(guest)).toContain(reached(root, version));
      expect(await bootloaderLog(host)).toMatch(
        new RegExp(`^domus-pygrub: starts "Debian GNU/Linux, with Linux ${version}" \\(grub2: `),
      );
    },
  );

  test("the menu answers on the guest's console, and starts the entry that was chosen", async () => {
    const image = imageOf("menu");
    const boot = `/boot/vmlinuz-${version}`;
    const entry = (title: string, root: string) =>
      `menuentry '${title}' {\n linux ${boot} root=${root} console=hvc0\n initrd /boot/initrd.img-${version}\n}\n`;
    const grub = `set default=0\nset timeout=600\n${entry("first", "/dev/nowhere")}${entry("second", "/dev/xvda")}`;
    makeExt4Guest(image, { kernel: GUEST_KERNEL, grub });
    const config = await writePygrubGuest(host, { name: "menu", disks: [{ image }] });
    await host.output(`xl create ${config} > /root/menu.out 2>&1 < /dev/null &`);
    // The pty that `xl console` would open. In libxl's log there is nothing before it has some KiB.
    const tty = "$(xenstore-read /local/domain/$(xl domid menu)/console/tty)";
    await host.output(
      `for i in $(seq 600); do [ -c "${tty}" ] && break; sleep 0.5; done 2> /dev/null
       cat "${tty}" > /root/screen 2> /dev/null < /dev/null &
       for i in $(seq 600); do grep -q second /root/screen && exit; sleep 0.5; done; cat /root/menu.out; exit 1`,
      { timeoutMs: 900_000 },
    );
    expect(await host.output("cat /root/screen")).toMatch(/first[^]*second/);
    // Down, Enter.
    await host.output(`printf '\\033[B\\r' > ${tty}`);
    await host.waitForConsole("menu", /userland reached/);
    expect(await host.console("menu")).toContain(reached("/dev/xvda", version));
    expect(await bootloaderLog(host)).toContain('domus-pygrub: starts "second" (grub2: it was');
  });

  test("without rights when libxl is told so, at the first boot and when the guest reboots", async () => {
    const image = imageOf("again");
    makeExt4Guest(image, { kernel: GUEST_KERNEL });
    const config = await writePygrubGuest(host, { name: "again", disks: [{ image }] });
    const env = "LIBXL_BOOTLOADER_RESTRICT=1 LIBXL_BOOTLOADER_USER=nobody";
    const ran = await create(host, config, env);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toMatch(/bootloader arg: --runas=65534\n/);
    await host.waitForConsole("again", /userland reached/);
    const first = Number(await host.output("xl domid again"));
    await host.output("xl reboot again");
    await host.waitForConsole("again", /(userland reached[^]*){2}/, 300_000);
    const second = Number(await host.output("xl domid again"));
    expect(second).toBeGreaterThan(first);
    expect(await host.output(`cat /var/log/xen/bootloader.${second}.log`)).toContain(
      'domus-pygrub: starts "',
    );
    expect(await host.output("cat /var/log/xen/xl-again.log")).toContain("--runas=65534\n");
  });

  test("an initramfs that its kernel cannot unpack: pygrub's guest dies, ours starts", async () => {
    need("zstd");
    const image = imageOf("zstd");
    const initramfs = join(dir, "initrd.zst");
    writeFileSync(initramfs, sh(`gzip -dc ${guestInitramfs(GUEST_KERNEL)} | zstd -q`));
    const vmlinuz = kernelWithoutZstd("zstd-off", dir, GUEST_KERNEL);
    const args = "root=/dev/xvda rootflags=ro console=hvc0";
    makeExt4Guest(image, { kernel: GUEST_KERNEL, vmlinuz, initramfs, args }, 96 * MIB);
    const disks = [{ image }];
    const config = await writePygrubGuest(host, { name: "zstd", disks, memoryMib: 256 });
    const died = await create(host, await writeStockTwin(host, "zstd"));
    expect(died.code, died.stderr).toBe(0);
    await host.waitForConsole(
      "zstd-stock",
      /Kernel panic - not syncing: VFS: Unable to mount root/,
    );
    expect(await host.console("zstd-stock")).toContain("compression method zstd not configured");
    await host.run("xl destroy zstd-stock");

    const ran = await create(host, config);
    expect(ran.code, ran.stderr).toBe(0);
    await host.waitForConsole("zstd", /userland reached/);
    expect(await host.console("zstd")).toContain(reached("/dev/xvda", version));
    const log = await bootloaderLog(host);
    expect(log).toMatch(
      /is compressed with zstd, which the kernel \S+ cannot unpack\. Xen gets it repacked\./,
    );
    expect(log).toContain("For good, in the guest:");
    await host.output("xl destroy zstd");
    expect(await diskDigest(host, "zstd", image), "the guest's disk").toBe(imageDigest(image));
  });

  test("a disk with nothing to start fails at once, and says why", async () => {
    const image = imageOf("empty");
    const uuid = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b0";
    ext4Image(image, { sizeMib: 16, uuid, tree: { "etc/hostname": "empty\n" } });
    const config = await writePygrubGuest(host, { name: "empty", disks: [{ image }] });
    const ran = await create(host, config);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/bootloader failed|bootloader .* exited with error exit status 1/);
    expect((await host.run("xl domid empty")).code).not.toBe(0);
    expect(await bootloaderLog(host)).toContain(
      "domus-pygrub: found nothing to start on /dev/vg0/empty-disk.\n  xvda > ext4: no loader configuration\n",
    );
  });

  test("a guest for which a save image waits is not started, or with a warning where the host wants that", async () => {
    const image = imageOf("waits");
    makeExt4Guest(image, { kernel: GUEST_KERNEL });
    const config = await writePygrubGuest(host, { name: "waits", disks: [{ image }] });
    onTestFinished(async () => {
      await host.run("rm -f /var/lib/domus/waiting.json /etc/domus/pygrub.conf");
    });
    const waitsOn = async (...disks: string[]) => {
      const saved = { guest: "waits", uuid: "u", image: "/root/waits.xl", savedAtMs: 0 };
      const list = formatWaitingList([{ ...saved, disks: disks.map((path) => ({ path })) }]);
      await host.output("mkdir -p /var/lib/domus && cat > /var/lib/domus/waiting.json", {
        input: list,
      });
    };
    // By another name of its disk; and by the domain, as for a disk that libxl attaches to dom0 first.
    for (const disks of [[(await host.output("readlink -f /dev/vg0/waits-disk")).trim()], []]) {
      await waitsOn(...disks);
      const refused = await create(host, config);
      expect(refused.code, refused.stderr).not.toBe(0);
      expect(refused.stderr).toMatch(/bootloader failed - consult logfile \S+/);
      expect(await bootloaderLog(host)).toMatch(
        /^domus-pygrub: not started: waits was saved on 1970-01-01 00:00 UTC.*\/root\/waits\.xl/,
      );
    }
    await host.output("mkdir -p /etc/domus && echo waiting-image=warn > /etc/domus/pygrub.conf");
    const warned = await create(host, config);
    expect(warned.code, warned.stderr).toBe(0);
    expect(await bootloaderLog(host)).toMatch(
      /^domus-pygrub: started all the same \(waiting-image=warn\): waits was saved/,
    );
  });

  test("no bootloader has left a file in dom0", async () => {
    expect(await leftOvers(host)).toBe("");
  });
});

describe("on Xen 4.14", () => {
  onHost("bullseye");

  test("a kernel that this Xen cannot unpack: pygrub's guest dies, ours starts", async () => {
    const kernel = "6.12";
    const { version } = debianKernel(kernel);
    const image = imageOf("new");
    makeExt4Guest(image, { kernel, args: "root=/dev/xvda rootflags=ro console=hvc0" });
    const disks = [{ image }];
    const config = await writePygrubGuest(host, { name: "new", disks, memoryMib: 256 });
    const died = await create(host, await writeStockTwin(host, "new"));
    expect(died.code).not.toBe(0);
    expect(died.stderr).toContain("xc_dom_probe_bzimage_kernel: unknown compression format");
    expect(died.stderr).toContain("xc_dom_find_loader: no loader found");

    const ran = await create(host, config);
    expect(ran.code, ran.stderr).toBe(0);
    await host.waitForConsole("new", /userland reached/);
    expect(await host.console("new")).toContain(reached("/dev/xvda", version));
    const log = await bootloaderLog(host);
    expect(log).toContain(
      `Xen 4.14 cannot unpack the kernel /boot/vmlinuz-${version}, which is packed with zstd.`,
    );
    expect(log).toContain("For good: a newer Xen in dom0, or a kernel");
    expect(await leftOvers(host)).toBe("");
    await host.output("xl destroy new");
    expect(await diskDigest(host, "new", image), "the guest's disk").toBe(imageDigest(image));
  });
});

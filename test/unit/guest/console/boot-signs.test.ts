import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BootSigns } from "../../../../src/guest/console/boot-signs.ts";
import { ConsoleLines } from "../../../../src/guest/console/console-lines.ts";

/** What is made of all that a guest said. */
function heard(text: string): BootSigns {
  const console = new ConsoleLines();
  const signs = new BootSigns();
  for (const line of console.feed(Buffer.from(text))) signs.take(line);
  signs.takePrompt(console.rest);
  return signs;
}

const KERNEL = "[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)\r\n";
const MOUNTED =
  "[    2.5] EXT4-fs (xvda1): mounted filesystem with ordered data mode. Quota mode: none.\r\n";

describe("a guest that is up", () => {
  test.each([
    [
      "a login on Debian",
      "\r\nDebian GNU/Linux 12 web1 hvc0\r\n\r\nweb1 login: ",
      "asks for a login",
    ],
    [
      "with a message of the kernel behind it",
      "web1 login: [  12.345678] random: crng init done",
      "login",
    ],
    ["and its end", "web1 login: [  12.345678] random: crng init done\r\n[ 13.1] x", "login"],
    ["NetBSD", "\r\nNetBSD/amd64 (web1) (console)\r\n\r\nlogin: ", "login"],
    [
      "systemd before 250",
      "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mMulti-User System\x1b[0m.\r\n",
      "systemd",
    ],
    [
      "systemd since 250",
      "[  OK  ] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User System.\r\n",
      "systemd",
    ],
    ["systemd with a desktop", "[  OK  ] Reached target Graphical Interface.\r\n", "systemd"],
    [
      "cloud-init",
      "Cloud-init v. 22.4.2 finished at Sat, 21 Nov 2026 12:00:00 +0000. Up 12 seconds\r\n",
      "cloud-init",
    ],
    ["sysvinit", "INIT: Entering runlevel: 2\r\n", "runlevel 2"],
    [
      "Alpine",
      "\r\nWelcome to Alpine Linux 3.18\r\nKernel 6.1.0 on an x86_64 (/dev/hvc0)\r\n\r\n",
      "login",
    ],
    ["somebody logged in at once", "root@rescue:~# ", "shell"],
    ["the same, on Red Hat", "[root@rescue ~]# ", "shell"],
    ["a shell on a root filesystem", `${KERNEL}${MOUNTED}/ # \x1b[6n`, "root filesystem"],
  ])("%s", (_, text, reason) => {
    expect(heard(text).sign).toEqual({
      kind: "up",
      reason: expect.stringContaining(reason) as string,
    });
  });
});

describe("a guest that failed", () => {
  test.each([
    [
      "no root filesystem",
      `${KERNEL}[    8.1] VFS: Cannot open root device "xvda1" or unknown-block(0,0): error -6\r\n[    8.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n`,
      'the kernel panicked: VFS: Unable to mount root fs on unknown-block(0,0) (before that: VFS: Cannot open root device "xvda1" or unknown-block(0,0): error -6)',
    ],
    [
      "its init died",
      "[ 3.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n",
      "Attempted to kill init",
    ],
    [
      "an old kernel",
      "Kernel panic: VFS: Unable to mount root fs on 08:01\r\n",
      "Unable to mount root fs",
    ],
    [
      "initramfs-tools without a root",
      "Begin: Waiting for root file system ... done.\r\nGave up waiting for root file system device.  Common problems:\r\n - Boot args (cat /proc/cmdline)\r\nALERT!  UUID=0d0e0a0c does not exist.  Dropping to a shell!\r\n",
      "UUID=0d0e0a0c does not exist",
    ],
    [
      "its shell",
      "BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)\r\nEnter 'help' for a list of built-in commands.\r\n\r\n(initramfs) \x1b[6n",
      "shell of its initramfs",
    ],
    ["a damaged root", "The root filesystem on /dev/xvda1 requires a manual fsck\r\n", "damaged"],
    [
      "dracut",
      'dracut-initqueue[268]: Warning: /dev/disk/by-uuid/1-2 does not exist\r\n\r\nGenerating "/run/initramfs/rdsosreport.txt"\r\n\r\n\r\nEntering emergency mode. Exit the shell to continue.\r\n',
      "by-uuid/1-2 does not exist",
    ],
    [
      "mkinitcpio",
      "ERROR: device 'UUID=1-2' not found. Skipping fsck.\r\n:: mounting 'UUID=1-2' on real root\r\nmount: /new_root: can't find UUID=1-2.\r\nYou are now being dropped into an emergency shell.\r\n",
      "UUID=1-2' not found",
    ],
    [
      "its shell, again",
      "sh: can't access tty; job control turned off\r\n[rootfs ~]# ",
      "initramfs",
    ],
    [
      "Alpine",
      "Mounting root: failed. \r\ninitramfs emergency recovery shell launched. Type 'exit' to continue boot\r\n/ # ",
      "emergency shell",
    ],
    [
      "genkernel",
      "!! Could not find the root block device in UUID=1-2.\r\n!! Please specify another value or:\r\n",
      "UUID=1-2",
    ],
    [
      "systemd's emergency mode",
      '[FAILED] Failed to mount \x1b[0;1;39m/srv\x1b[0m.\r\n[DEPEND] Dependency failed for Local File Systems.\r\nYou are in emergency mode. After logging in, type "journalctl -xb" to view\r\n',
      "emergency mode (before that: [FAILED] Failed to mount /srv.)",
    ],
    [
      "a password for repairs",
      "Give root password for maintenance\r\n(or press Control-D to continue): ",
      "waits for a person",
    ],
    ["the same, cut", "Press Enter for maintenance", "waits for a person"],
    [
      "nobody may log in",
      "Cannot open access to console, the root account is locked.\r\n",
      "root has no password",
    ],
    [
      "GRUB without a menu",
      "\x1b[2J\x1b[1;1H   GNU GRUB  version 2.06\r\n\r\n   Minimal BASH-like line editing is supported.\x1b[5;1Hgrub> ",
      "GRUB found no menu",
    ],
    ["pvgrub", "grubdom> ", "GRUB found no menu"],
    [
      "GRUB without its files",
      "error: no such partition.\r\nEntering rescue mode...\r\ngrub rescue> ",
      "rescue prompt (before that: error: no such partition.)",
    ],
    [
      "legacy GRUB",
      "  Booting 'Debian'\r\n\r\nroot (hd0,0)\r\n\r\nError 17: Cannot mount selected partition\r\n",
      "Cannot mount selected partition",
    ],
    [
      "no boot disk",
      "Booting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n",
      "no bootable disk",
    ],
  ])("%s", (_, text, reason) => {
    const { sign } = heard(text);
    expect(sign).toEqual({ kind: "failed", reason: expect.stringContaining(reason) as string });
  });
});

describe("nothing yet", () => {
  test.each([
    ["a word about logins", "Last login: Sat Nov 21 on tty1\r\n"],
    ["a service for logins", "[  OK  ] Started User Login Management.\r\n"],
    ["a target on the way", "[  OK  ] Reached target Local File Systems.\r\n"],
    ["a file of that name", "login: file not found\r\n"],
    ["an argument of a shell", "make menuconfig #"],
    ["half of a line", "Kernel panic - not syncing: VF"],
    ["half of a prompt", "web1 log"],
    ["its own initramfs", "Welcome to Fedora Linux 39 dracut-059 (Initramfs)!\r\n"],
    ["GRUB's menu", "\x1b[2J\x1b[1;1HGNU GRUB  version 2.06\x1b[4;2H*Debian GNU/Linux\x1b[22;4H"],
    ["nothing", ""],
  ])("%s", (_, text) => {
    expect(heard(text).sign).toBeUndefined();
  });

  test("a shell that may be an initramfs's", () => {
    expect(heard(`${KERNEL}[ 1.2] Run /init as init process\r\n/ # `).sign?.kind).toBe("unclear");
    expect(heard("# ").sign?.kind).toBe("unclear");
  });

  test("how far it has come", () => {
    expect(heard("").stage).toBe("nothing");
    expect(heard("SeaBIOS (version 1.16.2)\r\n").stage).toBe("loader");
    expect(heard(KERNEL).stage).toBe("kernel");
    const debian = `${KERNEL}${MOUNTED}Begin: Running /scripts/local-bottom ... done.\r\n`;
    expect(heard(debian).stage).toBe("system");
    expect(heard(`${debian}${KERNEL}`).stage).toBe("kernel");
  });
});

test("what came first stays", () => {
  expect(heard(`Kernel panic - not syncing: a\r\nweb1 login: `).sign?.kind).toBe("failed");
});

describe("real consoles of guests that did not start", () => {
  const directory = join(import.meta.dirname, "../../../corpus/console");
  const files = readdirSync(directory).filter((name) => name.endsWith(".txt"));

  test.each(files)("%s", (file) => {
    const text = readFileSync(join(directory, file), "utf8");
    const { sign } = heard(text);
    const panicked = /Kernel panic - not syncing/.test(text);
    expect(sign?.kind).toBe(panicked ? "failed" : undefined);
  });
});

test("a guest that floods its console costs little more than its bytes", () => {
  const hostile = [
    `ALERT!${" ".repeat(900)}\n`,
    `${"ALERT! ".repeat(140)}\n`,
    `${"dracut".repeat(160)}\n`,
    `Reached target ${"Reached target ".repeat(60)}\n`,
    `[FAILED] ${"[FAILED] ".repeat(100)}\n`,
    `${"Mounting root".repeat(70)}\n`,
    "web1@web1:".repeat(90),
    "\n".repeat(1000),
    "a\n".repeat(500),
  ];
  for (const one of hostile) {
    const signs = heard(one.repeat(200));
    expect(signs.sign).toBeUndefined();
  }
});

/** Who uses loop devices and files on this machine. */
import { spawn, spawnSync } from "node:child_process";
import { linkSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findDeviceUsers, sameDevice } from "../../../src/host/local/device-users.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

needRoot("loop devices and mounts");
need("losetup", "mkfs.ext4", "mkswap", "sfdisk", "partx", "swapon");

async function usersOf(path: string): Promise<string[]> {
  const users = await findDeviceUsers(localHost(), path);
  return users.map(({ kind, what, writes }) => `${kind}: ${what}${writes ? "" : " (only reads)"}`);
}

function loopOf(path: string, options = ""): string {
  const device = sh(`losetup ${options} --find --show ${path}`).toString().trim();
  onTestFinished(() => void spawnSync("losetup", ["-d", device]));
  return device;
}

function mount(device: string, place: string, options = "rw"): void {
  sh(`mkdir -p '${place}' && mount -o ${options} ${device} '${place}'`);
  onTestFinished(() => void spawnSync("umount", [place]));
}

function emptyFile(dir: string, name = "disk.img"): string {
  const path = join(dir, name);
  sh(`truncate -s 16M '${path}'`);
  return path;
}

/** A process that has the file open until the test ends. */
async function holder(path: string, mode: "<" | "<>"): Promise<number> {
  const child = spawn("bash", ["-c", `exec 7${mode}"$0"; echo open; read`, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.stdin.end();
    await gone;
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child.pid!;
}

describe("a file", () => {
  test("that nobody uses has no users, also when this process has it open", async () => {
    expect(await usersOf(emptyFile(scratch()))).toEqual([]);
  });

  test("behind a loop device is used by that, and by who mounts it; all names of it are one", async () => {
    const dir = scratch();
    const path = emptyFile(dir);
    sh(`mkfs.ext4 -q ${path}`);
    linkSync(path, join(dir, "other.img"));
    symlinkSync(path, join(dir, "link.img"));
    const device = loopOf(path);
    mount(device, join(dir, "a place"));
    const expected = [`mount: mounted at ${dir}/a place (${device})`, `loop: behind ${device}`];
    for (const name of ["disk.img", "other.img", "link.img"])
      expect(await usersOf(join(dir, name))).toEqual(expected);
    const itself = [`mount: mounted at ${dir}/a place`];
    expect(await usersOf(device)).toEqual(itself);
    const pid = await holder(path, "<");
    const process = `process: open in bash (process ${pid}) (only reads)`;
    expect(await usersOf(device)).toEqual([...itself, process]);
    expect(await usersOf(join(dir, "link.img"))).toEqual([...expected, process]);
  });

  test("that a process has open is used by it, to write or only to read", async () => {
    const dir = scratch();
    const path = emptyFile(dir);
    const reader = await holder(path, "<");
    expect(await usersOf(path)).toEqual([`process: open in bash (process ${reader}) (only reads)`]);
    const writer = await holder(path, "<>");
    expect((await usersOf(path)).toSorted()).toEqual(
      [
        `process: open in bash (process ${reader}) (only reads)`,
        `process: open in bash (process ${writer})`,
      ].toSorted(),
    );
    writeFileSync(join(dir, "other"), "");
    expect(await usersOf(join(dir, "other"))).toEqual([]);
  });
});

describe("a device", () => {
  test("is used by a mount that only reads, and not when that is over", async () => {
    const dir = scratch();
    const path = emptyFile(dir);
    sh(`mkfs.ext4 -q ${path}`);
    const device = loopOf(path);
    expect(await usersOf(device)).toEqual([]);
    mount(device, join(dir, "at"), "ro");
    sh(`ln -s ${device} ${dir}/name`);
    const expected = [`mount: mounted at ${dir}/at (only reads)`];
    expect(await usersOf(device)).toEqual(expected);
    expect(await usersOf(join(dir, "name"))).toEqual(expected);
    sh(`mknod ${dir}/node b $(stat -c '0x%t 0x%T' ${device})`);
    expect(await usersOf(join(dir, "node"))).toEqual(expected);
    sh(`umount ${dir}/at`);
    expect(await usersOf(device)).toEqual([]);
  });

  test("is used by what is done with its partitions, and a partition by what is done with the disk", async () => {
    const dir = scratch();
    const path = emptyFile(dir);
    sh(`printf '2048,8192\\n10240,8192\\n' | sfdisk --quiet ${path}`);
    const device = loopOf(path, "--partscan");
    // Kernels that know no partition tables take them from partx.
    sh(`partx --update ${device}`);
    const [one, two] = [`${device}p1`, `${device}p2`];
    sh(`mkfs.ext4 -q ${one}`);
    mount(one, join(dir, "at"));
    expect(await usersOf(device)).toEqual([`mount: mounted at ${dir}/at (${one})`]);
    expect(await usersOf(one)).toEqual([`mount: mounted at ${dir}/at`]);
    expect(await usersOf(two)).toEqual([]);
    expect(await usersOf(path)).toEqual([
      `mount: mounted at ${dir}/at (${one})`,
      `loop: behind ${device}`,
    ]);
    const pid = await holder(device, "<>");
    expect(await usersOf(two)).toEqual([`process: open in bash (process ${pid})`]);
    expect(await sameDevice(device, two)).toBe(true);
    expect(await sameDevice(two, path)).toBe(true);
    expect(await sameDevice(one, two)).toBe(false);
  });

  test("is used as swap space", async () => {
    const device = loopOf(emptyFile(scratch()));
    sh(`mkswap ${device} && swapon ${device}`);
    try {
      expect(await usersOf(device)).toEqual([`swap: swap space (${basename(device)})`]);
    } finally {
      sh(`swapoff ${device}`);
    }
  });

  test("is the same as another name of it, as what is behind it, and no other", async () => {
    const dir = scratch();
    const path = emptyFile(dir);
    const [a, b] = [loopOf(path), loopOf(emptyFile(dir, "other.img"))];
    linkSync(path, join(dir, "hard.img"));
    for (const [one, other] of [
      [a, a],
      [a, path],
      [join(dir, "hard.img"), a],
      [path, join(dir, "hard.img")],
    ])
      expect(await sameDevice(one!, other!)).toBe(true);
    expect(await sameDevice(a, b)).toBe(false);
    expect(await sameDevice(a, join(dir, "other.img"))).toBe(false);
    expect(await sameDevice(a, join(dir, "nothing"))).toBe(false);
  });
});

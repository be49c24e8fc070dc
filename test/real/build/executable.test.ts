/** The one executable, in a bare Debian 12 that has no Node.js: what an admin copies to a dom0. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cacheDir, mirror } from "../../../lab/debian.ts";
import { makeSampleHost } from "../../../tools/sample/host.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { pygrubCliTests } from "../../support/pygrub-cli.ts";
import { ext4, THREE, tree } from "../../support/pygrub-images.ts";
import { startSshd } from "../../support/sshd.ts";

const ROOT = join(import.meta.dirname, "../../..");
let chroot: string;

/** debootstrap's minimal system, made once. */
function bareDebian(): string {
  const dir = join(cacheDir("chroot"), "bookworm");
  if (!existsSync(dir)) {
    const work = `${dir}.${process.pid}`;
    execFileSync("debootstrap", ["--variant=minbase", "bookworm", work, mirror()], {
      stdio: "pipe",
      maxBuffer: 1 << 26,
    });
    renameSync(work, dir);
  }
  return dir;
}

beforeAll(() => {
  need("debootstrap", "mkfs.ext4", "sfdisk", "mkswap");
  needRoot("chroot");
  execFileSync(process.execPath, [join(ROOT, "tools/build.ts")], { stdio: "pipe" });
  chroot = mkdtempSync(join(tmpdir(), "domus-chroot-"));
  sh(`cp -a ${bareDebian()}/. ${chroot}/`);
  cpSync(join(ROOT, "dist/domus"), join(chroot, "usr/bin/domus"));
  symlinkSync("domus", join(chroot, "usr/bin/domus-pygrub"));
  makeSampleHost(join(chroot, "srv/sample"));
});

afterAll(() => rmSync(chroot, { recursive: true, force: true }));

function inChroot(...argv: string[]) {
  return spawnSync("chroot", [chroot, ...argv], {
    encoding: "utf8",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
}

test("there is no Node.js in there", () => {
  expect(inChroot("/bin/sh", "-c", "command -v node").status).not.toBe(0);
});

test("it starts, and checks the sample host", () => {
  expect(inChroot("domus", "--version")).toMatchObject({ status: 0, stdout: "0.1.0\n" });
  const checked = inChroot("domus", "check", "--root", "/srv/sample", "pandora");
  expect(checked.status).toBe(3);
  expect(checked.stdout).toMatch(/^pandora will not boot on Xen 4\.14\.6\.\n/);
  const all = inChroot("domus", "check", "--json", "--root", "/srv/sample");
  expect((JSON.parse(all.stdout) as { guests: unknown[] }).guests).toHaveLength(6);
});

test("called domus-pygrub it starts a guest, also without rights", () => {
  const image = ext4(tree({ "/boot/grub/grub.cfg": THREE }));
  cpSync(image, join(chroot, "srv/guest.img"));
  for (const more of [[], ["--runas=65534"]]) {
    const files = `/srv/d${more.length}`;
    mkdirSync(join(chroot, files));
    const ran = inChroot(
      "domus-pygrub",
      "-q",
      ...more,
      "--output-format=simple",
      `--output-directory=${files}`,
      "/srv/guest.img",
    );
    expect(ran.status, ran.stderr).toBe(0);
    const lines = ran.stdout.split("\n");
    expect(lines[2]).toBe("args root=/dev/xvda1 ro");
    const kernel = lines[0]!.replace("kernel ", "");
    expect(readFileSync(join(chroot, kernel), "utf8")).toBe("/boot/vmlinuz-1");
  }
});

test("preparing a boot loads no module of Node.js that takes long and that it does without", () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-modules-"));
  try {
    const list = join(dir, "list.cjs");
    writeFileSync(
      list,
      `process.on("exit", () => process._rawDebug(process.moduleLoadList.join("\\n")))`,
    );
    const image = ext4(tree({ "/boot/grub/grub.cfg": THREE }));
    const bundle = join(ROOT, "dist/domus-pygrub.cjs");
    const args = ["-r", list, bundle, "-q", `--output-directory=${dir}`, image];
    const ran = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(ran.status, ran.stderr).toBe(0);
    const loaded = ran.stderr.split("\n");
    expect(loaded).toContain("NativeModule fs");
    for (const name of ["zlib", "crypto", "fs/promises", "stream", "child_process", "tty"]) {
      expect(loaded).not.toContain(`NativeModule ${name}`);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe("dist/domus-pygrub", () => {
  pygrubCliTests(() => ({ argv: [join(ROOT, "dist/domus-pygrub")] }));
});

test("every page of a finding is inside", () => {
  const { status, stdout } = inChroot("domus", "explain", "initramfs-compression");
  expect(status).toBe(0);
  expect(stdout).toMatch(/What it means/);
});

test("an unprivileged user gets a reason, not a stack trace", () => {
  const asNobody = () =>
    inChroot("/bin/su", "nobody", "-s", "/bin/sh", "-c", "domus disk parts /srv/locked.img");
  expect(asNobody().status).toBe(1);
  const locked = inChroot(
    "/bin/sh",
    "-c",
    "truncate -s 8M /srv/locked.img && chmod 600 /srv/locked.img",
  );
  expect(locked.status).toBe(0);
  const denied = asNobody();
  expect(denied.stderr).toMatch(/not-permitted/);
  expect(denied.stderr).not.toMatch(/at .*\.cjs/);
});

test("a host without domus gets it for the time of a copy", async () => {
  const dir = scratch();
  const { ssh } = await startSshd(dir, { banner: "Welcome.\n" });
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  writeFileSync(a, Buffer.alloc(3_000_001, "domus"));
  const before = new Set(readdirSync("/var/tmp"));
  const argv = ["sync", "--ssh", ssh, "--far-domus", "nosuchdomus", "--bootstrap", a, `far:${b}`];
  const ran = spawnSync(join(ROOT, "dist/domus"), argv, { encoding: "utf8" });
  expect(ran).toMatchObject({ status: 0, stdout: expect.stringContaining("is equal to") });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  const isLeft = (name: string) =>
    !before.has(name) && name.startsWith("domus-") && existsSync(`/var/tmp/${name}/domus`);
  // The far shell takes it away after the copy; nobody has to wait for that.
  await expect.poll(() => readdirSync("/var/tmp").filter(isLeft), { timeout: 60_000 }).toEqual([]);
});

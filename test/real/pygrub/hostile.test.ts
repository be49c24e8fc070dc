/**
 * Disks that tenants have damaged on purpose, users who interrupt, directories that are full: domus-pygrub ends with an
 * error, leaves no file, and opens nothing outside its output directory for writing.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheDir } from "../../../lab/debian.ts";
import { domusPygrub } from "../../support/domus-pygrub.ts";
import { randomSource } from "../../support/mutate.ts";
import { need, scratch, sh } from "../../support/need.ts";

const MAIN = join(import.meta.dirname, "../../../src/pygrub/main.ts");
const NOBODY = 65534;

let good: string;

beforeAll(() => {
  need("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "sfdisk", "strace", "mkfs.vfat");
  const dir = cacheDir("pygrub-hostile");
  const tree = join(dir, "tree");
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, "boot/grub"), { recursive: true });
  const kernel = Buffer.alloc(3_000_000, "kernel");
  writeFileSync(join(tree, "boot/vmlinuz"), kernel);
  writeFileSync(join(tree, "boot/initrd.img"), Buffer.alloc(20_000_000, "initrd"));
  writeFileSync(
    join(tree, "boot/grub/grub.cfg"),
    "set timeout=0\nmenuentry 'Linux' {\n linux /boot/vmlinuz root=/dev/xvda1 ro\n initrd /boot/initrd.img\n}\n",
  );
  good = join(dir, "good.img");
  sh(
    `rm -f ${good}; truncate -s 64M ${good}; mkfs.ext4 -q -O sparse_super2 -E num_backup_sb=0 -d ${tree} ${good}`,
  );
});

/** The image with bytes of it changed. */
function damaged(change: (bytes: Buffer) => void): string {
  const image = join(scratch(), "hostile.img");
  const bytes = readFileSync(good);
  change(bytes);
  writeFileSync(image, bytes);
  return image;
}

/** The superblock of ext4 begins at byte 1024. */
const SUPERBLOCK = 1024;

const HOSTILE: Readonly<Record<string, () => string>> = {
  "s_log_block_size 31": () => damaged((bytes) => bytes.writeUInt32LE(31, SUPERBLOCK + 24)),
  "s_inode_size 0": () => damaged((bytes) => bytes.writeUInt16LE(0, SUPERBLOCK + 88)),
  "s_blocks_per_group 0": () => damaged((bytes) => bytes.writeUInt32LE(0, SUPERBLOCK + 32)),
  "noise behind the superblock": () =>
    damaged((bytes) => {
      const random = randomSource(5);
      for (let at = 4096; at < 400_000; at++) bytes[at] = random(256);
    }),
  "a GPT of 2^32 - 1 entries": () => {
    const image = join(scratch(), "gpt.img");
    sh(`truncate -s 64M ${image}; sfdisk -q ${image}`, { input: "label: gpt\n2048,\n" });
    const bytes = readFileSync(image);
    bytes.writeUInt32LE(0xffffffff, 512 + 80);
    writeFileSync(image, bytes);
    return image;
  },
  "an extended partition that leads to itself": () => {
    const image = join(scratch(), "ebr.img");
    sh(`truncate -s 64M ${image}; sfdisk -q ${image}`, {
      input: "label: dos\n2048,,5\n",
    });
    const bytes = readFileSync(image);
    bytes.copy(bytes, 2048 * 512, 0, 512);
    writeFileSync(image, bytes);
    return image;
  },
  "100,000 submenus in each other": () => withConfig("submenu 'x' {\n".repeat(100_000)),
  "a configuration that calls itself": () =>
    withConfig("configfile /boot/grub/grub.cfg\nsource /boot/grub/grub.cfg\n"),
  "a loop that does not end": () => withConfig("while true; do\n x=1\ndone\n"),
  "an empty disk": () => {
    const image = join(scratch(), "empty.img");
    sh(`truncate -s 64M ${image}`);
    return image;
  },
  "a directory for a kernel": () => withConfig("menuentry 'x' {\n linux /boot ro\n}\n"),
  "a kernel that leads to itself": () =>
    withConfig("menuentry 'x' {\n linux /boot/loop ro\n}\n", (root) =>
      sh("ln -s loop boot/loop", { cwd: root }),
    ),
};

function withConfig(config: string, more: (root: string) => unknown = () => {}): string {
  const root = scratch();
  mkdirSync(join(root, "boot/grub"), { recursive: true });
  writeFileSync(join(root, "boot/vmlinuz"), "kernel");
  writeFileSync(join(root, "boot/grub/grub.cfg"), config);
  more(root);
  const image = join(scratch(), "config.img");
  sh(`truncate -s 64M ${image}; mkfs.ext4 -q -d ${root} ${image}`);
  return image;
}

describe.each([
  ["as root", []],
  ["--runas", [`--runas=${NOBODY}`]],
] as const)("%s", (_name, options) => {
  test.each(Object.keys(HOSTILE))("%s", (name) => {
    const image = HOSTILE[name]!();
    chmodSync(image, 0o600);
    const start = process.cpuUsage();
    const run = domusPygrub(image, options);
    expect(run.exitCode, run.stderr).toBe(1);
    expect(run.answer).toBe("");
    expect(run.left).toEqual([]);
    expect(run.stderr).toMatch(/^domus-pygrub: /m);
    expect(run.stderr).not.toMatch(/TypeError|RangeError|at .*\.ts:\d+/);
    expect(process.cpuUsage(start).user).toBeLessThan(60e6);
  });

  // XSA-198
  test("a NUL in the arguments makes no new item of the answer", () => {
    const image = withConfig("menuentry 'x' {\n linux /boot/vmlinuz ro\0kernel /etc/shadow\n}\n");
    const { exitCode, answer } = domusPygrub(image, options);
    const items = answer.split("\0").filter((item) => item !== "");
    expect(items.filter((item) => item.startsWith("kernel "))).toHaveLength(exitCode === 0 ? 1 : 0);
    expect(answer).not.toContain("\0kernel /etc");
  });

  test("a good disk is read", () => {
    const run = domusPygrub(good, options);
    expect(run.exitCode, run.stderr).toBe(0);
    expect(run.ramdisk?.length).toBe(20_000_000);
    expect(run.left).toHaveLength(2);
  });
});

describe("--runas", () => {
  test("opens nothing outside the output directory for writing, and not as root", () => {
    const dir = scratch();
    const trace = join(dir, "trace");
    const out = join(dir, "d");
    mkdirSync(out);
    const ran = spawnSync("strace", [
      ...["-f", "-o", trace, "-e", "trace=openat,open,creat,setuid,setgroups,unlink,rename,link"],
      ...[process.execPath, MAIN, "-q", `--runas=${NOBODY}`, `--output-directory=${out}`, good],
    ]);
    expect(ran.status, ran.stderr.toString()).toBe(0);
    const lines = readFileSync(trace, "utf8").split("\n");
    const opened = lines.filter(
      (line) => /O_WRONLY|O_RDWR|O_CREAT/.test(line) && !/ = -1/.test(line),
    );
    const elsewhere = opened.filter(
      (line) => !line.includes(`"${out}/boot_`) && !line.includes('"/dev/null"'),
    );
    expect(elsewhere).toEqual([]);
    expect(opened.filter((line) => line.includes(out))).toHaveLength(2);
    // Everything is opened for writing before the child has changed its user.
    const changed = lines.findIndex((line) => line.includes(`setuid(${NOBODY})`));
    expect(changed).toBeGreaterThan(0);
    const child = /^(\d+)/.exec(lines[changed]!)![1]!;
    const after = lines.slice(changed).filter((line) => line.startsWith(child));
    expect(after.filter((line) => /O_WRONLY|O_RDWR|O_CREAT|unlink|rename/.test(line))).toEqual([]);
  });

  test("the limit of PYGRUB_MAX_FILE_SIZE_MB is kept, and the exit code says so", () => {
    const run = domusPygrub(good, [`--runas=${NOBODY}`], { PYGRUB_MAX_FILE_SIZE_MB: "10" });
    expect(run).toMatchObject({ exitCode: 1, left: [], answer: "" });
    expect(run.stderr).toContain("limit of 10");
  });
});

describe("nothing is left behind", () => {
  test("where the output directory is full", () => {
    const dir = scratch();
    sh(`mount -t tmpfs -o size=8M tmpfs ${dir}`);
    try {
      const ran = spawnSync(process.execPath, [MAIN, "-q", `--output-directory=${dir}`, good], {
        encoding: "utf8",
      });
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain("ENOSPC");
      expect(readdirSync(dir)).toEqual([]);
    } finally {
      sh(`umount ${dir}`);
    }
  });

  test.each(["SIGTERM", "SIGHUP", "SIGINT"] as const)("after %s", async (signal) => {
    const dir = scratch();
    // A disk that comes slowly: the copy takes until it is told to stop.
    const fifo = join(dir, "out");
    sh(`mkfifo ${fifo}`);
    const child = spawn(
      process.execPath,
      [MAIN, "-q", `--output=${fifo}`, `--output-directory=${dir}`, good],
      { stdio: "ignore" },
    );
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.kill(signal);
    expect(await ended).not.toBe(0);
    expect(readdirSync(dir)).toEqual(["out"]);
  });

  test("after SIGTERM in the middle of a copy", async () => {
    const dir = scratch();
    const child = spawn(process.execPath, [MAIN, "-q", `--output-directory=${dir}`, good], {
      stdio: "ignore",
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    while (!readdirSync(dir).some((name) => statSync(join(dir, name)).size > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (child.exitCode !== null) break;
    }
    child.kill("SIGTERM");
    const code = await ended;
    if (code === 0) return;
    expect(readdirSync(dir)).toEqual([]);
  });

  test("where the disk shrinks, or is none", () => {
    for (const path of ["/dev/null", "/nonexistent", scratch()]) {
      const run = domusPygrub(path);
      expect(run).toMatchObject({ exitCode: 1, left: [], answer: "" });
    }
  });

  test("where the output file is not there", () => {
    const dir = scratch();
    const ran = spawnSync(
      process.execPath,
      [MAIN, "-q", "--output=/nonexistent/out", `--output-directory=${dir}`, good],
      { encoding: "utf8" },
    );
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain("/nonexistent/out");
    expect(readdirSync(dir)).toEqual([]);
  });
});

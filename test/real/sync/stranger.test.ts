/** What a person sees who has never used it, and gets something wrong: over a real ssh, with real devices. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { runDomus, runDomusAgain } from "../../support/run-domus.ts";
import type { DomusRun } from "../../support/run-domus.ts";
import { startSshd } from "../../support/sshd.ts";
import { freePort } from "../../../lab/host-files.ts";

const MIB = 2 ** 20;

function says({ code, stdout, stderr }: DomusRun, expected: number, ...words: string[]): void {
  const text = stderr.replaceAll(/\s+/g, " ");
  expect({ code, stdout, text }).toMatchObject({ code: expected, stdout: "" });
  for (const word of words) expect(text).toContain(word);
  // Nobody should have to read a stack.
  expect(text).not.toMatch(/ at .*\.ts:\d|bug in domus/);
}

function loop(file: string): string {
  needRoot("loop devices");
  const device = sh(`losetup -f --show ${file}`).toString().trim();
  onTestFinished(() => void sh(`losetup -d ${device} || true`));
  return device;
}

test("the way to the other host", async () => {
  const dir = scratch();
  const { ssh, wrongKey, knownHosts, port } = await startSshd(dir);
  const [a, to] = [join(dir, "a"), `far:${join(dir, "b")}`];
  writeFileSync(a, new Uint8Array(MIB));
  const run = (options: string, ...argv: string[]) =>
    runDomus(["sync", "--ssh", `${ssh} ${options}`, ...argv]);
  says(
    await run("", a, "nosuchhost.invalid:/b"),
    1,
    "There is no host nosuchhost.invalid",
    "spelling",
  );
  says(
    await run(`-p ${await freePort()}`, a, to),
    1,
    "far cannot be reached",
    "Connection refused",
    "ping far",
  );
  says(
    await run(
      `-F none -o BatchMode=yes -p ${port} -o UserKnownHostsFile=${knownHosts} -o StrictHostKeyChecking=yes -i ${wrongKey}`,
      a,
      `127.0.0.1:/b`,
    ),
    1,
    "ssh-copy-id",
  );
  says(
    await run("-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes", a, to),
    1,
    "does not know the host key of far",
    "Run ssh far once by hand",
  );
  writeFileSync(
    knownHosts,
    readFileSync(knownHosts, "utf8").replace(
      /AAAA\S+/,
      readFileSync(`${wrongKey}.pub`, "utf8").split(" ")[1]!,
    ),
  );
  says(
    await run("-o StrictHostKeyChecking=yes", a, to),
    1,
    "its ssh key has changed",
    "ssh-keygen -R far",
  );
  expect(existsSync(join(dir, "b"))).toBe(false);
});

test("no domus there, and what is not there", async () => {
  const dir = scratch();
  const { ssh } = await startSshd(dir);
  const a = join(dir, "a");
  writeFileSync(a, new Uint8Array(MIB).fill(1));
  const run = (...argv: string[]) => runDomus(["sync", "--ssh", ssh, ...argv]);
  says(
    await run("--far-domus", "nosuchdomus", a, `far:${dir}/b`),
    1,
    "There is no domus on far",
    "--bootstrap",
  );
  says(
    await run(a, `far:${dir}/none/b`),
    2,
    `On far: There is no directory ${dir}/none`,
    "mkdir -p",
  );
  says(await run(a, `far:${dir}`), 2, `On far: ${dir} is a directory`);
  says(await run(a, "far:/dev/nosuchdisk"), 2, "There is no device /dev/nosuchdisk", "lvcreate");
  says(
    await run(`${dir}/none`, `far:${a}`),
    1,
    `far:${a} is there. If they are swapped: domus sync far:${a} ${dir}/none`,
  );
  says(await run(`far:${dir}/none`, `${dir}/c`), 1, `far > ${dir}/none`, "Look at the name");
  expect(existsSync(join(dir, "c"))).toBe(false);
});

test("words that cannot be meant", async () => {
  const dir = scratch();
  const a = join(dir, "a");
  writeFileSync(a, "x");
  says(await runDomus(["sync"]), 2, "Nothing to copy is named", "domus sync SRC [HOST:]DST");
  says(await runDomus(["sync", a]), 2, "not said where to");
  says(
    await runDomus(["sync", "h:/a", "h:/b"]),
    2,
    "Both ends are on other hosts",
    "ssh h domus sync",
  );
  says(await runDomus(["sync", a, `${a}2`, "--bwlimit", "1000"]), 2, "500K, 10M");
  says(await runDomus(["sync", "-", "-"]), 2, "Both ends are pipes");
  says(await runDomus(["sync", "--serve"]), 2, "not by hand");
  const help = await runDomus(["sync", "--help"]);
  expect(help).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("domus sync vg0/web1 hostb:vg0/web1"),
  });
});

test("disks that are in use, too small, or the same are refused, and nothing is written", async () => {
  need("losetup", "mkfs.ext4");
  const dir = scratch();
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  writeFileSync(a, new Uint8Array(8 * MIB).fill(7));
  sh(`truncate -s 8M ${b} && mkfs.ext4 -q ${b}`);
  const before = readFileSync(b);
  const device = loop(b);
  says(await runDomus(["sync", a, b]), 4, `${b} is in use`, `behind ${device}`, "losetup -d");
  says(await runDomus(["sync", b, device]), 4, "are the same device");
  says(await runDomus(["sync", b, b]), 4, "are the same device");
  const mount = join(dir, "mnt");
  mkdirSync(mount);
  sh(`mount -o ro,noload ${device} ${mount}`);
  onTestFinished(() => void sh(`umount ${mount} || true`));
  says(
    await runDomus(["sync", a, device]),
    4,
    "is in use",
    `mounted at ${mount}`,
    "Unmount it first",
    "swapped",
  );
  sh(`umount ${mount}`);
  writeFileSync(join(dir, "large"), new Uint8Array(8 * MIB + 512));
  says(await runDomus(["sync", join(dir, "large"), device]), 4, "too small", "lvextend");
  expect(readFileSync(b).equals(before)).toBe(true);
  expect(existsSync(`${b}.domus-sync`)).toBe(false);
});

test("a full disk leaves a copy that can be gone on with", async () => {
  needRoot("a filesystem of its own size");
  const dir = scratch();
  const small = join(dir, "small");
  mkdirSync(small);
  sh(`mount -t tmpfs -o size=6m tmpfs ${small}`);
  onTestFinished(() => void sh(`umount ${small}`));
  const [a, b] = [join(dir, "a"), join(small, "b")];
  sh(`head -c 12M /dev/urandom >${a}`);
  const run = await runDomus(["sync", a, b]);
  says(
    run,
    1,
    "It may not fit",
    `${b} is unfinished. Run the same command again`,
    "ENOSPC",
    "Make room",
  );
  says(await runDomus(["sync", b, join(dir, "c")]), 4, "is itself an unfinished copy");
  sh(`mount -o remount,size=20m ${small}`);
  const again = await runDomusAgain(["sync", a, b]);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("resumes") });
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
});

test("no permission", async () => {
  needRoot("another user");
  const dir = scratch();
  chmodSync(dir, 0o755);
  const [a, b] = [join(dir, "a"), join(dir, "b")];
  writeFileSync(a, "x", { mode: 0o600 });
  writeFileSync(b, "y", { mode: 0o600 });
  const asNobody = (...argv: string[]) => runDomus(argv, { uid: 65534 });
  says(await asNobody("sync", a, b), 1, "may not do that (EACCES)", "as root");
  chmodSync(a, 0o644);
  says(await asNobody("sync", a, b), 1, "may not do that (EACCES)", "as root");
  expect(readFileSync(b, "utf8")).toBe("y");
});

/** Booting a lab host's machine, cold or from the state that the first boot left; and making that state. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDir } from "./debian.ts";
import { READY, VOLUME_GROUP } from "./dom0.ts";
import {
  freePort,
  lastLines,
  MAILBOX_BYTES,
  makeOverlay,
  makeSparse,
  networkPort,
  PROGRAMS_BYTES,
  socketPath,
} from "./host-files.ts";
import type { LabImage } from "./image.ts";
import { withLock } from "./lock.ts";
import {
  accelerator,
  killMachine,
  machineKey,
  runningPid,
  startMachine,
  type MachineOptions,
} from "./qemu.ts";
import { openQmp, type Qmp } from "./qmp.ts";
import { closeConnection, openConnection, runOver, type SshTarget } from "./ssh.ts";

/** A cold boot takes half a minute on an idle machine; on a busy one several times that. */
const BOOT_TIMEOUT_MS = 600_000;
/** Size of the disk of the volume group; the file is sparse. */
const VOLUMES_BYTES = 8 * 1024 ** 3;

/** What a boot that failed leaves for people: the end of what the machine and QEMU said. */
function bootFailure(machine: MachineOptions, what: string): Error {
  const console = join(machine.directory, "console.log");
  const qemu = join(machine.directory, "qemu.log");
  return new Error(
    `the lab host ${machine.name} ${what}. Its console (${console}) ends with:\n${lastLines(console)}\n` +
      `QEMU (${qemu}) said:\n${lastLines(qemu, 5).replaceAll(/^qemu-system-x86_64 -name.*\n?/gm, "")}`,
  );
}

export function sshTarget(machine: MachineOptions): SshTarget {
  return { port: machine.sshPort, control: socketPath(`${machine.name}.ssh`) };
}

async function connected(machine: MachineOptions, deadline: number): Promise<void> {
  while (!(await openConnection(sshTarget(machine)))) {
    if (runningPid(machine.directory) === undefined) throw bootFailure(machine, "stopped");
    if (Date.now() > deadline) throw bootFailure(machine, "does not answer ssh");
    await sleep(200);
  }
}

/** Starts the machine from power off and waits until dom0 is up: Xen's daemons run and ssh answers. */
export async function bootCold(machine: MachineOptions): Promise<void> {
  const log = join(machine.directory, "console.log");
  const from = existsSync(log) ? statSync(log).size : 0;
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  startMachine(machine);
  while (!existsSync(log) || !readFileSync(log, "latin1").slice(from).includes(READY)) {
    if (runningPid(machine.directory) === undefined) throw bootFailure(machine, "stopped");
    if (Date.now() > deadline) {
      await killMachine(machine.directory);
      throw bootFailure(machine, `has not booted in ${BOOT_TIMEOUT_MS / 1000} s`);
    }
    await sleep(200);
  }
  await connected(machine, deadline);
}

/** The saved state of a host that has just booted, which hosts start from: `memory`, `state` and the disks. */
export type Snapshot = { readonly dir: string };

function qemuVersion(): string {
  const text = execFileSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" });
  return /version (\S+)/.exec(text)?.[1] ?? "unknown";
}

async function openQmpWhenUp(machine: MachineOptions): Promise<Qmp> {
  const deadline = Date.now() + 300_000;
  while (true) {
    try {
      return await openQmp(machine.qmpSocket);
    } catch (error) {
      if (runningPid(machine.directory) === undefined) throw bootFailure(machine, "stopped");
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

const IGNORE_SHARED = { capabilities: [{ capability: "x-ignore-shared", state: true }] };

async function migrated(machine: MachineOptions, qmp: Qmp, query: string): Promise<void> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while (true) {
    const { status } = (await qmp.run(query)) as { status?: string };
    if (status === "completed") return;
    const gone = runningPid(machine.directory) === undefined;
    if (status === "failed" || gone || Date.now() > deadline) {
      throw bootFailure(machine, `could not save or load its state (${status ?? "no status"})`);
    }
    await sleep(30);
  }
}

/** Done once in a host that has just booted, before its state is saved. */
const FIRST_BOOT = `set -e
pvcreate -q /dev/vdb
vgcreate -q ${VOLUME_GROUP} /dev/vdb
xl list
sync`;

/** Boots the image for the first time and saves the machine: memory in a file of its own, the rest in `state`. */
async function makeSnapshot(image: LabImage, work: string): Promise<void> {
  const machine: MachineOptions = {
    name: `${image.release}-first`,
    image,
    directory: work,
    root: join(work, "root.qcow2"),
    volumes: join(work, "volumes.qcow2"),
    programs: join(work, "programs"),
    mailbox: join(work, "mailbox"),
    sshPort: await freePort(),
    networkPort: networkPort(),
    qmpSocket: socketPath(`${image.release}-first.qmp`),
    memory: { file: join(work, "memory"), keep: true },
  };
  makeOverlay(machine.root, join(image.dir, "root.img"), "raw");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", machine.volumes, `${VOLUMES_BYTES}`]);
  makeSparse(machine.programs, PROGRAMS_BYTES);
  makeSparse(machine.mailbox, MAILBOX_BYTES);
  try {
    await bootCold(machine);
    const first = await runOver(sshTarget(machine), FIRST_BOOT, { timeoutMs: 300_000 });
    if (first.code !== 0) throw bootFailure(machine, `could not be set up: ${first.stderr}`);
    closeConnection(sshTarget(machine));
    using qmp = await openQmpWhenUp(machine);
    await qmp.run("migrate-set-capabilities", IGNORE_SHARED);
    await qmp.run("migrate", { uri: "exec:cat > " + join(work, "state").replace(/\s/g, "\\ ") });
    await migrated(machine, qmp, "query-migrate");
    // the machine is paused for good and its disks are written out
    await qmp.run("quit").catch(() => undefined);
    while (runningPid(work) !== undefined) await sleep(20);
  } finally {
    closeConnection(sshTarget(machine));
    await killMachine(work);
  }
  // pages that were never used, or are zero again, need no room
  execFileSync("fallocate", ["--dig-holes", join(work, "memory")]);
}

/** The snapshot of a freshly booted host, made when the cache has none for this QEMU. */
export async function freshSnapshot(
  image: LabImage,
  say: (line: string) => void,
): Promise<Snapshot> {
  const dir = join(image.dir, `fresh-${accelerator()}-${qemuVersion()}-${machineKey()}`);
  await withLock(join(cacheDir("lab"), `${image.release}.lock`), async () => {
    if (existsSync(dir)) return;
    say(`booting the ${image.release} host for the first time (once, about a minute)`);
    const work = `${dir}.work`;
    if (existsSync(work)) await killMachine(work);
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    await makeSnapshot(image, work);
    renameSync(work, dir);
  });
  return { dir };
}

/** Starts the machine where the snapshot left off; takes some seconds. */
export async function bootFromSnapshot(machine: MachineOptions, from: Snapshot): Promise<void> {
  const memory = { file: join(from.dir, "memory"), keep: false };
  startMachine({ ...machine, memory, incoming: true });
  using qmp = await openQmpWhenUp(machine);
  await qmp.run("migrate-set-capabilities", IGNORE_SHARED);
  await qmp.run("migrate-incoming", {
    uri: `exec:cat ${join(from.dir, "state").replace(/\s/g, "\\ ")}`,
  });
  await migrated(machine, qmp, "query-migrate");
  await connected(machine, Date.now() + BOOT_TIMEOUT_MS);
}

/**
 * A real Xen host in QEMU, for tests and for trying things out: boot it, run commands in its dom0, copy files, write
 * guests, read their consoles, pull its plug. See docs/design/lab.md.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bootCold, bootFromSnapshot, freshSnapshot, sshTarget, type Snapshot } from "./boot.ts";
import { hostAddress, LAB_NETWORK, VOLUME_GROUP } from "./dom0.ts";
import {
  freeNumber,
  freePort,
  hostDirectory,
  makeOverlay,
  networkPort,
  readRecord,
  socketPath,
  writeRecord,
  type HostRecord,
} from "./host-files.ts";
import { labImage } from "./image.ts";
import { programsImage } from "./programs.ts";
import { killMachine, runningPid, type MachineOptions } from "./qemu.ts";
import type { LabRelease } from "./releases.ts";
import { closeConnection, quote, runOver, sshArgv, type Ran, type RunOptions } from "./ssh.ts";

export type HostOptions = {
  readonly name: string;
  /** Default: bookworm, that is Xen 4.17. A host that is there already keeps its own. */
  readonly release?: LabRelease;
  /** Told what takes long. Default: stderr. */
  readonly say?: (line: string) => void;
};

/** A disk of a guest: an image file of this machine's, and what it becomes in dom0. */
export type GuestDisk = {
  readonly image: string;
  /** Default: xvda, xvdb, ... in order. */
  readonly vdev?: string;
  /** A logical volume of vg0 (the default) or a file in /srv/guests. */
  readonly as?: "volume" | "file";
};

export type GuestOptions = {
  readonly name: string;
  readonly disks?: readonly GuestDisk[];
  /** Files of this machine's for a direct kernel boot, copied to /srv/guests. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** More of the config, as xl.cfg's own lines: `bootloader = "pygrub"`. */
  readonly config?: readonly string[];
  /** Default: 128. */
  readonly memoryMib?: number;
};

/** A command in dom0 that failed, with all that it said. */
function commandFailure(name: string, command: string, ran: Ran): Error {
  const how = ran.timedOut ? "has not ended in time" : `ended with exit code ${ran.code}`;
  return new Error(`${name}: ${command}\n${how}\n${ran.stdout}${ran.stderr}`);
}

export class LabHost implements AsyncDisposable {
  readonly name: string;
  readonly release: LabRelease;
  /** On the network that joins the hosts. */
  readonly address: string;
  /** Where console.log and qemu.log are. */
  readonly directory: string;
  readonly #machine: MachineOptions;
  readonly #snapshot: Snapshot;
  readonly #number: number;

  constructor(record: HostRecord, machine: MachineOptions, snapshot: Snapshot) {
    this.name = record.name;
    this.release = record.release;
    this.address = hostAddress(record.number);
    this.directory = machine.directory;
    this.#machine = machine;
    this.#snapshot = snapshot;
    this.#number = record.number;
  }

  /** Does the machine run? */
  get isUp(): boolean {
    return runningPid(this.directory) !== undefined;
  }

  /** The argv of an ssh to dom0, for a person's terminal. */
  get sshCommand(): readonly string[] {
    return sshArgv(sshTarget(this.#machine));
  }

  /** Runs a line of sh as root in dom0; the exit code is the caller's to judge. */
  run(command: string, options?: RunOptions): Promise<Ran> {
    return runOver(sshTarget(this.#machine), command, options);
  }

  /** Runs a line of sh as root in dom0 and returns its stdout; fails when it exits with anything but 0. */
  async output(command: string, options?: RunOptions): Promise<string> {
    const ran = await this.run(command, options);
    if (ran.code !== 0 || ran.timedOut) throw commandFailure(this.name, command, ran);
    return ran.stdout;
  }

  /** Copies files and directories of this machine into a directory of dom0, keeping modes and holes. */
  async copyIn(files: string | readonly string[], directory: string): Promise<void> {
    const sources = [files].flat().flatMap((file) => {
      const path = resolve(file);
      return ["-C", dirname(path), basename(path)];
    });
    const unpack = `mkdir -p ${quote(directory)} && tar -x --no-same-owner -C ${quote(directory)}`;
    await this.#piped(["tar", "-cS", ...sources], unpack);
  }

  /** Copies one file of dom0 to a file of this machine. */
  async copyOut(file: string, to: string): Promise<void> {
    const words = [...this.sshCommand, `cat ${quote(file)}`];
    const script = 'to="$1"; shift; exec "$@" > "$to"';
    const child = spawn("sh", ["-c", script, "sh", to, ...words], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`${this.name}: ${file} could not be copied to ${to}`);
  }

  async #piped(from: readonly string[], command: string): Promise<void> {
    const script =
      'command="$1"; shift; n="$1"; shift; set -o pipefail; "${@:1:n}" | "${@:n+1}" "$command"';
    const words = [command, String(from.length), ...from, ...this.sshCommand];
    const child = spawn("bash", ["-c", script, "bash", ...words], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`${this.name}: ${from.join(" ")} | ${command}\n${errors}`);
  }

  /** Copies a disk image of this machine into dom0; returns the disk's path there. */
  async #putDisk(guest: string, disk: GuestDisk, index: number): Promise<string> {
    const name = `${guest}-disk${index === 0 ? "" : index + 1}`;
    const work = `/srv/guests/.incoming-${name}`;
    await this.copyIn(disk.image, work);
    const image = `${work}/${basename(disk.image)}`;
    const file = `/srv/guests/${name}.img`;
    const volume = `/dev/${VOLUME_GROUP}/${name}`;
    const put =
      disk.as === "file"
        ? `mv ${quote(image)} ${quote(file)}`
        : `{ ! [ -e ${volume} ] || lvremove -qfy ${volume}; }
           lvcreate -qqy -W n -L $(stat -c %s ${quote(image)})b -n ${name} ${VOLUME_GROUP}
           dd if=${quote(image)} of=${volume} bs=1M status=none`;
    await this.output(`set -e; ${put}; rm -rf ${quote(work)}`, { timeoutMs: 600_000 });
    return disk.as === "file" ? file : volume;
  }

  /** Writes a guest: its disks, its kernel when it has one, and /etc/xen/NAME.cfg, whose path is returned. */
  async writeGuest(guest: GuestOptions): Promise<string> {
    const disks = [...(guest.disks ?? []).entries()];
    const specs: string[] = [];
    for (const [index, disk] of disks) {
      const path = await this.#putDisk(guest.name, disk, index);
      specs.push(
        `"phy:${path},${disk.vdev ?? `xvd${"abcdefgh"[index]}`},w"`.replace(
          "phy:/srv",
          "file:/srv",
        ),
      );
    }
    const lines = [`name = "${guest.name}"`, `memory = ${guest.memoryMib ?? 128}`, "vcpus = 1"];
    for (const [key, file] of [
      ["kernel", guest.kernel],
      ["ramdisk", guest.ramdisk],
    ] as const) {
      if (file === undefined) continue;
      const directory = `/srv/guests/${guest.name}`;
      await this.copyIn(file, directory);
      lines.push(`${key} = "${directory}/${basename(file)}"`);
    }
    lines.push(`disk = [ ${specs.join(", ")} ]`, ...(guest.config ?? []));
    const config = `/etc/xen/${guest.name}.cfg`;
    await this.output(`cat > ${config}`, { input: `${lines.join("\n")}\n` });
    return config;
  }

  /** All that a guest said on its console since dom0 has the log, over its restarts; empty when there is none. */
  async console(guest: string): Promise<string> {
    return (await this.run(`cat ${quote(`/var/log/xen/console/guest-${guest}.log`)}`)).stdout;
  }

  /** Waits until the guest's console matches, and returns its text; fails with what it said instead. */
  async waitForConsole(guest: string, pattern: RegExp, timeoutMs = 180_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    while (true) {
      const text = await this.console(guest);
      if (pattern.test(text)) return text;
      if (Date.now() > deadline || !this.isUp) {
        const list = this.isUp ? (await this.run("xl list")).stdout : "the host is down";
        throw new Error(`${guest}'s console never said ${pattern}:\n${text}\n${list}`);
      }
      await sleep(300);
    }
  }

  /** Ends the machine at once, as pulling the plug does. What dom0 had not written to its disks is lost. */
  async killPower(): Promise<void> {
    closeConnection(sshTarget(this.#machine));
    await killMachine(this.directory);
  }

  /** Boots the machine with the disks as they are. */
  async powerOn(): Promise<void> {
    if (this.isUp) return;
    await bootCold(this.#machine);
    await this.#settle();
  }

  /** Back to the state of a host that was just booted for the first time. */
  async reset(): Promise<void> {
    await this.killPower();
    const { dir } = this.#snapshot;
    makeOverlay(this.#machine.root, join(dir, "root.qcow2"), "qcow2");
    makeOverlay(this.#machine.volumes, join(dir, "volumes.qcow2"), "qcow2");
    await bootFromSnapshot(this.#machine, this.#snapshot);
    await this.#settle();
  }

  /** Gives the machine its own name, addresses and the time of day, and mounts domus's programs. */
  async #settle(): Promise<void> {
    const mac = (port: number) => `52:54:00:77:0${port}:0${this.#number}`;
    const files = "/etc/systemd/network";
    await this.output(`set -e
      date -u -s @${(Date.now() / 1000).toFixed(3)} > /dev/null
      echo ${this.name} > /etc/hostname
      hostname ${this.name}
      sed -i 's/^Address=${LAB_NETWORK}.*/Address=${this.address}\\/24/' ${files}/30-xenbr0.network
      grep -q MACAddress ${files}/10-xenbr0.netdev ||
        sed -i 's/^Kind=bridge/&\\nMACAddress=${mac(1)}/' ${files}/10-xenbr0.netdev
      ip link set eth1 address ${mac(2)}
      ip link set xenbr0 address ${mac(1)}
      ip addr flush dev xenbr0
      ip addr add ${this.address}/24 brd + dev xenbr0
      mountpoint -q /opt/domus || mount /opt/domus
      for file in /opt/domus/*; do
        if [ -f "$file" ]; then ln -sf "$file" /usr/local/bin/; fi
      done`);
  }

  /** Ends the machine and keeps its disks and logs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.killPower();
  }

  /** Ends the machine and removes all that it was. */
  async remove(): Promise<void> {
    await this.killPower();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function machineFor(
  record: HostRecord,
  say: (line: string) => void,
): Promise<{ machine: MachineOptions; snapshot: Snapshot }> {
  const image = await labImage(record.release, say);
  const snapshot = await freshSnapshot(image, say);
  const directory = hostDirectory(record.name);
  const machine: MachineOptions = {
    name: record.name,
    image,
    directory,
    root: join(directory, "root.qcow2"),
    volumes: join(directory, "volumes.qcow2"),
    programs: await programsImage(say),
    sshPort: record.sshPort,
    networkPort: networkPort(),
    qmpSocket: socketPath(`${record.name}.qmp`),
  };
  return { machine, snapshot };
}

/** The host of that name as it is now, up or not; undefined when there is none. Boots nothing. */
export async function findHost(name: string): Promise<LabHost | undefined> {
  const record = readRecord(name);
  if (!record) return undefined;
  const { machine, snapshot } = await machineFor(record, (line) =>
    process.stderr.write(`${line}\n`),
  );
  return new LabHost(record, machine, snapshot);
}

/**
 * A host that is up: a new one, made and started from the snapshot of its release, or the one of that name, booted
 * when it is off. Takes seconds once the release's image and snapshot are in the cache, some minutes before.
 */
export async function openHost(options: HostOptions): Promise<LabHost> {
  const say = options.say ?? ((line: string) => void process.stderr.write(`lab: ${line}\n`));
  const known = readRecord(options.name);
  if (known && (options.release === undefined || known.release === options.release)) {
    // a host whose making was cut off has no disks yet
    if (existsSync(join(hostDirectory(known.name), "volumes.qcow2"))) {
      const { machine, snapshot } = await machineFor(known, say);
      const host = new LabHost(known, machine, snapshot);
      await host.powerOn();
      return host;
    }
  }
  if (known) await killMachine(hostDirectory(options.name));
  const record: HostRecord = {
    name: options.name,
    release: options.release ?? known?.release ?? "bookworm",
    number: freeNumber(options.name),
    sshPort: await freePort(),
  };
  writeRecord(record);
  const { machine, snapshot } = await machineFor(record, say);
  const host = new LabHost(record, machine, snapshot);
  await host.reset();
  return host;
}

/** A host as new, whatever an earlier run left under that name: what a test starts from. */
export async function freshHost(options: HostOptions): Promise<LabHost> {
  await killMachine(hostDirectory(options.name));
  rmSync(hostDirectory(options.name), { recursive: true, force: true });
  return openHost(options);
}

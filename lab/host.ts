/**
 * A real Xen host in QEMU, for tests and for trying things out: boot it, run commands in its dom0, copy files, write
 * guests, read their consoles, pull its plug. See docs/design/lab.md.
 */
import { existsSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bootCold, bootFromSnapshot, freshSnapshot, sshTarget } from "./boot.ts";
import { cacheDir } from "./debian.ts";
import { hostAddress, LAB_NETWORK, VOLUME_GROUP } from "./dom0.ts";
import {
  freeNumber,
  freePort,
  hostDirectory,
  MAILBOX_BYTES,
  makeOverlay,
  makeSparse,
  networkPort,
  pruneImages,
  readRecord,
  socketPath,
  writeRecord,
  type HostRecord,
} from "./host-files.ts";
import { labImage, type LabImage } from "./image.ts";
import { withLock } from "./lock.ts";
import { collect, copyRuns, packUp, post, postImage, unpackInto } from "./mailbox.ts";
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
  readonly #number: number;
  readonly #image: LabImage;
  readonly #say: (line: string) => void;
  #machine: MachineOptions;

  constructor(record: HostRecord, say: (line: string) => void) {
    this.name = record.name;
    this.release = record.release;
    this.address = hostAddress(record.number);
    this.directory = hostDirectory(record.name);
    this.#number = record.number;
    this.#image = { release: record.release, dir: record.image };
    this.#say = say;
    this.#machine = {
      name: record.name,
      image: this.#image,
      directory: this.directory,
      root: join(this.directory, "root.qcow2"),
      volumes: join(this.directory, "volumes.qcow2"),
      programs: "",
      mailbox: join(this.directory, "mailbox"),
      sshPort: record.sshPort,
      networkPort: networkPort(),
      qmpSocket: socketPath(`${record.name}.qmp`),
    };
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
    await post(this.#machine.mailbox, [files].flat(), async () => {
      await this.output(unpackInto(quote(directory)), { timeoutMs: 600_000 });
    });
  }

  /** Copies one file of dom0 to a file of this machine. */
  async copyOut(file: string, to: string): Promise<void> {
    await collect(this.#machine.mailbox, to, async () => {
      const words = [dirname(file), basename(file)].map(quote) as [string, string];
      await this.output(packUp(...words), { timeoutMs: 600_000 });
    });
  }

  /** Copies a disk image of this machine into dom0; returns the disk's path there. */
  async #putDisk(guest: string, disk: GuestDisk, index: number): Promise<string> {
    const name = `${guest}-disk${index === 0 ? "" : index + 1}`;
    const file = `/srv/guests/${name}.img`;
    const volume = `/dev/${VOLUME_GROUP}/${name}`;
    const to = disk.as === "file" ? file : volume;
    const { size } = statSync(disk.image);
    const make =
      disk.as === "file"
        ? `rm -f ${file}; truncate -s ${size} ${file}`
        : `{ ! [ -e ${volume} ] || lvremove -qqfy ${volume}; }
           lvcreate -qqy -W n -L ${size}b -n ${name} ${VOLUME_GROUP}
           blkdiscard -f -z ${volume}`;
    // what was copied ends with a whole MiB
    const cut = disk.as === "file" ? `truncate -s ${size} ${file}` : "true";
    await postImage(this.#machine.mailbox, disk.image, async (runs) => {
      await this.output(`set -e; ${make}\n${copyRuns(runs, to)}\n${cut}`, { timeoutMs: 600_000 });
    });
    return to;
  }

  /** Writes a guest: its disks, its kernel when it has one, and /etc/xen/NAME.cfg, whose path is returned. */
  async writeGuest(guest: GuestOptions): Promise<string> {
    const disks = [...(guest.disks ?? []).entries()];
    const specs: string[] = [];
    for (const [index, disk] of disks) {
      const path = await this.#putDisk(guest.name, disk, index);
      const kind = disk.as === "file" ? "file" : "phy";
      const vdev = disk.vdev ?? `xvd${"abcdefgh"[index]}`;
      specs.push(`"${kind}:${path},${vdev},w"`);
    }
    const lines = [`name = "${guest.name}"`, `memory = ${guest.memoryMib ?? 128}`, "vcpus = 1"];
    const directory = `/srv/guests/${guest.name}`;
    const files = [guest.kernel, guest.ramdisk].flatMap((file) => file ?? []);
    if (files.length > 0) await this.copyIn(files, directory);
    if (guest.kernel !== undefined) lines.push(`kernel = "${directory}/${basename(guest.kernel)}"`);
    if (guest.ramdisk !== undefined) {
      lines.push(`ramdisk = "${directory}/${basename(guest.ramdisk)}"`);
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
  async waitForConsole(guest: string, pattern: RegExp, timeoutMs = 600_000): Promise<string> {
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

  /** Boots the machine with the disks as they are; when it runs already, sees to it that it is settled. */
  async powerOn(): Promise<void> {
    if (!this.isUp) {
      await this.#prepare();
      await bootCold(this.#machine);
    }
    await this.#settle();
  }

  /** Back to the state of a host that was just booted for the first time. */
  async reset(): Promise<void> {
    await this.killPower();
    const snapshot = await freshSnapshot(this.#image, this.#say);
    makeOverlay(this.#machine.root, join(snapshot.dir, "root.qcow2"), "qcow2");
    makeOverlay(this.#machine.volumes, join(snapshot.dir, "volumes.qcow2"), "qcow2");
    await this.#prepare();
    await bootFromSnapshot(this.#machine, snapshot);
    await this.#settle();
  }

  /** What every boot needs: a port for ssh that is free now, domus's programs as they are now, an empty mailbox. */
  async #prepare(): Promise<void> {
    makeSparse(this.#machine.mailbox, MAILBOX_BYTES);
    const sshPort = await freePort();
    this.#machine = { ...this.#machine, sshPort, programs: await programsImage(this.#say) };
    writeRecord({
      name: this.name,
      release: this.release,
      number: this.#number,
      sshPort,
      image: this.#image.dir,
    });
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

/** The host of that name as it is now, up or not; undefined when there is none. Boots nothing. */
export function findHost(name: string, say = sayOnStderr): LabHost | undefined {
  const record = readRecord(name);
  return record && new LabHost(record, say);
}

function sayOnStderr(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}

/** Is everything there that the host's machine is made of? A host whose making was cut off has no disks yet. */
function isWhole(record: HostRecord): boolean {
  const disk = join(hostDirectory(record.name), "volumes.qcow2");
  return [disk, join(record.image, "xen")].every((file) => existsSync(file));
}

/**
 * A host that is up: a new one, made and started from the snapshot of its release, or the one of that name, booted
 * when it is off. Takes seconds once the release's image and snapshot are in the cache, some minutes before.
 */
export async function openHost(options: HostOptions): Promise<LabHost> {
  const say = options.say ?? sayOnStderr;
  const known = readRecord(options.name);
  const release = options.release ?? known?.release ?? "bookworm";
  if (known?.release === release && isWhole(known)) {
    const host = new LabHost(known, say);
    await host.powerOn();
    return host;
  }
  await killMachine(hostDirectory(options.name));
  const image = await labImage(release, say);
  const record = await withLock(join(cacheDir("lab"), "hosts.lock"), () => {
    const number = freeNumber(options.name);
    const made = { name: options.name, release, number, sshPort: 0, image: image.dir };
    writeRecord(made);
    return made;
  });
  pruneImages(release, image.dir);
  const host = new LabHost(record, say);
  await host.reset();
  return host;
}

/** A host as new, whatever an earlier run left under that name: what a test starts from. */
export async function freshHost(options: HostOptions): Promise<LabHost> {
  const directory = hostDirectory(options.name);
  await killMachine(directory);
  rmSync(directory, { recursive: true, force: true });
  return openHost(options);
}

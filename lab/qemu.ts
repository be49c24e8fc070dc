/**
 * The machine that a lab host is: QEMU's command line, its process, and its pid file. The process outlives the program
 * that starts it; the pid file and the process's start time say which one is ours to end.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { DOM0_ADDRESS } from "./dom0.ts";
import type { LabImage } from "./image.ts";

/** What the machine has. dom0 gets 1 GiB of it, guests the rest. */
export const MEMORY_MIB = 3072;
const DOM0_MEMORY_MIB = 1024;

/** `kvm` where the kernel has hardware virtualisation behind /dev/kvm, else emulation. */
export function accelerator(): "kvm" | "tcg" {
  const hardware = ["kvm_intel", "kvm_amd"].some((name) => existsSync(`/sys/module/${name}`));
  if (!hardware) return "tcg";
  try {
    closeSync(openSync("/dev/kvm", "r+"));
    return "kvm";
  } catch {
    return "tcg";
  }
}

export type MachineOptions = {
  readonly name: string;
  readonly image: LabImage;
  /** Where its logs and its pid file are. */
  readonly directory: string;
  /** The qcow2 files: dom0's root, the volume group. */
  readonly root: string;
  readonly volumes: string;
  /** A read-only image with programs of ours. */
  readonly programs: string;
  /** A raw image through which files get into dom0: see mailbox.ts. */
  readonly mailbox: string;
  readonly sshPort: number;
  readonly networkPort: number;
  readonly qmpSocket: string;
  /** The file that holds the machine's memory; changes go there only when `keepMemory`. */
  readonly memory?: { readonly file: string; readonly keep: boolean };
  /** Start paused and wait for a saved state. */
  readonly incoming?: boolean;
};

/** SMAP is off because Xen under emulation dies early with it; the mitigations cost an emulated CPU half its time. */
function acceleration(): string[] {
  return accelerator() === "kvm"
    ? ["-accel", "kvm", "-cpu", "host"]
    : ["-accel", "tcg,thread=multi", "-cpu", "max,-smap"];
}

/**
 * Without it (and Xen leaves it out on AMD's processors, and with `spec-ctrl=no`) Xen gives a processor's vector registers
 * to another guest only when that one touches them, which it learns by CR0.TS and #NM. QEMU's emulated XSAVE and XRSTOR
 * do not look at CR0.TS (target/i386/tcg/translate.c), so that a dom0 kernel that changes between two of its processes
 * saves and loads the registers of another guest: processes in dom0 crash, hang or compute nonsense.
 */
const EAGER_FPU = "eager-fpu";

function bootArguments(): string[] {
  const xen = [
    `dom0_mem=${DOM0_MEMORY_MIB}M,max:${DOM0_MEMORY_MIB}M`,
    "dom0_max_vcpus=1",
    "console=com1",
    "loglvl=warning",
    `spec-ctrl=no,${EAGER_FPU}`,
    "xpti=no",
    "pv-l1tf=no",
    "bootscrub=0",
  ];
  const dom0 = ["console=hvc0", "root=/dev/vda", "net.ifnames=0", "quiet", "mitigations=off"];
  const modules = `vmlinuz ${dom0.join(" ")},initrd`;
  return ["-kernel", "xen", "-append", xen.join(" "), "-initrd", modules];
}

/** A short name of all that a saved machine has from its first boot on: saved states of others are of no use. */
export function machineKey(): string {
  const decisive = JSON.stringify([MEMORY_MIB, acceleration(), bootArguments()]);
  return createHash("sha256").update(decisive).digest("hex").slice(0, 8);
}

function machineArguments(machine: MachineOptions): string[] {
  const { memory } = machine;
  const disk = (id: string, file: string, more: string) => [
    "-drive",
    `if=none,id=${id},file=${file},cache=unsafe,${more}`,
    "-device",
    `virtio-blk-pci,drive=${id}`,
  ];
  const backend = memory
    ? `memory-backend-file,id=ram,size=${MEMORY_MIB}M,mem-path=${memory.file},share=${memory.keep ? "on" : "off"}`
    : `memory-backend-ram,id=ram,size=${MEMORY_MIB}M`;
  return [
    ["-name", `domus-lab-${machine.name}`],
    ["-nodefaults", "-no-user-config", "-display", "none"],
    ["-machine", "pc,memory-backend=ram", "-object", backend, "-m", String(MEMORY_MIB)],
    acceleration(),
    ["-smp", "2", "-rtc", "base=utc"],
    bootArguments(),
    disk("root", machine.root, "format=qcow2,discard=unmap"),
    disk("volumes", machine.volumes, "format=qcow2,discard=unmap,detect-zeroes=unmap"),
    disk("programs", machine.programs, "format=raw,read-only=on"),
    disk("mailbox", machine.mailbox, "format=raw,file.locking=off"),
    [
      "-netdev",
      `user,id=ssh,restrict=on,hostfwd=tcp:127.0.0.1:${machine.sshPort}-${DOM0_ADDRESS}:22`,
      "-device",
      "virtio-net-pci,netdev=ssh,mac=52:54:00:77:00:01,romfile=",
    ],
    [
      "-netdev",
      `socket,id=lab,mcast=230.77.0.1:${machine.networkPort},localaddr=127.0.0.1`,
      "-device",
      "virtio-net-pci,netdev=lab,mac=52:54:00:77:00:02,romfile=",
    ],
    ["-device", "virtio-rng-pci"],
    ["-chardev", `file,id=console,path=${join(machine.directory, "console.log")},append=on`],
    ["-serial", "chardev:console"],
    ["-qmp", `unix:${machine.qmpSocket},server=on,wait=off`],
    machine.incoming ? ["-incoming", "defer"] : [],
  ].flat();
}

type PidFile = { readonly pid: number; readonly started: string };

/** The 22nd field of /proc/PID/stat: the start time, which tells a process from a later one of the same id. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/**
 * Whether nothing of it holds a file any more: the main thread of a killed process is a zombie before its other threads have
 * ended, and the disks stay open, and locked, until the last of them has.
 */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    if (!stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) return false;
    return readdirSync(`/proc/${pid}/task`).length <= 1;
  } catch {
    return true;
  }
}

const pidFile = (directory: string) => join(directory, "qemu.pid");

/** The process of the host in that directory, when it runs. */
export function runningPid(directory: string): number | undefined {
  let saved: PidFile;
  try {
    saved = JSON.parse(readFileSync(pidFile(directory), "utf8")) as PidFile;
  } catch {
    return undefined;
  }
  if (startTime(saved.pid) !== saved.started || isZombie(saved.pid)) return undefined;
  return saved.pid;
}

/** Starts the machine. What QEMU says goes to qemu.log, what Xen and dom0 say to console.log. */
export function startMachine(machine: MachineOptions): number {
  const args = machineArguments(machine);
  rmSync(machine.qmpSocket, { force: true });
  const log = openSync(join(machine.directory, "qemu.log"), "a");
  writeFileSync(log, `qemu-system-x86_64 ${args.join(" ")}\n`);
  // an emulated machine takes all it can get: others on a busy machine go first
  const busy = loadavg()[0]! > cpus().length;
  const [program, first] = busy
    ? ["nice", ["-n", "5", "qemu-system-x86_64"]]
    : ["qemu-system-x86_64", []];
  const child = spawn(program, [...first, ...args], {
    cwd: machine.image.dir,
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  if (child.pid === undefined) throw new Error("qemu-system-x86_64 cannot be started");
  child.unref();
  const saved: PidFile = { pid: child.pid, started: startTime(child.pid) ?? "" };
  writeFileSync(pidFile(machine.directory), JSON.stringify(saved));
  return child.pid;
}

/** Ends the machine of that directory at once, as pulling the plug does. True when one ran. */
export async function killMachine(directory: string): Promise<boolean> {
  const pid = runningPid(directory);
  if (pid !== undefined) {
    process.kill(pid, "SIGKILL");
    while (runningPid(directory) !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  rmSync(pidFile(directory), { force: true });
  return pid !== undefined;
}

/**
 * The real LVM2 on loop devices, without device-mapper: it writes labels and metadata and activates nothing. What it
 * makes only with the kernel's help (mirrors, RAID, thin, snapshots) goes through `vgcfgrestore`, which checks a
 * description as strictly as one of its own.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { onTestFinished } from "vitest";
import { need, needRoot, sh } from "./need.ts";

/** A file, or a part of one, that is to be a block device. */
export type LoopFile = { readonly path: string; readonly offset?: number; readonly size?: number };

export type Lvm = {
  readonly devices: readonly string[];
  /** Runs `lvm COMMAND`; gives its standard output. */
  run(command: string): string;
  /** `lvcreate`, without activation. */
  create(args: string): void;
  /** Changes the group's description as text. */
  edit(group: string, change: (text: string) => string): void;
  /** Detaches the loop devices; at the end of the test it happens by itself. */
  close(): void;
};

export function openLvm(files: readonly LoopFile[]): Lvm {
  need("lvm", "losetup");
  needRoot("LVM works on loop devices");
  const devices = files.map(({ path, offset = 0, size }) => {
    const limit = size === undefined ? "" : `--sizelimit ${size}`;
    return sh(`losetup --find --show --offset ${offset} ${limit} ${path}`).toString().trim();
  });
  let open = true;
  const close = () => {
    if (open) for (const device of devices) sh(`losetup -d ${device}`);
    open = false;
  };
  onTestFinished(close);
  const accepted = devices.map((device) => `"a|^${device}$|",`).join("");
  const config = [
    `devices { filter=[${accepted}"r|.*|"] use_devicesfile=0 }`,
    "global { use_lvmlockd=0 use_lvmpolld=0 event_activation=0 }",
    "activation { udev_sync=0 udev_rules=0 monitoring=0 }",
    "backup { backup=0 archive=0 }",
  ].join(" ");
  function run(command: string): string {
    const [name, ...args] = command.split(" ");
    const ran = spawnSync("lvm", [name!, "--config", config, ...args], {
      encoding: "utf8",
      env: { ...process.env, LVM_SUPPRESS_FD_WARNINGS: "1" },
    });
    if (ran.status !== 0) throw new Error(`lvm ${command}\n${ran.stderr}`);
    return ran.stdout;
  }
  return {
    devices,
    run,
    create: (args) => void run(`lvcreate --driverloaded n -an -Zn -Wn -y ${args}`),
    edit(group, change) {
      const backup = `${files[0]!.path}.backup`;
      run(`vgcfgbackup -f ${backup} ${group}`);
      writeFileSync(backup, change(readFileSync(backup, "utf8")));
      run(`vgcfgrestore --driverloaded n --force -f ${backup} ${group}`);
    },
    close,
  };
}

export type LvRow = {
  readonly name: string;
  readonly stripes: number;
  readonly stripeBytes: number;
  /** `device:first-last`, in extents. */
  readonly ranges: readonly (readonly [device: string, first: number, last: number])[];
  readonly type: string;
};

/** The segments of all logical volumes, hidden ones too, as `lvs` says. */
export function lvRows(lvm: Lvm): LvRow[] {
  const columns = "lv_name,stripes,stripe_size,seg_pe_ranges,segtype";
  const text = lvm.run(
    `lvs -a --noheadings --nosuffix --units b --separator ; -O lv_name,seg_start -o ${columns}`,
  );
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name, stripes, stripe, ranges, type] = line.trim().split(";");
      return {
        name: name!.replace(/[[\]]/g, ""),
        stripes: Number(stripes),
        stripeBytes: Number(stripe),
        type: type!,
        ranges: ranges!
          .split(" ")
          .filter((range) => range !== "")
          .map((range) => {
            const parts = /^(.*):(\d+)-(\d+)$/.exec(range)!;
            return [parts[1]!, Number(parts[2]), Number(parts[3])] as const;
          }),
      };
    });
}

export type Placement = {
  readonly lvm: Lvm;
  readonly files: readonly LoopFile[];
  readonly extentBytes: number;
  /** pe_start. */
  readonly startBytes: number;
};

/**
 * Writes `content` onto a logical volume that lies on physical volumes directly: extent by extent as `lvs` lists them,
 * stripes chunk by chunk.
 */
export function writeVolume(at: Placement, rows: readonly LvRow[], content: Uint8Array): void {
  let done = 0;
  for (const row of rows) {
    const bytes =
      at.extentBytes * row.ranges.reduce((sum, [, first, last]) => sum + last - first + 1, 0);
    const segment = content.subarray(done, done + bytes);
    done += bytes;
    const chunk = row.stripes > 1 ? row.stripeBytes : segment.length;
    const positions = row.ranges.map(() => 0);
    for (let from = 0, turn = 0; from < segment.length; from += chunk, turn++) {
      const which = turn % row.ranges.length;
      const [device, first] = row.ranges[which]!;
      const part = segment.subarray(from, from + chunk);
      const file = at.files[at.lvm.devices.indexOf(device)]!;
      const offset =
        (file.offset ?? 0) + at.startBytes + first * at.extentBytes + positions[which]!;
      writeAt(file.path, offset, part);
      positions[which]! += part.length;
    }
  }
}

function writeAt(path: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(path, "r+");
  let done = 0;
  while (done < bytes.length)
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  closeSync(fd);
}

/** A part of a file. */
export function readAt(path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const fd = openSync(path, "r");
  readSync(fd, bytes, 0, length, offset);
  closeSync(fd);
  return bytes;
}

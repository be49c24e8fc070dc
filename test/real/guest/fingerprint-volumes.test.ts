/** What a fingerprint says of filesystems that are not on a disk of their own: in partitions, and in logical volumes of the guest's. */
import { onTestFinished, describe, expect, test } from "vitest";
import { compareContent } from "../../../src/guest/fingerprint/compare.ts";
import { fingerprintDisk } from "../../../src/guest/fingerprint/fingerprint.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { lvRows, openLvm } from "../../support/lvm-tools.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

needRoot("loop devices and mounts");
need("losetup", "sfdisk", "lvm", "tune2fs", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs");

const MIB = 1 << 20;

type Kind = {
  /** The kernel's name of its driver. */
  readonly type: string;
  readonly make: string;
  /** More than what is digested whole. */
  readonly sizeMib: number;
};

const KINDS = {
  ext4: { type: "ext4", make: "mkfs.ext4 -q", sizeMib: 96 },
  "ext4 without a journal": { type: "ext4", make: "mkfs.ext4 -q -O ^has_journal", sizeMib: 96 },
  xfs: { type: "xfs", make: "mkfs.xfs -q -f", sizeMib: 320 },
  btrfs: { type: "btrfs", make: "mkfs.btrfs -q -f", sizeMib: 160 },
} as const satisfies Record<string, Kind>;
type KindName = keyof typeof KINDS;
const NAMES = Object.keys(KINDS) as KindName[];

/** Where each of the filesystems is in the image, and what the fingerprint calls its volume. */
type Placed = {
  readonly image: string;
  readonly volumes: ReadonlyMap<KindName, { readonly name: string; readonly offset: number }>;
};

function emptyImage(sizeMib: number): string {
  const image = `${scratch()}/disk.img`;
  sh(`truncate -s ${sizeMib}M '${image}'`);
  return image;
}

/** One partition each. */
function partitioned(): Placed {
  const totalMib = NAMES.reduce((sum, name) => sum + KINDS[name].sizeMib, 0);
  const image = emptyImage(totalMib + 2);
  const lines = NAMES.map((name) => `size=${KINDS[name].sizeMib}M, type=linux`);
  sh(`printf '%s\\n' 'label: gpt' ${lines.map((line) => `'${line}'`).join(" ")} |
      sfdisk -q '${image}'`);
  let offset = MIB;
  const volumes = NAMES.map((name, index) => {
    const place = { name: `partition ${index + 1}`, offset };
    offset += KINDS[name].sizeMib * MIB;
    return [name, place] as const;
  });
  return { image, volumes: new Map(volumes) };
}

/** One logical volume each, in a group on the second partition. */
function inLogicalVolumes(): Placed {
  const totalMib = NAMES.reduce((sum, name) => sum + KINDS[name].sizeMib, 0);
  const image = emptyImage(totalMib + 32);
  sh(`printf 'label: dos\\nsize=8M, type=83\\ntype=8e\\n' | sfdisk -q '${image}'`);
  const start = 9 * MIB;
  const lvm = openLvm([{ path: image, offset: start }]);
  const [device] = lvm.devices;
  lvm.run(`pvcreate -q ${device}`);
  lvm.run(`vgcreate -q guest ${device}`);
  for (const [index, name] of NAMES.entries())
    lvm.create(`-L ${KINDS[name].sizeMib}m -n v${index} guest`);
  const [peStart, extent] = lvm
    .run("vgs --noheadings --nosuffix --units b --separator ; -o pe_start,vg_extent_size guest")
    .trim()
    .split(";")
    .map(Number) as [number, number];
  const rows = lvRows(lvm);
  const volumes = NAMES.map((name, index) => {
    const parts = rows.filter((row) => row.name === `v${index}`);
    expect(parts).toMatchObject([{ type: "linear", stripes: 1 }]);
    const [, first] = parts[0]!.ranges[0]!;
    return [name, { name: `guest/v${index}`, offset: start + peStart + first * extent }] as const;
  });
  lvm.close();
  return { image, volumes: new Map(volumes) };
}

function loopOf({ image, volumes }: Placed, name: KindName): string {
  const { offset } = volumes.get(name)!;
  const sizeBytes = KINDS[name].sizeMib * MIB;
  return sh(`losetup --find --show --offset ${offset} --sizelimit ${sizeBytes} '${image}'`)
    .toString()
    .trim();
}

async function onVolume(
  placed: Placed,
  name: KindName,
  work: (root: string) => Promise<void> | void,
  options = "rw",
): Promise<void> {
  const { image, volumes } = placed;
  const { type, sizeMib } = KINDS[name];
  const where = `offset=${volumes.get(name)!.offset},sizelimit=${sizeMib * MIB}`;
  await mountedAs({ image, type, options: `${options},${where}` }, work);
}

/** A command on the volume as a device, which is not mounted. */
function onDevice(placed: Placed, name: KindName, command: string): void {
  const device = loopOf(placed, name);
  try {
    sh(`${command} ${device} 2>&1`);
  } finally {
    sh(`losetup -d ${device}`);
  }
}

const take = (image: string) => fingerprintDisk(localHost(), { path: image });

describe.for([
  ["partitions", partitioned],
  ["logical volumes of the guest", inLogicalVolumes],
] as const)("in %s", ([, place]) => {
  test("each of them is told by its own commits; a write is said of the volume that it was in", async () => {
    const placed = place();
    const { image, volumes } = placed;
    onTestFinished(() => void sh(`rm -f '${image}'`));
    for (const name of NAMES) {
      onDevice(placed, name, KINDS[name].make);
      await onVolume(placed, name, (root) => {
        sh(`mkdir -p d; echo one > d/file; sync -f .`, { cwd: root });
      });
    }
    let before = await take(image);
    const depths = new Map(before.volumes.map((one) => [one.name, [one.format, one.depth]]));

    for (const name of NAMES) {
      const volume = volumes.get(name)!;
      expect([name, depths.get(volume.name)]).toEqual([name, [KINDS[name].type, "commits"]]);
      await onVolume(placed, name, (root) => void sh(`cat d/file`, { cwd: root }), "ro");
      const read = await take(image);
      expect([name, compareContent(before, read).changes]).toEqual([name, []]);

      // While it is mounted, and once more: superblocks stay as they are then, and nothing more is allocated.
      await onVolume(placed, name, async (root) => {
        sh(`echo two > d/other; sync -f .`, { cwd: root });
        const then = await take(image);
        sh(`echo three >> d/other; sync -f .`, { cwd: root });
        const { same, proof, changes } = compareContent(then, await take(image));
        expect([name, same, proof, changes.length]).toEqual([name, false, "content", 1]);
        expect(changes[0]).toMatch(`${KINDS[name].type} on ${volume.name}: `);
      });
      before = await take(image);
    }
  });

  test("tune2fs alone, which mounts nothing", async () => {
    const placed = place();
    const names: KindName[] = ["ext4", "ext4 without a journal"];
    for (const name of names) onDevice(placed, name, KINDS[name].make);
    let before = await take(placed.image);
    for (const name of names) {
      for (const change of ["-L parcels", "-c 30", "-m 1", "-U random"]) {
        onDevice(placed, name, `tune2fs ${change}`);
        const now = await take(placed.image);
        const { changes } = compareContent(before, now);
        const what = `ext4 on ${placed.volumes.get(name)!.name}`;
        expect([change, changes.length, changes[0]]).toEqual([
          change,
          1,
          expect.stringMatching(new RegExp(`^${what}: changed: .*superblock`)),
        ]);
        before = now;
      }
    }
  });
});

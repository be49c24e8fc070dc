/** Copies of whole disks without what the filesystems in their partitions do not use. */
import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { differences, kernelView } from "../../support/fs/view.ts";
import type { View } from "../../support/fs/view.ts";
import { randomSource } from "../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { forgetDevices } from "../disk/fs/btrfs/forms.ts";
import { makeXfs } from "../disk/fs/xfs/tools.ts";
import {
  copyWithoutUnused,
  makeFew,
  overwrite,
  QUIET,
  refusalOf,
  unusedOf,
} from "./unused-copy.ts";

const MIB = 1024 * 1024;

type Kind = "ext4" | "xfs" | "btrfs" | "vfat" | "swap" | "noise";
type Part = { readonly kind: Kind; readonly mib: number; readonly type: string };

const FSCK: Partial<Record<Kind, string>> = {
  ext4: "e2fsck -fn",
  xfs: "xfs_repair -n",
  btrfs: "btrfs check",
  vfat: "fsck.vfat -n",
};

function noise(path: string, sizeBytes: number): void {
  const random = randomSource(sizeBytes);
  const bytes = Buffer.alloc(sizeBytes);
  for (let i = 0; i < sizeBytes; i += 4) bytes.writeUInt32LE(random(2 ** 32), i);
  writeFileSync(path, bytes);
}

async function makePart(path: string, { kind, mib }: Part): Promise<void> {
  if (kind === "noise") return noise(path, mib * MIB);
  // What is free is not empty, as on a disk that was used for something else.
  sh(`head -c ${mib}M /dev/zero | tr '\\000' '\\314' > '${path}'`);
  if (kind === "swap") return void sh(`mkswap -q '${path}' 2>/dev/null`);
  if (kind === "vfat") {
    sh(`mkfs.vfat '${path}' > /dev/null; cd "$(mktemp -d)"; seq 20000 > numbers
      mcopy -i '${path}' numbers ::one; mcopy -i '${path}' numbers ::two; mdel -i '${path}' ::one`);
    return;
  }
  if (kind === "xfs") makeXfs(path, { mkfs: "-l size=18m -K" });
  else if (kind === "ext4") sh(`mkfs.ext4 -q -F -E nodiscard '${path}'`);
  else sh(`mkfs.btrfs -q -f -K '${path}'`);
  await mountedAs({ image: path, type: kind }, makeFew);
}

async function lookAt(path: string, kind: Kind): Promise<View | undefined> {
  if (kind === "vfat") {
    const text = sh(`mdir -b -i '${path}' ::; mtype -i '${path}' ::two | sha256sum`).toString();
    return new Map([[text, {} as never]]);
  }
  if (kind === "swap" || kind === "noise") return undefined;
  forgetDevices();
  const options = kind === "xfs" ? "ro,nouuid" : "ro";
  return mountedAs({ image: path, type: kind, options }, (root) => kernelView(root));
}

type Disk = { readonly path: string; readonly starts: readonly number[] };

/** GRUB's boot sector and something long behind it, in front of the first partition and in a gap. */
async function makeDisk(label: "dos" | "gpt", parts: readonly Part[]): Promise<Disk> {
  need("sfdisk", "mkfs.ext4", "mkfs.btrfs", "mkfs.vfat", "mcopy", "mkswap", "e2fsck");
  needRoot("it mounts images");
  const dir = scratch();
  const path = `${dir}/disk`;
  const bootImage = `${debianPackage("bookworm", "grub-pc-bin")}/usr/lib/grub/i386-pc/boot.img`;
  const total = parts.reduce((sum, { mib }) => sum + mib + 2, 4);
  noise(`${dir}/noise`, 2 * MIB - 512);
  sh(`head -c ${total}M /dev/zero | tr '\\000' '\\273' > '${path}'
    dd if=/dev/zero of='${path}' bs=1M count=1 conv=notrunc status=none
    dd if=/dev/zero of='${path}' bs=1M seek=${total - 1} count=1 conv=notrunc status=none`);
  let at = 2;
  const lines = parts.map(({ mib, type }, i) => {
    // Logical partitions of an MBR: a record of 1 MiB in front of each.
    const start = at;
    at += mib + 2;
    const inside = label === "dos" && i >= 3;
    return `${inside ? i + 2 : i + 1} : start=${start}MiB, size=${mib}MiB, type=${type}`;
  });
  const extended =
    label === "dos" && parts.length > 3
      ? [`4 : start=${Number(/start=(\d+)/.exec(lines[3]!)![1]) - 1}MiB, type=f`]
      : [];
  const script = [`label: ${label}`, ...lines.slice(0, 3), ...extended, ...lines.slice(3)];
  sh(`sfdisk -q --no-reread --no-tell-kernel '${path}'`, { input: `${script.join("\n")}\n` });
  if (label === "dos")
    sh(`dd if='${bootImage}' of='${path}' bs=1 count=440 conv=notrunc status=none
      dd if='${dir}/noise' of='${path}' bs=512 seek=1 count=2000 conv=notrunc status=none`);
  const starts: number[] = [];
  for (const [i, part] of parts.entries()) {
    const file = `${dir}/part${i}`;
    await makePart(file, part);
    if (part.kind === "ext4" || part.kind === "btrfs")
      sh(`dd if='${bootImage}' of='${file}' bs=512 count=1 conv=notrunc status=none`);
    if (part.kind === "btrfs")
      sh(`dd if='${dir}/noise' of='${file}' bs=512 seek=1 count=100 conv=notrunc status=none`);
    const start = Number(/start=(\d+)/.exec(lines[i]!)![1]);
    sh(`dd if='${file}' of='${path}' bs=1M seek=${start} conv=notrunc status=none`);
    starts.push(start * MIB);
  }
  return { path, starts };
}

function take(disk: string, { mib }: Part, start: number): string {
  const file = `${disk}.part`;
  sh(`dd if='${disk}' of='${file}' bs=1M skip=${start / MIB} count=${mib} status=none`);
  return file;
}

const DOS: readonly Part[] = [
  { kind: "vfat", mib: 20, type: "c" },
  { kind: "swap", mib: 10, type: "82" },
  { kind: "ext4", mib: 50, type: "83" },
  { kind: "xfs", mib: 130, type: "83" },
  { kind: "btrfs", mib: 130, type: "83" },
  { kind: "ext4", mib: 12, type: "8e" },
];
const GPT: readonly Part[] = [
  { kind: "noise", mib: 1, type: "21686148-6449-6E6F-744E-656564454649" },
  { kind: "vfat", mib: 40, type: "uefi" },
  { kind: "ext4", mib: 50, type: "linux" },
  { kind: "btrfs", mib: 130, type: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709" },
  { kind: "xfs", mib: 130, type: "home" },
  { kind: "swap", mib: 10, type: "swap" },
];

describe("a disk with everything on it", () => {
  test.for([
    ["dos", DOS],
    ["gpt", GPT],
  ] as const)("%s", async ([label, parts]) => {
    const { path, starts } = await makeDisk(label, parts);
    const views: (View | undefined)[] = [];
    for (const [i, part] of parts.entries())
      views.push(await lookAt(take(path, part, starts[i]!), part.kind));
    const { copy, unused, notes } = await copyWithoutUnused(path);
    expect(notes).toHaveLength(parts.length);
    // Nothing of the gaps, and nothing of what may be something else.
    for (const { offset, length } of unused) {
      const i = starts.findLastIndex((start) => start <= offset);
      const { kind, mib, type } = parts[i]!;
      expect(kind === "noise" || type === "8e").toBe(false);
      expect(offset + length).toBeLessThanOrEqual(starts[i]! + mib * MIB);
      const boot = kind === "btrfs" ? MIB : kind === "swap" ? 4096 : 1024;
      expect(offset).toBeGreaterThanOrEqual(starts[i]! + boot);
    }
    for (const [i, { kind, mib, type }] of parts.entries()) {
      if (kind === "noise" || type === "8e") continue;
      const inside = unused.filter(
        ({ offset }) => offset >= starts[i]! && offset < starts[i]! + mib * MIB,
      );
      expect(inside.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(0.25 * mib * MIB);
    }
    sh(`cp '${path}' '${path}.masked'`);
    overwrite(`${path}.masked`, unused, 0);
    sh(`cmp '${path}.masked' '${copy}'; sfdisk -q --verify '${copy}'`);
    for (const fill of [0, 0xa5]) {
      overwrite(copy, unused, fill);
      for (const [i, part] of parts.entries()) {
        const file = take(copy, part, starts[i]!);
        const fsck = FSCK[part.kind];
        if (fsck !== undefined) sh(`${fsck} '${file}' 2>&1`);
        if (part.kind === "swap") sh(`swaplabel '${file}'`);
        const view = await lookAt(file, part.kind);
        expect(view === undefined).toBe(views[i] === undefined);
        if (view) expect(differences(views[i]!, view)).toEqual([]);
      }
    }
  });
});

describe("swap", () => {
  test("a whole disk of it; hibernated to; of somebody who may come back", async () => {
    need("mkswap", "swaplabel");
    const image = `${scratch()}/image`;
    sh(`head -c 20M /dev/zero | tr '\\000' '\\314' > '${image}'
      mkswap -q -L NAME -U 3f1c53b2-95a4-4a6e-b2ac-1d0d3fbf1f5e '${image}' 2>/dev/null`);
    const label = sh(`swaplabel '${image}'`).toString();
    const { copy, unusedBytes } = await copyWithoutUnused(image);
    expect(sh(`swaplabel '${copy}'`).toString()).toBe(label);
    expect(unusedBytes).toBe(20 * MIB - 65_536);
    expect(await refusalOf(image, { ...QUIET, mayResume: true })).toMatch(/swapped out/);
    sh(`printf 'S1SUSPEND\\0' | dd of='${image}' bs=1 seek=4086 conv=notrunc status=none`);
    expect(await refusalOf(image)).toMatch(/it is swap with a hibernation image/);
  });
});

test("where two formats are on one disk, none is believed", async () => {
  need("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "pvcreate", "sfdisk");
  const dir = scratch();
  const both = (name: string, script: string) => {
    sh(`cd '${dir}'; truncate -s 200M '${name}'; ${script.replaceAll("IMAGE", name)}`);
    return refusalOf(`${dir}/${name}`);
  };
  // The superblock of the btrfs before it, as dd leaves it.
  const old = `mkfs.btrfs -q -f b; dd if=b of=IMAGE bs=4096 skip=16 seek=16 count=1 conv=notrunc status=none`;
  expect(await both("ext4-btrfs", `truncate -s 200M b; mkfs.ext4 -q -F IMAGE; ${old}`)).toMatch(
    /looks like btrfs, too/,
  );
  expect(
    await both(
      "md",
      "mkfs.ext4 -q -F IMAGE; printf '\\374N+\\251' | dd of=IMAGE bs=1 seek=$((200 * 1048576 - 65536 * 1)) conv=notrunc status=none",
    ),
  ).toMatch(/md/);
  expect(
    await both(
      "table-behind",
      `mkfs.ext4 -q -F IMAGE; echo 'start=1MiB, size=50MiB, type=83' | sfdisk -q --no-reread --wipe never IMAGE 2>/dev/null`,
    ),
  ).toMatch(/looks like ext4, too/);
  expect((await unusedOf(`${dir}/b`)).kind).toBe("view");
});

/** Copies without unused blocks of FAT in every state that it gets into, written and read by a Debian kernel. */
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readDump, runInGuestKernel } from "../../support/fs/guest-kernel.ts";
import { differences } from "../../support/fs/view.ts";
import { randomSource } from "../../support/mutate.ts";
import { need, scratch, sh } from "../../support/need.ts";
import { assertInsideOf, copyWithoutUnused, overwrite, QUIET, refusalOf } from "./unused-copy.ts";
import type { Copied } from "./unused-copy.ts";
import type { Extent } from "../../../src/disk/source.ts";

const TYPES = [
  { bits: 12, mkfs: "-F 12 -s 4", mib: 6 },
  { bits: 16, mkfs: "-F 16 -s 4 -f 3", mib: 16 },
  { bits: 32, mkfs: "-F 32 -s 1", mib: 36 },
] as const;

/** Files of many sizes, as a tar archive. */
function makeArchive(path: string, files: number): void {
  const dir = `${path}.tree`;
  const random = randomSource(3);
  const noise = Buffer.from(Array.from({ length: 40_000 }, () => random(256)));
  mkdirSync(`${dir}/many`, { recursive: true });
  for (let i = 0; i < files; i++)
    writeFileSync(`${dir}/many/A long name of ${i}`, noise.subarray(0, 1 + random(30_000)));
  sh(`tar -C '${dir}' -cf '${path}' .; rm -r '${dir}'`);
}

/** Free clusters by the first table, read with nothing of domus. */
function freeByHand(image: string, bits: 12 | 16 | 32): Extent[] {
  const program = `
    my ($path, $bits) = @ARGV; open(my $f, "<", $path) or die; binmode $f; local $/; my $d = <$f>;
    my ($size, $per, $reserved, $fats, $root, $small, $media, $length) = unpack("x11 v C v C v v C v", $d);
    my ($total, $length32) = unpack("x32 V V", $d);
    $total = $small || $total; $length ||= $length32;
    my $data = ($reserved + $fats * $length) * $size + $root * 32;
    my $count = int(($total * $size - $data) / ($per * $size));
    for my $c (2 .. $count + 1) {
      my $at = $reserved * $size; my $e;
      if ($bits == 12) { my $v = unpack("v", substr($d, $at + $c + int($c / 2), 2)); $e = $c & 1 ? $v >> 4 : $v & 0xfff }
      elsif ($bits == 16) { $e = unpack("v", substr($d, $at + 2 * $c, 2)) }
      else { $e = unpack("V", substr($d, $at + 4 * $c, 4)) & 0xfffffff }
      print $data + ($c - 2) * $per * $size, " ", $per * $size, "\\n" if $e == 0;
    }`;
  const text = sh(`perl -e '${program}' '${image}' ${bits}`).toString();
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [offset, length] = line.split(" ").map(Number);
      return { offset: offset!, length: length! };
    });
}

const letter = (index: number) => `/dev/vd${String.fromCharCode(0x61 + index)}`;

/** Commands in the machine with these disks, when it has found all of them. */
function inKernel(disks: readonly string[], lines: readonly string[]): Promise<string> {
  const found = disks.map((_, i) => `until [ -b ${letter(i)} ]; do sleep 0.1; done`);
  return runInGuestKernel([...found, ...lines].join("\n"), disks);
}

/** Every file of each image, by the kernel's mount. */
async function lookAt(images: readonly string[]) {
  const dumps = images.map((image) => `${image}.dump`);
  for (const dump of dumps) sh(`truncate -s 100M '${dump}'`);
  const lines = images.map(
    (_, i) =>
      `mount -t vfat -o ro ${letter(i)} /m; dump-tree /m ${letter(images.length + i)}; umount /m`,
  );
  await inKernel([...images, ...dumps], lines);
  return dumps.map(readDump);
}

test("fragmented, nearly full, in a larger place, trimmed, dirty", async () => {
  need("mkfs.vfat", "fsck.vfat", "tar", "perl");
  const dir = scratch();
  const archives = TYPES.map(({ bits, mib }) => {
    makeArchive(`${dir}/tar${bits}`, mib * 8);
    return `${dir}/tar${bits}`;
  });
  const states = ["fragmented", "full", "dirty"] as const;
  const images = TYPES.flatMap(({ bits, mkfs, mib }) =>
    states
      .filter((state) => bits !== 12 || state !== "full")
      .map((state) => {
        const image = `${dir}/fat${bits}-${state}`;
        // Free clusters are not empty; behind the filesystem there is something else.
        sh(`head -c ${mib}M /dev/zero | tr '\\000' '\\314' > '${image}'
        mkfs.vfat ${mkfs} '${image}' ${(mib - 1) * 1024} > /dev/null`);
        return { image, bits, state, archive: TYPES.findIndex((type) => type.bits === bits) };
      }),
  );
  const script = images.map(({ state, archive }, i) => {
    const begin = `mount -t vfat -o quiet ${letter(i)} /m; cd /m; tar -x -o -f ${letter(images.length + archive)}`;
    const fragment = `rm -f many/*[13579]; for f in many/*2; do cat "$f" >> grown; done; sync`;
    const fill = `cat /dev/zero > rest 2> /dev/null || true; rm -f many/*4`;
    const work = state === "full" ? `${fragment}; ${fill}` : fragment;
    return state === "dirty"
      ? `${begin}; ${work}; cd /; mkdir -p /kept${i}; mount --move /m /kept${i} || true`
      : `${begin}; ${work}; cd /; umount /m`;
  });
  await inKernel([...images.map(({ image }) => image), ...archives], script);

  for (const { image, state } of images) {
    if (state === "dirty")
      expect(await refusalOf(image)).toMatch(/all of it is copied: not cleanly unmounted/);
    else
      expect(await refusalOf(image, { ...QUIET, mayResume: true })).toMatch(/goes on where it was/);
  }
  const clean = images.filter(({ state }) => state !== "dirty");
  const before = await lookAt(clean.map(({ image }) => image));
  const copies: Copied[] = [];
  for (const { image, bits } of clean) {
    const copied = await copyWithoutUnused(image);
    copies.push(copied);
    assertInsideOf(copied.unused, freeByHand(image, bits), copied.unusedBytes);
    sh(`cp '${image}' '${image}.masked'`);
    overwrite(`${image}.masked`, copied.unused, 0);
    sh(`cmp '${image}.masked' '${copied.copy}'`);
    if (bits !== 16) sh(`fsck.vfat -n '${copied.copy}'`); // it knows no third table
    // Trimmed: the same without what was free, and it is the same copy.
    overwrite(image, copied.unused, 0);
    const again = await copyWithoutUnused(image);
    expect(again.unusedBytes).toBe(copied.unusedBytes);
    sh(`cmp '${image}.masked' '${again.copy}'`);
    overwrite(copied.copy, copied.unused, 0xa5);
  }
  const after = await lookAt(copies.map(({ copy }) => copy));
  for (const [i, view] of before.entries()) {
    expect(view.size).toBeGreaterThan(20);
    expect(differences(view, after[i]!)).toEqual([]);
    expect(copies[i]!.unused.length).toBeGreaterThan(3);
  }
});

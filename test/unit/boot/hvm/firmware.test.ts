import { describe, expect, test } from "vitest";
import { hvmBoot } from "../../../../src/boot/hvm/firmware.ts";
import type { HvmDisk, HvmInput } from "../../../../src/boot/hvm/firmware.ts";
import type { BootVolume } from "../../../../src/boot/loader/loader.ts";
import { encodeText } from "../../../../src/bytes/text.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { readVolumes } from "../../../../src/disk/tree.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { makeImage } from "../../disk/fs/fat/image.ts";
import { addBootCatalog, image, section, validation } from "../../disk/fs/iso9660/boot-catalog.ts";
import { plainImage } from "../../disk/fs/iso9660/image.ts";
import { volume } from "../loader/grub2/run.ts";

function sector({ code = "", signature = true } = {}): Uint8Array {
  const bytes = new Uint8Array(40 * 1024);
  bytes.set(encodeText(code));
  if (signature) bytes.set([0x55, 0xaa], 510);
  return bytes;
}

async function disk(vdev: string, bytes: Uint8Array, more: Partial<HvmDisk> = {}) {
  const source = memorySource(bytes, [vdev]);
  return { vdev, cdrom: false, volume: await readVolumes(source), bootVolumes: [], ...more };
}

function look(disks: readonly HvmDisk[], more: Partial<HvmInput> = {}) {
  return hvmBoot({ disks, firmware: "bios", order: "cda", ...more });
}

const GRUB = sector({ code: "\u00ebc\u0090 GRUB Geom" });

type DiscImage = { readonly bytes?: Uint8Array; readonly uefi?: boolean; readonly at?: number };

/** A disc whose boot catalog has these images, the first as the default one. */
function disc(images: readonly DiscImage[] = [{}]): Uint8Array {
  const iso = plainImage();
  const entries = images.flatMap(({ uefi = false, at = 45 }, index) => {
    const platform = uefi ? 0xef : 0;
    const head = index === 0 ? validation(platform) : section(0x91, platform, 1);
    return [head, image(0x88, 0, at)];
  });
  addBootCatalog(iso, ...entries);
  const all = new Uint8Array(100 * 2048);
  all.set(iso.bytes);
  for (const { bytes, at = 45 } of images) if (bytes) all.set(bytes, at * 2048);
  return all;
}

describe("BIOS", () => {
  test.each([
    ["GRUB", "\u00ebc GRUB Geom", "GRUB's boot code"],
    ["Windows", "3\u00c0 Invalid partition table", "Windows' boot code"],
    ["NTFS on the whole disk", "R NTFS BOOTMGR is missing", "Windows' boot code"],
    ["unknown", "x", "boot code"],
  ])("%s", async (_, code, what) => {
    const found = await look([await disk("hda", sector({ code }))]);
    expect(found.start).toEqual({ where: ["hda"], what });
  });

  test("zeroes, and no signature", async () => {
    const zeroes = await look([await disk("hda", sector())]);
    expect(zeroes).toMatchObject({
      complete: true,
      looked: [{ said: "its first sector has no boot code, only zeroes" }],
    });
    expect(zeroes).not.toHaveProperty("start");
    const none = await look([await disk("hda", sector({ code: "x", signature: false }))]);
    expect(none.looked[0]!.said).toMatch(/55 aa/);
  });

  test("the first disk only, then discs, in the order of boot=", async () => {
    const blank = await disk("hda", sector());
    const second = await disk("hdb", GRUB);
    const cd = await disk("hdc", disc(), { cdrom: true });
    expect((await look([blank, second])).start).toBe(undefined);
    expect((await look([blank, second, cd])).start).toEqual({
      where: ["hdc"],
      what: "boot code on the disc",
    });
    expect((await look([second, cd], { order: "dc" })).start!.where).toEqual(["hdc"]);
    expect((await look([second, cd], { order: "c" })).start!.where).toEqual(["hdb"]);
    const empty = await disk("hdc", sector(), { cdrom: true });
    expect((await look([empty])).looked[0]!.said).toBe("the disc has no boot catalog");
  });

  test("a disc: the default entry, and whose program it is", async () => {
    const start = async (bytes: Uint8Array) =>
      look([await disk("hdc", bytes, { cdrom: true })], { order: "d" });
    const isolinux = encodeText(`${" ".repeat(1340)}ISOLINUX 6.04`);
    expect((await start(disc([{ bytes: isolinux }]))).start).toEqual({
      where: ["hdc"],
      what: "SYSLINUX's boot code on the disc",
      loader: "extlinux",
    });
    const efiFirst = await start(disc([{ uefi: true }, { bytes: isolinux, at: 50 }]));
    expect(efiFirst).toMatchObject({
      complete: true,
      looked: [{ said: "the disc's boot catalog has nothing for BIOS, only for UEFI, BIOS" }],
    });
    expect((await start(disc([{ at: 100 }]))).looked[0]!.said).toBe(
      "the disc ends before its boot image (at byte 204800)",
    );
    const damaged = disc();
    damaged[40 * 2048 + 5] = 1;
    expect(await start(damaged)).toMatchObject({
      complete: false,
      looked: [{ said: expect.stringMatching(/no sound validation entry/) }],
    });
  });

  test("what was not read, and the network, leave it open", async () => {
    expect(await look([{ vdev: "hda", cdrom: false, bootVolumes: [] }])).toMatchObject({
      complete: false,
      looked: [{ said: "it could not be read" }],
    });
    expect((await look([await disk("hda", sector())], { order: "cn" })).complete).toBe(false);
    expect(await look([])).toEqual({ firmware: "bios", looked: [], complete: true });
  });
});

function esp(files: Readonly<Record<string, string>>): BootVolume {
  return volume(files, { kind: "vfat", partition: 1, where: ["hda", "partition 1", "vfat"] });
}

describe("UEFI", () => {
  const uefi = { firmware: "uefi" } as const;

  test("the program of the fixed name, on any disk", async () => {
    const plain = await disk("hda", sector());
    const loader = await disk("hdb", sector(), {
      bootVolumes: [esp({ "/EFI/BOOT/BOOTX64.EFI": "" })],
    });
    expect((await look([plain, loader], uefi)).start).toEqual({
      where: ["hdb"],
      what: "/EFI/BOOT/BOOTX64.EFI on hda > partition 1 > vfat",
    });
  });

  test("others are named", async () => {
    const bootVolumes = [esp({ "/EFI/debian/grubx64.efi": "", "/EFI/BOOT/x": "" })];
    const found = await look([await disk("hda", GRUB, { bootVolumes })], uefi);
    expect(found.start).toBe(undefined);
    expect(found.looked[0]!.said).toBe(
      "no /EFI/BOOT/BOOTX64.EFI on its EFI system partition; there is EFI/debian",
    );
    const none = await look([await disk("hda", GRUB)], uefi);
    expect(none.looked[0]!.said).toBe("no EFI system partition that can be read");
  });
});

describe("UEFI, from a disc", () => {
  const esp12 = (name: string) => {
    const fat = makeImage(12);
    // EFI is a directory, BOOT one in it; their names are those of entries that the volume has.
    fat.entry(fat.root + 32, { name: "EFI        ", attr: 0x10, start: 3 });
    fat.bytes.fill(0, fat.cluster(3), fat.cluster(3) + 512);
    fat.entry(fat.cluster(3), { name: "BOOT       ", attr: 0x10, start: 6 });
    fat.entry(fat.cluster(3) + 32, { name: "DEBIAN     ", attr: 0x10, start: 8 });
    fat.link(3, 0xfff);
    fat.bytes.fill(0, fat.cluster(6), fat.cluster(6) + 512);
    fat.entry(fat.cluster(6), { name, start: 5, size: 100 });
    return fat.bytes;
  };
  const start = async (bytes: Uint8Array) =>
    look([await disk("hdc", bytes, { cdrom: true })], { order: "d", firmware: "uefi" });

  test("the program is in the boot image", async () => {
    const found = await start(disc([{}, { uefi: true, at: 40 + 2, bytes: esp12("BOOTX64 EFI") }]));
    expect(found.start).toEqual({
      where: ["hdc"],
      what: "/EFI/BOOT/BOOTX64.EFI on hdc > UEFI boot image > vfat",
    });
  });

  test("it is not", async () => {
    const found = await start(disc([{ uefi: true, bytes: esp12("OTHER   EFI") }]));
    expect(found).toMatchObject({
      complete: true,
      looked: [{ said: "no /EFI/BOOT/BOOTX64.EFI on its UEFI boot image; there is EFI/DEBIAN" }],
    });
  });

  test.each([
    ["BIOS only", disc(), true, "the disc's boot catalog has nothing for UEFI, only for BIOS"],
    ["no catalog", plainImage().bytes, true, "the disc has no boot catalog"],
    ["no filesystem", disc([{ uefi: true }]), false, /sectors of 0 bytes/],
    ["outside", disc([{ uefi: true, at: 900 }]), false, /900|1843200/],
  ])("%s", async (_, bytes, complete, said) => {
    const found = await start(bytes);
    expect(found).not.toHaveProperty("start");
    expect(found.complete).toBe(complete);
    expect(found.looked[0]!.said).toMatch(said);
  });
});

test("damage", async () => {
  await survivesMutation([GRUB.slice(0, 1024)], async (bytes) => look([await disk("hda", bytes)]));
  const good = disc([{}, { uefi: true, at: 42, bytes: makeImage(12).bytes }]);
  for (const firmware of ["bios", "uefi"] as const) {
    await survivesMutation(
      [good.slice(40 * 2048, 42 * 2048 + 64)],
      async (bytes) => {
        const copy = Uint8Array.from(good);
        copy.set(bytes.subarray(0, 2 * 2048 + 64), 40 * 2048);
        return look([await disk("hdc", copy, { cdrom: true })], { firmware });
      },
      { count: 100 },
    );
  }
});

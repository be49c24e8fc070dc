import { describe, expect, test } from "vitest";
import { hvmBoot } from "../../../../src/boot/hvm/firmware.ts";
import type { HvmDisk, HvmInput } from "../../../../src/boot/hvm/firmware.ts";
import type { BootVolume } from "../../../../src/boot/loader/loader.ts";
import { encodeText } from "../../../../src/bytes/text.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { readVolumes } from "../../../../src/disk/tree.ts";
import { survivesMutation } from "../../../support/mutate.ts";
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

function disc(): Uint8Array {
  const bytes = new Uint8Array(40 * 1024);
  bytes.set(encodeText("\0CD001\x01EL TORITO SPECIFICATION"), 17 * 2048);
  return bytes;
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
      what: "the disc's boot catalog",
    });
    expect((await look([second, cd], { order: "dc" })).start!.where).toEqual(["hdc"]);
    expect((await look([second, cd], { order: "c" })).start!.where).toEqual(["hdb"]);
    const empty = await disk("hdc", sector(), { cdrom: true });
    expect((await look([empty])).looked[0]!.said).toBe("the disc has no boot catalog");
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

test("damage", async () => {
  await survivesMutation([GRUB.slice(0, 1024)], async (bytes) => look([await disk("hda", bytes)]));
});

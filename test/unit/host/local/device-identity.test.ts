import { describe, expect, test } from "vitest";
import { deviceNumber, deviceParts } from "../../../../src/host/local/device-identity.ts";

/** A few files of sysfs and proc. */
function tree(files: Readonly<Record<string, string>>) {
  return async (path: string) => files[path];
}

const BOOT = { "/proc/sys/kernel/random/boot_id": "b1" };

describe("what names a device", () => {
  test("is a volume's UUID, whatever number it has", async () => {
    const files = {
      "/sys/dev/block/253:7/dm/uuid": "LVM-abc",
      "/sys/dev/block/253:7/diskseq": "9",
    };
    expect(await deviceParts("253:7", tree(files))).toEqual(["dm", "LVM-abc"]);
  });

  test("is a disk's own number, and of a partition its place on the disk", async () => {
    const files = {
      "/sys/dev/block/8:2/partition": "2",
      "/sys/dev/block/8:2/start": "1050624",
      "/sys/dev/block/8:2/../dev": "8:0",
      "/sys/dev/block/8:0/device/wwid": "naa.5000c500",
    };
    const disk = ["disk", "device/wwid", "naa.5000c500"];
    expect(await deviceParts("8:0", tree(files))).toEqual(disk);
    expect(await deviceParts("8:2", tree(files))).toEqual(["partition", "2", "1050624", ...disk]);
  });

  test("is an array's UUID", async () => {
    const files = { "/sys/dev/block/9:0/md/uuid": "d1:d2" };
    expect(await deviceParts("9:0", tree(files))).toEqual(["md", "d1:d2"]);
  });

  test("is when it was attached, where nothing else is known", async () => {
    const one = { ...BOOT, "/sys/dev/block/254:0/diskseq": "3" };
    const other = { ...BOOT, "/sys/dev/block/254:0/diskseq": "4" };
    expect(await deviceParts("254:0", tree(one))).toEqual(["attached", "b1", "254:0", "3"]);
    expect(await deviceParts("254:0", tree(other))).not.toEqual(
      await deviceParts("254:0", tree(one)),
    );
  });

  test("has a number of up to 12 and 20 bits", () => {
    expect(deviceNumber(0x801n)).toBe("8:1");
    expect(deviceNumber(0xfd00n | (0x123n << 20n))).toBe("253:74496");
    expect(deviceNumber(0xfff00n)).toBe("4095:0");
  });
});

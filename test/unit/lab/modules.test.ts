import { describe, expect, test } from "vitest";
import { moduleName, moduleOrder } from "../../../lab/modules.ts";

const DEP = `kernel/lib/crc16.ko.xz:
kernel/fs/mbcache.ko.xz:
kernel/fs/jbd2/jbd2.ko.xz:
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz
kernel/drivers/block/xen-blkfront.ko.xz:
`;
const BUILTIN = "kernel/drivers/virtio/virtio.ko\n";

describe("moduleOrder", () => {
  test("puts what a module needs before it, the deepest first, each once", () => {
    expect(moduleOrder(DEP, BUILTIN, ["jbd2", "ext4"])).toEqual([
      "kernel/fs/jbd2/jbd2.ko.xz",
      "kernel/fs/mbcache.ko.xz",
      "kernel/lib/crc16.ko.xz",
      "kernel/fs/ext4/ext4.ko.xz",
    ]);
  });

  test("takes - for _, and needs no file for what is built in", () => {
    expect(moduleOrder(DEP, BUILTIN, ["virtio", "xen_blkfront"])).toEqual([
      "kernel/drivers/block/xen-blkfront.ko.xz",
    ]);
    expect(moduleOrder(DEP, BUILTIN, ["xen-blkfront"])).toHaveLength(1);
  });

  test("fails on a name that the kernel has not", () => {
    expect(() => moduleOrder(DEP, BUILTIN, ["zfs"])).toThrow("no module zfs");
  });
});

test("moduleName is the kernel's", () => {
  expect(moduleName("kernel/drivers/block/xen-blkfront.ko.xz")).toBe("xen_blkfront");
  expect(moduleName("kernel/drivers/virtio/virtio.ko")).toBe("virtio");
});

import { expect, test } from "vitest";
import { kernelConfigPaths } from "../../../../src/boot/kernel/kernel-config.ts";

test.each([
  [
    "/boot/vmlinuz-6.1.0-50-amd64",
    ["/boot/config-6.1.0-50-amd64", "/usr/lib/modules/6.1.0-50-amd64/config"],
  ],
  // On a filesystem of its own for /boot
  ["/vmlinuz-5.14", ["/config-5.14", "/usr/lib/modules/5.14/config"]],
  ["/usr/lib/modules/7.2.13+deb14-amd64/vmlinuz", ["/usr/lib/modules/7.2.13+deb14-amd64/config"]],
  ["/boot/vmlinuz", []],
  ["/boot/vmlinuz-linux", ["/boot/config-linux", "/usr/lib/modules/linux/config"]],
  ["/boot/vmlinuz-a/b", []],
])("%s", (path, expected) => {
  expect(kernelConfigPaths(path)).toEqual(expected);
});

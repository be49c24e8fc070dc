import { expect, test } from "vitest";
import { bootRelated } from "../../../../src/boot/changes/boot-related.ts";

function roleOf(name: string) {
  const change = {
    time: 0,
    zoneKnown: true,
    action: "upgrade",
    package: name,
    manager: "dpkg",
    where: ["dpkg.log"],
  } as const;
  return bootRelated([change])[0]?.role;
}

test.each([
  ["linux-image-6.1.0-50-amd64", "kernel"],
  // Debian 14's image package is empty; these have the kernel, its modules and its configuration
  ["linux-binary-7.2.13+deb14-amd64", "kernel"],
  ["linux-modules-7.2.13+deb14-amd64", "kernel"],
  ["linux-base-7.2.13+deb14-amd64", "kernel"],
  ["linux-binary-7.2.13+deb14-amd64-dbg", undefined],
  // Scripts, not a kernel
  ["linux-base", undefined],
  ["linux-headers-7.2.13+deb14-amd64", undefined],
])("%s: %s", (name, role) => {
  expect(roleOf(name)).toBe(role);
});

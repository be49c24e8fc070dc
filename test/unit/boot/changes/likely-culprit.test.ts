import { describe, expect, test } from "vitest";
import { bootRelated } from "../../../../src/boot/changes/boot-related.ts";
import { likelyCulprit } from "../../../../src/boot/changes/likely-culprit.ts";
import type { PackageChange } from "../../../../src/boot/changes/package-change.ts";

let clock = 0;
function change(
  manager: PackageChange["manager"],
  name: string,
  from: string | undefined,
  to: string | undefined,
): PackageChange {
  return {
    time: ++clock,
    zoneKnown: true,
    action: from === undefined ? "install" : to === undefined ? "remove" : "upgrade",
    package: name,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    manager,
    where: ["log"],
  };
}

describe("bootRelated", () => {
  test.each([
    ["linux", "kernel"],
    ["linux-lts", "kernel"],
    ["linux-image-6.1.0-50-amd64", "kernel"],
    ["linux-modules-extra-5.15.0-25-generic", "kernel"],
    ["kernel-core", "kernel"],
    ["kernel-uek-core", "kernel"],
    ["kernel-default", "kernel"],
    ["mkinitcpio", "initramfs-generator"],
    ["dracut-network", "initramfs-generator"],
    ["initramfs-tools-core", "initramfs-generator"],
    ["zstd", "compressor"],
    ["xz-utils", "compressor"],
    ["kmod", "module-tools"],
    ["grub-xen-host", "bootloader"],
    ["grub2-common", "bootloader"],
    ["grub-pc", "bootloader"],
    ["systemd", "init"],
    ["udev", "init"],
    ["lvm2", "storage"],
    ["cryptsetup", "storage"],
    ["mdadm", "storage"],
  ])("%s: %s", (name, role) => {
    const one = change("dpkg", name, "1", "2");
    const [related] = bootRelated([one]);
    expect(related?.role).toBe(role);
    expect(related?.change).toBe(one);
    expect(related?.reason).not.toBe("");
  });

  test.each([
    "linux-firmware",
    "linux-headers-amd64",
    "linux-headers",
    "linux-libc-dev",
    "linux-api-headers",
    "linux-image-6.1.0-50-amd64-dbg",
    "kernel-headers",
    "kernel-devel",
    "kernel-tools",
    "firefox",
    "libzstd1",
    "systemd-timesyncd",
    "a".repeat(100_000),
  ])("%.30s does not decide", (name) => {
    expect(bootRelated([change("dpkg", name, "1", "2")])).toEqual([]);
  });
});

describe("likelyCulprit", () => {
  const pacman = [
    change("pacman", "mkinitcpio", "29-2", "30-1"),
    change("pacman", "mkinitcpio", "30-1", "31-2"),
    change("pacman", "linux", "5.11.1-1", "5.11.2-1"),
    change("pacman", "firefox", "1", "2"),
  ];

  test("the upgrade that crossed the known version, not a later one", () => {
    const found = likelyCulprit(pacman.toReversed(), "initramfs-compression", "zstd");
    expect(found).toMatchObject({ evidence: "known-switch", change: pacman[0] });
    expect(found?.reason).toContain("mkinitcpio went from 29-2 to 30-1");
  });

  test("another compression than the known switch brings is not blamed on it", () => {
    const found = likelyCulprit(pacman, "initramfs-compression", "xz");
    expect(found).toMatchObject({ evidence: "last-change", change: pacman[1] });
    expect(found?.reason).toContain("not proven");
  });

  test("without a known switch: the last change of the right kind, not of any", () => {
    expect(likelyCulprit(pacman, "kernel-packing")).toMatchObject({
      evidence: "last-change",
      change: pacman[2],
    });
    expect(likelyCulprit([pacman[3]!], "kernel-packing")).toBeUndefined();
    expect(likelyCulprit([], "missing-module")).toBeUndefined();
  });

  test("Debian's kernels from 6.12.19-1 on, Ubuntu's from 5.13 on", () => {
    const debian = change("dpkg", "linux-image-6.12.22-amd64", undefined, "6.12.22-1");
    expect(likelyCulprit([debian], "kernel-packing")?.evidence).toBe("known-switch");
    const older = change("dpkg", "linux-image-6.1.0-9-amd64", undefined, "6.1.27-1");
    expect(likelyCulprit([older], "kernel-packing")?.evidence).toBe("last-change");
    const ubuntu = change("dpkg", "linux-image-5.15.0-25-generic", undefined, "5.15.0-25.25");
    expect(likelyCulprit([ubuntu], "kernel-packing")?.reason).toContain("Ubuntu");
    const focal = change("dpkg", "linux-image-5.4.0-25-generic", undefined, "5.4.0-25.29");
    expect(likelyCulprit([focal], "kernel-packing")?.evidence).toBe("last-change");
  });

  test("initramfs-tools 0.141, and zstd that arrives later", () => {
    const tools = change("dpkg", "initramfs-tools-core", "0.140", "0.142");
    const zstd = change("dpkg", "zstd", undefined, "1.5.4");
    expect(likelyCulprit([tools], "initramfs-compression", "zstd")?.evidence).toBe("known-switch");
    expect(likelyCulprit([tools, zstd], "initramfs-compression", "zstd")?.change).toBe(zstd);
    const ubuntu = change("dpkg", "initramfs-tools", "0.140ubuntu13", "0.142ubuntu2");
    expect(likelyCulprit([ubuntu], "initramfs-compression", "zstd")?.evidence).toBe("last-change");
  });

  test("every symptom has an answer for a kernel that came last", () => {
    const kernel = change("dpkg", "linux-image-amd64", "6.1.25-1", "6.1.27-1");
    for (const symptom of [
      "initramfs-compression",
      "kernel-packing",
      "missing-module",
      "missing-file",
      "bootloader-config",
      "root-not-found",
    ] as const) {
      expect(likelyCulprit([kernel], symptom)).toMatchObject({ evidence: "last-change" });
    }
  });
});

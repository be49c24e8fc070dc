import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { parseApkLog } from "../../../../src/boot/changes/apk-log.ts";
import { parseDnf5Log } from "../../../../src/boot/changes/dnf5-log.ts";
import { likelyCulprit } from "../../../../src/boot/changes/likely-culprit.ts";
import type { LogText } from "../../../../src/boot/changes/log-text.ts";
import type { PackageChange } from "../../../../src/boot/changes/package-change.ts";
import { isInstallOnly, parseRpmName } from "../../../../src/boot/changes/rpm-name.ts";
import { parseYumLog } from "../../../../src/boot/changes/yum-log.ts";
import { parseZypperHistory } from "../../../../src/boot/changes/zypper-history.ts";
import { decodeText } from "../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const utc = (text: string) => Date.parse(text) / 1000;
const WRITTEN = utc("2024-03-02T08:00:00Z");
const log = (text: string): LogText => ({ text, where: ["the.log"], writtenAt: WRITTEN });
const brief = (changes: readonly PackageChange[]) =>
  changes.map(({ action, package: name, from, to }) => [action, name, from, to]);

const ZYPPER = `2020-04-11 12:30:00|radd   |repo-oss|http://download.opensuse.org/oss|
2020-04-11 12:38:20|command|root@pc1|'zypper' 'install' 'cowsay'|
2020-04-11 12:38:20|install|cowsay|3.03-5.2|noarch|root@pc1|download.opensuse.org-oss|a28b7b36|
# 2020-04-11 12:38:21 dracut-049-1.x86_64.rpm installed ok
# Additional rpm output:
# 2020-04-11 12:38:21|install|evil|1-1|noarch|||
2020-04-11 12:38:22|install|dracut|049.1-1.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:00|command|root@pc1|'zypper' 'dup'|
2020-05-01 09:00:01|install|dracut|050+suse.14-1.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:02|install|kernel-default|5.3.18-22.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:03|install|kernel-default|5.3.18-24.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:04|remove |kernel-default|5.3.18-22.1|x86_64|root@pc1|
2020-05-01 09:00:05|install|dracut|050+suse.14-1.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:06|install|dracut|049.1-1.1|x86_64||oss|4421dfa7|
2020-05-01 09:00:07|patch  |openSUSE-2020-1|1|noarch|repo-update|important|security|needed|applied|
`;

const YUM = `May 02 06:21:10 Updated: kernel-utils.x86_64 1:2.4-13.1.80
Dec 16 05:02:09 Installed: tmux-1.8-4.el7.x86_64
Jan 10 08:15:45 Updated: 2:vim-enhanced-7.4.160-5.el7.x86_64
Feb 29 10:00:00 Updated: kernel-3.10.0-1160.el7.x86_64
Feb  6 10:38:35 Erased: nfs-utils
Mar  3 01:00:00 Erased: dracut-033-1.el7.noarch
Xyz  3 01:00:00 Erased: dracut-033-1.el7.noarch
`;

const DNF5 = `2024-09-20T10:30:35+0000 [714356] INFO --- DNF5 launched with arguments: "dnf upgrade" ---
2024-09-20T10:30:53+0000 [714356] INFO RPM callback verify start, total 1
2024-09-20T10:30:53+0000 [714356] INFO RPM callback install start "dracut-0:103-3.fc41.x86_64" total 9084
2024-09-20T10:30:53+0000 [714356] INFO RPM callback install start "grub2-tools-1:2.12-1.fc41.x86_64" total 9084
2024-09-20T10:30:54+0000 [714356] INFO RPM callback install start "kernel-core-0:6.11.4-301.fc41.x86_64" total 9
2024-09-20T10:30:54+0000 [714356] INFO RPM callback install stop "dracut-0:103-3.fc41.x86_64" amount 1 total 9
2024-09-20T10:30:55+0000 [714356] INFO RPM callback start trigger-install scriptlet "man-db-0:2.13.0-1.fc42.x86_64"
2024-09-20T10:30:56+0000 [714356] INFO RPM callback uninstall start "dracut-0:102-2.fc40.x86_64" total 9
2024-09-20T10:30:57+0000 [714356] INFO RPM callback uninstall start "kernel-core-0:6.9.1-200.fc40.x86_64" total 9
2024-09-21T10:30:57+0000 [7] INFO --- DNF5 launched with arguments: "dnf remove grub2-tools" ---
2024-09-21T10:30:57+0000 [7] INFO RPM callback uninstall start "grub2-tools-1:2.12-1.fc41.x86_64" total 9
`;

const APK = `(1/9) Upgrading early (1-r0 -> 2-r0)
Running \`apk upgrade --available\` at 2026-09-28 06:10:04
apk-tools 3.0.8-r0, compiled for x86_64.
( 1/10) Upgrading linux-virt (6.18.1-r0 -> 6.18.2-r0)
(10/10) Purging mkinitfs (3.13.0-r0)
OK: 129.7 MiB in 208 packages
Running \`apk fix\` at 2026-09-29 06:10:04
(1/3) Reinstalling busybox (1.37.0-r1)
(2/3) Downgrading kmod (34-r0 -> 33-r0)
(3/3) Installing zstd (1.5-r0)
Running \`apk what\` at once
(3/3) Installing no-time (1.5-r0)
`;

test("zypper: upgrades are told by what the log had before; kernels stand side by side", () => {
  const changes = parseZypperHistory(log(ZYPPER));
  expect(brief(changes)).toEqual([
    ["install", "cowsay", undefined, "3.03-5.2"],
    ["install", "dracut", undefined, "049.1-1.1"],
    ["upgrade", "dracut", "049.1-1.1", "050+suse.14-1.1"],
    ["install", "kernel-default", undefined, "5.3.18-22.1"],
    ["install", "kernel-default", undefined, "5.3.18-24.1"],
    ["remove", "kernel-default", "5.3.18-22.1", undefined],
    ["reinstall", "dracut", "050+suse.14-1.1", "050+suse.14-1.1"],
    ["downgrade", "dracut", "050+suse.14-1.1", "049.1-1.1"],
  ]);
  expect(changes[0]).toMatchObject({
    time: utc("2020-04-11T12:38:20Z"),
    zoneKnown: false,
    manager: "zypper",
    command: "zypper install cowsay",
    where: ["the.log", "line 3"],
  });
  expect(changes[2]?.command).toBe("zypper dup");
});

test("yum: years are counted back from when the file was written", () => {
  const changes = parseYumLog(log(YUM));
  expect(brief(changes)).toEqual([
    ["upgrade", "kernel-utils", undefined, "1:2.4-13.1.80"],
    ["install", "tmux", undefined, "1.8-4.el7"],
    ["upgrade", "vim-enhanced", undefined, "2:7.4.160-5.el7"],
    ["upgrade", "kernel", undefined, "3.10.0-1160.el7"],
    ["remove", "nfs-utils", undefined, undefined],
    ["remove", "dracut", "033-1.el7", undefined],
  ]);
  expect(changes.map((one) => new Date(one.time * 1000).toISOString().slice(0, 10))).toEqual([
    "2019-05-02",
    "2019-12-16",
    "2020-01-10",
    // The last year with that day before 6 February 2024.
    "2020-02-29",
    "2024-02-06",
    // One day after the file was written, by a clock that is not UTC.
    "2024-03-03",
  ]);
  expect(changes.every((one) => !one.zoneKnown)).toBe(true);
  expect(parseYumLog({ text: YUM, where: [] })).toEqual([]);
});

test("dnf5: what is uninstalled after its namesake was installed is an upgrade, but not of kernels", () => {
  const changes = parseDnf5Log(log(DNF5));
  expect(brief(changes)).toEqual([
    ["upgrade", "dracut", "102-2.fc40", "103-3.fc41"],
    ["install", "grub2-tools", undefined, "1:2.12-1.fc41"],
    ["install", "kernel-core", undefined, "6.11.4-301.fc41"],
    ["remove", "kernel-core", "6.9.1-200.fc40", undefined],
    ["remove", "grub2-tools", "1:2.12-1.fc41", undefined],
  ]);
  expect(changes[0]).toMatchObject({
    time: utc("2024-09-20T10:30:53Z"),
    zoneKnown: true,
    manager: "dnf",
    command: "dnf upgrade",
  });
  // The switch that is known of dracut 103 is found in this log, too.
  expect(likelyCulprit(changes, "initramfs-compression", "zstd")).toMatchObject({
    evidence: "known-switch",
    change: { package: "dracut" },
  });
});

test("apk: the time is that of the run", () => {
  const changes = parseApkLog(log(APK));
  expect(brief(changes)).toEqual([
    ["upgrade", "linux-virt", "6.18.1-r0", "6.18.2-r0"],
    ["remove", "mkinitfs", "3.13.0-r0", undefined],
    ["reinstall", "busybox", "1.37.0-r1", "1.37.0-r1"],
    ["downgrade", "kmod", "34-r0", "33-r0"],
    ["install", "zstd", undefined, "1.5-r0"],
  ]);
  expect(changes[0]).toMatchObject({
    time: utc("2026-09-28T06:10:04Z"),
    zoneKnown: true,
    command: "apk upgrade --available",
    manager: "apk",
  });
  for (const one of ["zypper", "yum", "apk"] as const) {
    const change = { ...changes[0]!, manager: one };
    expect(likelyCulprit([change], "kernel-packing")?.evidence).toBe("last-change");
  }
});

test.each([
  ["kernel-core-6.3.8-200.fc38.x86_64", "kernel-core", "6.3.8-200.fc38", "x86_64"],
  ["grub2-tools-1:2.06-95.fc38.x86_64", "grub2-tools", "1:2.06-95.fc38", "x86_64"],
  ["2:vim-minimal-7.4-1.el7.i686", "vim-minimal", "2:7.4-1.el7", "i686"],
  ["0:a-1-2", "a", "1-2", undefined],
])("%s", (text, name, version, arch) => {
  expect(parseRpmName(text)).toEqual({ name, version, ...(arch !== undefined && { arch }) });
});

test("names without version, and which packages stay beside a newer one", () => {
  for (const text of ["", "nfs-utils", "a", "-1-1", "a-1"]) {
    expect(parseRpmName(text)).toBeUndefined();
  }
  expect(["kernel", "kernel-core", "kernel-modules-extra", "kernel-uek"].every(isInstallOnly)).toBe(
    true,
  );
  expect(["kernel-tools", "kernel-headers", "dracut", "kernels"].some(isInstallOnly)).toBe(false);
});

describe("hostile logs", () => {
  const parsers = [parseZypperHistory, parseYumLog, parseDnf5Log, parseApkLog] as const;

  test("damage gives changes, never an exception", async () => {
    for (const [index, parse] of parsers.entries()) {
      const input = Buffer.from([ZYPPER, YUM, DNF5, APK][index]!);
      const run = await survivesMutation([input], (bytes) => parse(log(decodeText(bytes))), {
        count: 200,
      });
      expect(run.failures).toBe(0);
    }
  });

  test("text made to backtrack costs linear time", () => {
    const texts = [
      `2020-04-11 12:38:22|install|${"|".repeat(2_000_000)}`,
      `Aug 24 07:15:45 Updated: ${"1:-".repeat(1200)}\n`.repeat(300),
      `Aug 24 07:15:45 Updated: kernel${"-core".repeat(800)}-1-1x.x86_64\n`.repeat(300),
      `2024-09-20T10:30:53+0000 [7] INFO RPM callback install start "kernel${"-modules-core".repeat(300)}-x-1-1"`,
      `Running \`${"` at ".repeat(800)}\n`.repeat(300),
      `( ${" ".repeat(4000)}1/1)\n`.repeat(300),
    ];
    const took = cpuTime();
    for (const text of texts) for (const parse of parsers) parse(log(text));
    expect(took()).toBeLessThan(3000);
  });
});

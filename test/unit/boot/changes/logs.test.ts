import { describe, expect, test } from "vitest";
import { parseAptHistory, withCommands } from "../../../../src/boot/changes/apt-history.ts";
import { parseDnfLog } from "../../../../src/boot/changes/dnf-log.ts";
import { parseDpkgLog } from "../../../../src/boot/changes/dpkg-log.ts";
import { parseLogTime } from "../../../../src/boot/changes/log-text.ts";
import type { LogText } from "../../../../src/boot/changes/log-text.ts";
import { parsePacmanLog } from "../../../../src/boot/changes/pacman-log.ts";
import { decodeText } from "../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { cpuTime } from "../../../support/cpu-time.ts";

function log(text: string): LogText {
  return { text, where: ["the.log"] };
}

function utc(text: string): number {
  return Date.parse(text) / 1000;
}

const PACMAN = `[2013-01-05 09:00] Running 'pacman -S linux'
[2013-01-05 09:01] upgraded linux (3.6.11-1 -> 3.7.1-2)
[2017-07-20 10:35] [PACMAN] Running 'pacman -Syu'
[2017-07-20 10:35] [PACMAN] starting full system upgrade
[2017-07-20 10:36] [ALPM] transaction started
[2017-07-20 10:36] [ALPM] upgraded linux (4.11.6-1 -> 4.11.7-1)
[2017-07-20 10:36] [ALPM-SCRIPTLET] upgraded evil (1 -> 2)
[2017-07-20 10:36] [ALPM] installed libnew (1:2.0-1)
[2017-07-20 10:36] [ALPM] warning: /etc/mkinitcpio.conf installed as /etc/mkinitcpio.conf.pacnew
[2017-07-20 10:37] [ALPM] running '90-mkinitcpio-install.hook'...
[2019-09-20T12:00:00+0200] [PACMAN] Running 'pacman -U old.pkg.tar.xz'
[2019-09-20T12:00:01+0200] [ALPM] downgraded linux (5.3.1-1 -> 5.2.14-1)
[2019-09-20T12:00:02+0200] [ALPM] reinstalled grub (2:2.04-1)
[2019-09-20T12:00:03+0200] [ALPM] removed lzop (1.04-1)
[2019-13-41T12:00:03+0200] [ALPM] removed nonsense (1.04-1)
`;

const DPKG = `2023-06-20 10:00:00 startup archives unpack
2023-06-20 10:00:01 install linux-image-6.1.0-9-amd64:amd64 <none> 6.1.27-1
2023-06-20 10:00:01 status half-installed linux-image-6.1.0-9-amd64:amd64 6.1.27-1
2023-06-20 10:00:05 upgrade linux-image-amd64:amd64 6.1.25-1 6.1.27-1
2023-06-20 10:00:06 upgrade grub-common:amd64 2.06-13 2.06-13~deb11u1
2023-06-20 10:00:06 upgrade udev:amd64 252.6-1 252.6-1
2023-06-20 10:00:07 configure linux-image-amd64:amd64 6.1.27-1 <none>
2023-06-20 10:00:07 status installed linux-image-amd64:amd64 6.1.27-1
2023-06-20 10:00:08 trigproc initramfs-tools:all 0.142 <none>
2023-07-01 00:00:00 remove lvm2:amd64 2.03.16-2 <none>
2023-07-01 00:00:01 purge lvm2:amd64 2.03.16-2 <none>
2023-07-01 00:00:02 install lvm2:amd64 2.03.16-2 2.03.16-3
`;

const APT = `
Start-Date: 2023-06-20  09:59:59
Commandline: apt full-upgrade
Requested-By: root (0)
Install: linux-image-6.1.0-9-amd64:amd64 (6.1.27-1, automatic)
Upgrade: linux-image-amd64:amd64 (6.1.25-1, 6.1.27-1), grub-common:amd64 (2.06-13, 2.06-13~deb11u1)
End-Date: 2023-06-20  10:00:09

Start-Date: 2023-07-01  00:00:00
Commandline: apt-get remove lvm2
`;

const DNF = `2023-06-20T09:59:00+0200 INFO --- logging initialized ---
2023-06-20T10:00:00+0200 SUBDEBUG Installed: kernel-core-6.3.8-200.fc38.x86_64
2023-06-20T10:00:01+0200 SUBDEBUG Upgrade: dracut-059-4.fc38.x86_64
2023-06-20T10:00:02+0200 SUBDEBUG Upgrade: grub2-tools-1:2.06-95.fc38.x86_64
2023-06-20T10:00:03+0200 INFO warning: /etc/x created as /etc/x.rpmnew
2023-06-20T10:00:04+0200 SUBDEBUG Upgraded: grub2-tools-1:2.06-94.fc38.x86_64
2023-06-20T10:00:05+0200 SUBDEBUG Upgraded: dracut-059-3.fc38.x86_64
2023-06-20T10:00:06Z SUBDEBUG Erase: kernel-core-6.2.9-300.fc38.x86_64
2023-06-20T10:00:07Z SUBDEBUG Downgrade: zstd-1.5.4-1.fc38.x86_64
2023-06-20T10:00:07Z SUBDEBUG Downgraded: zstd-1.5.5-1.fc38.x86_64
`;

describe("pacman.log", () => {
  const changes = parsePacmanLog(log(PACMAN));

  test("every verb in both forms, and nothing that a scriptlet prints", () => {
    expect(changes.map(({ action, package: name, from, to }) => [action, name, from, to])).toEqual([
      ["upgrade", "linux", "3.6.11-1", "3.7.1-2"],
      ["upgrade", "linux", "4.11.6-1", "4.11.7-1"],
      ["install", "libnew", undefined, "1:2.0-1"],
      ["downgrade", "linux", "5.3.1-1", "5.2.14-1"],
      ["reinstall", "grub", "2:2.04-1", "2:2.04-1"],
      ["remove", "lzop", "1.04-1", undefined],
    ]);
  });

  test("time, zone, command and place", () => {
    expect(changes[1]).toMatchObject({
      time: utc("2017-07-20T10:36:00Z"),
      zoneKnown: false,
      command: "pacman -Syu",
      where: ["the.log", "line 6"],
      manager: "pacman",
    });
    expect(changes[3]).toMatchObject({
      time: utc("2019-09-20T10:00:01Z"),
      zoneKnown: true,
      command: "pacman -U old.pkg.tar.xz",
    });
  });
});

describe("dpkg.log and apt's history", () => {
  const changes = parseDpkgLog(log(DPKG));

  test("the versions tell the direction; status, configure, purge say nothing new", () => {
    expect(changes.map(({ action, package: name, from, to }) => [action, name, from, to])).toEqual([
      ["install", "linux-image-6.1.0-9-amd64", undefined, "6.1.27-1"],
      ["upgrade", "linux-image-amd64", "6.1.25-1", "6.1.27-1"],
      ["downgrade", "grub-common", "2.06-13", "2.06-13~deb11u1"],
      ["reinstall", "udev", "252.6-1", "252.6-1"],
      ["remove", "lvm2", "2.03.16-2", undefined],
      ["install", "lvm2", undefined, "2.03.16-3"],
    ]);
    expect(changes[0]).toMatchObject({ time: utc("2023-06-20T10:00:01Z"), zoneKnown: false });
  });

  test("a change gets the command of the run around it", () => {
    const runs = parseAptHistory(log(APT));
    expect(runs.map((run) => run.command)).toEqual(["apt full-upgrade", "apt-get remove lvm2"]);
    const commands = withCommands(changes, runs).map((change) => change.command);
    expect(commands).toEqual([
      ...Array.from({ length: 4 }, () => "apt full-upgrade"),
      "apt-get remove lvm2",
      "apt-get remove lvm2",
    ]);
    const [late] = withCommands([{ ...changes[0]!, time: runs[0]!.end! + 1 }], runs);
    expect(late?.command).toBeUndefined();
  });
});

test("dnf.rpm.log: the new package and the one that it replaced become one change", () => {
  const changes = parseDnfLog(log(DNF));
  expect(changes.map(({ action, package: name, from, to }) => [action, name, from, to])).toEqual([
    ["install", "kernel-core", undefined, "6.3.8-200.fc38"],
    ["upgrade", "dracut", "059-3.fc38", "059-4.fc38"],
    ["upgrade", "grub2-tools", "1:2.06-94.fc38", "1:2.06-95.fc38"],
    ["remove", "kernel-core", "6.2.9-300.fc38", undefined],
    ["downgrade", "zstd", "1.5.5-1.fc38", "1.5.4-1.fc38"],
  ]);
  expect(changes[0]).toMatchObject({ time: utc("2023-06-20T08:00:00Z"), zoneKnown: true });
});

test.each([
  ["2017-07-20 10:35", "2017-07-20T10:35:00Z", false],
  ["2023-06-20  10:00:00", "2023-06-20T10:00:00Z", false],
  ["2019-09-20T12:00:00+0200", "2019-09-20T10:00:00Z", true],
  ["2019-09-20T12:00:00-03:30", "2019-09-20T15:30:00Z", true],
  ["2022-03-28T14:27:24+00", "2022-03-28T14:27:24Z", true],
  ["2022-03-28T14:27:24Z", "2022-03-28T14:27:24Z", true],
])("%s is %s", (text, iso, zoneKnown) => {
  expect(parseLogTime(text)).toEqual({ time: utc(iso), zoneKnown });
});

test.each([
  "",
  "2023-02-31 10:00:00",
  "2023-00-10 10:00",
  "2023-01-10 24:00",
  "2023-01-10 10:60",
  "20230110 10:00",
])("%j is no time", (text) => expect(parseLogTime(text)).toBeUndefined());

describe("hostile logs", () => {
  const parsers = [parsePacmanLog, parseDpkgLog, parseDnfLog, parseAptHistory] as const;

  test("damage gives changes, never an exception", async () => {
    for (const parse of parsers) {
      const inputs = [PACMAN, DPKG, APT, DNF].map((text) => Buffer.from(text));
      const run = await survivesMutation(inputs, (bytes) => parse(log(decodeText(bytes))), {
        count: 100,
      });
      expect(run.failures).toBe(0);
    }
  });

  test("lines of megabytes and text made to backtrack cost linear time", () => {
    const texts = [
      `[2017-07-20 10:36] [ALPM] upgraded ${"a".repeat(1_000_000)} (1 -> 2)`,
      `[2017-07-20 10:36] [ALPM] upgraded a (${"1 -> ".repeat(200_000)}`,
      `2023-06-20 10:00:01 install ${"a:a-".repeat(1000)} ${"1 ".repeat(125_000)}`,
      `2023-06-20T10:00:00+0200 SUBDEBUG Upgrade: ${"-1.x86_64".repeat(400)}\n`.repeat(300),
      "[".repeat(1_000_000),
      "\n".repeat(500_000),
      `Commandline: ${"x".repeat(1_000_000)}`,
    ];
    const took = cpuTime();
    for (const text of texts) for (const parse of parsers) parse(log(text));
    expect(took()).toBeLessThan(10_000);
  });
});

import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { corrupt } from "../../../../src/base/failure.ts";
import { readChangeLogs, readChanges } from "../../../../src/boot/changes/read-changes.ts";
import { directory, file, memoryFs, symlink, unreadable } from "../../../support/memory-fs.ts";

function line(day: number, to: number): string {
  return `2023-06-${String(day).padStart(2, "0")} 10:00:00 upgrade linux-image-amd64:amd64 1 ${to}\n`;
}

describe("readChanges", () => {
  test("current, rotated and packed logs become one list by time", async () => {
    const fs = memoryFs({
      "var/log": {
        "dpkg.log.2.gz": gzipSync(line(1, 2)),
        "dpkg.log.10.gz": gzipSync(`2022-01-01 10:00:00 upgrade grub-pc:amd64 1 1.5\n`),
        "dpkg.log.1": line(2, 3) + line(3, 4),
        "dpkg.log": line(4, 5) + line(4, 6),
        "dpkg.log.bak": line(9, 9),
        "pacman.log": `[2023-06-02 11:00] [ALPM] upgraded linux (1 -> 2)\n`,
        "dnf.rpm.log-20230618.gz": gzipSync(
          "2023-06-02T12:30:00+0200 SUBDEBUG Installed: kernel-6-1.x86_64\n",
        ),
        "apt/history.log.1.gz": gzipSync(
          "Start-Date: 2023-06-03  09:59:00\nCommandline: apt upgrade\nEnd-Date: 2023-06-03  10:01:00\n",
        ),
      },
    });
    const { changes, logs } = await readChangeLogs(fs);
    expect(changes.map((one) => `${one.manager} ${one.to}`)).toEqual([
      "dpkg 1.5",
      "dpkg 2",
      "dpkg 3",
      "dnf 6-1",
      "pacman 2",
      "dpkg 4",
      "dpkg 5",
      "dpkg 6",
    ]);
    expect(changes[5]?.command).toBe("apt upgrade");
    expect(changes[1]?.where).toEqual(["memory", "/var/log/dpkg.log.2.gz", "line 1"]);
    expect(logs.filter((log) => log.failure)).toEqual([]);
    expect(await readChanges(fs)).toEqual(changes);
  });

  test("a log that is damaged costs only itself, and is named", async () => {
    const packed = gzipSync(line(1, 2));
    const fs = memoryFs({
      "var/log": {
        "dpkg.log": line(4, 5),
        "dpkg.log.1": unreadable(corrupt(["disk"], "x", "y")),
        "dpkg.log.2.gz": packed.subarray(0, 20),
        "pacman.log": symlink("/etc/shadow"),
        "dnf.rpm.log": directory({}),
      },
    });
    const { changes, logs } = await readChangeLogs(fs);
    expect(changes).toHaveLength(1);
    expect(logs.filter((log) => log.failure).map((log) => log.path)).toEqual([
      "/var/log/dpkg.log.1",
      "/var/log/dpkg.log.2.gz",
    ]);
  });

  test("a guest without logs has no changes", async () => {
    expect(await readChangeLogs(memoryFs({ etc: {} }))).toEqual({
      changes: [],
      logs: [],
      unread: [],
    });
    expect(await readChangeLogs(memoryFs({ var: "no directory" }))).toMatchObject({ changes: [] });
  });

  test("rpm's families: SUSE's history, yum's and dnf5's log, Alpine's; databases are named", async () => {
    const fs = memoryFs({
      "var/log/zypp": {
        history: "2020-04-12 12:38:20|install|dracut|2-1|noarch||oss|ab|\n",
        "history-20200101.gz": gzipSync("2019-04-11 12:38:20|remove |dracut|1-1|noarch||\n"),
      },
      "var/log/yum.log": file("Aug 24 07:15:45 Updated: kernel-3-1.el7.x86_64\n", {
        mtime: Date.UTC(2018, 1) / 1000,
      }),
      "var/log/yum.log-20170101": file("Aug 24 07:15:45 Installed: kernel-2-1.el7.x86_64\n", {
        mtime: Date.UTC(2017, 0) / 1000,
      }),
      "var/log/dnf5.log.1":
        '2024-09-20T10:30:53+0000 [7] INFO RPM callback install start "zstd-0:1-1.fc39.x86_64" total 5\n',
      "var/log/apk.log":
        "Running `apk add zstd` at 2025-09-20 10:00:00\n(1/1) Installing zstd (1-r0)\n",
      "var/lib/rpm/rpmdb.sqlite": "SQLite format 3",
    });
    const { changes, unread } = await readChangeLogs(fs);
    expect(changes.map((one) => `${one.manager} ${one.package} ${one.time}`)).toEqual([
      `yum kernel ${Date.UTC(2016, 7, 24, 7, 15, 45) / 1000}`,
      `yum kernel ${Date.UTC(2017, 7, 24, 7, 15, 45) / 1000}`,
      `zypper dracut ${Date.UTC(2019, 3, 11, 12, 38, 20) / 1000}`,
      `zypper dracut ${Date.UTC(2020, 3, 12, 12, 38, 20) / 1000}`,
      `dnf zstd ${Date.UTC(2024, 8, 20, 10, 30, 53) / 1000}`,
      `apk zstd ${Date.UTC(2025, 8, 20, 10) / 1000}`,
    ]);
    expect(unread).toEqual(["/var/lib/rpm/rpmdb.sqlite"]);
  });

  test.each(["plain", "gzip"])("of a large %s log the newest part is read", async (how) => {
    const lines = Array.from({ length: 20_000 }, (_, i) => line(5, 1000 + i)).join("");
    const fs = memoryFs({
      "var/log/dpkg.log": how === "gzip" ? gzipSync(lines) : lines,
    });
    const changes = await readChanges(fs, { limitBytes: 10_000 });
    expect(changes.length).toBeGreaterThan(100);
    expect(changes.length).toBeLessThan(200);
    expect(changes.at(-1)?.to).toBe("20999");
    expect(changes[0]?.where.at(-1)).toBe("line 1 of the part that was read");
  });

  test("logs without end are bounded in number and changes", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`dpkg.log.${i + 1}`, line(1 + (i % 28), i + 1)]),
    );
    const { logs, changes } = await readChangeLogs(memoryFs({ "var/log": many }));
    expect(logs).toHaveLength(24);
    expect(changes.map((one) => Number(one.to)).toSorted((a, b) => a - b)[23]).toBe(24);
    const bomb = memoryFs({
      "var/log": { "dpkg.log.1.gz": gzipSync(Buffer.alloc(80 << 20, line(1, 2))) },
    });
    const run = await readChangeLogs(bomb);
    expect(run.logs[0]?.failure?.kind).toBe("limit");
  });
});

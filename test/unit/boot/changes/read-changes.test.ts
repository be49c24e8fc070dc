import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { corrupt } from "../../../../src/base/failure.ts";
import { readChangeLogs, readChanges } from "../../../../src/boot/changes/read-changes.ts";
import { directory, memoryFs, symlink, unreadable } from "../../../support/memory-fs.ts";

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
    expect(await readChangeLogs(memoryFs({ etc: {} }))).toEqual({ changes: [], logs: [] });
    expect(await readChangeLogs(memoryFs({ var: "no directory" }))).toMatchObject({ changes: [] });
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

/** Whether a device counts what is written to it. Where one really does, on a logical volume: test/xen/stale-image.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { countsWrites, writtenSectors } from "../../../../src/host/local/write-counters.ts";

const STAT = "  12 0 96 1 7 0 56 2 0 3 3 4 5 48 0 0 0";

/** A directory such as that of a device in /sys, with a file as the device. */
function device({ iostats, isMapped }: { iostats: string; isMapped: boolean }) {
  const sys = mkdtempSync(join(tmpdir(), "domus-counters-"));
  onTestFinished(() => rmSync(sys, { recursive: true }));
  mkdirSync(join(sys, "queue"));
  if (isMapped) mkdirSync(join(sys, "dm"));
  writeFileSync(join(sys, "queue", "iostats"), `${iostats}\n`);
  writeFileSync(join(sys, "stat"), `${STAT}\n`);
  const path = join(sys, "device");
  writeFileSync(path, "");
  truncateSync(path, 4096);
  return { path, sys };
}

test("of sectors, those that were written and those that were discarded", () => {
  expect(writtenSectors(STAT.trim())).toBe("56+48");
  expect(writtenSectors("1 2 3")).toBe(undefined);
  expect(writtenSectors(undefined)).toBe(undefined);
});

test("a device that says that it counts is believed", async () => {
  const { path, sys } = device({ iostats: "1", isMapped: false });
  expect(await countsWrites(path, sys, sys)).toBe(true);
});

test("one that says that it does not is believed, unless it is a mapped one that counts what is read of it", async () => {
  for (const isMapped of [false, true]) {
    const { path, sys } = device({ iostats: "0", isMapped });
    expect(await countsWrites(path, sys, sys)).toBe(false);
  }
});

test("a mapped device that cannot be read is not believed to count", async () => {
  const { path, sys } = device({ iostats: "0", isMapped: true });
  rmSync(path);
  expect(await countsWrites(path, sys, sys)).toBe(false);
});

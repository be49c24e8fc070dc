/** The process that makes holes: in order, many at a time, and what is left when it cannot. */
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { KIB, MIB } from "../../../src/base/units.ts";
import { RangeHelper } from "../../../src/host/local/range-helper.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { scratch } from "../../support/need.ts";

function opened(flags: string, sizeBytes = 4 * MIB) {
  const path = join(scratch(), "disk.img");
  writeFileSync(path, new Uint8Array(sizeBytes).fill(7));
  const fd = openSync(path, flags);
  onTestFinished(() => closeSync(fd));
  return { path, helper: new RangeHelper({ fd, where: [path] }) };
}

describe("the helper", () => {
  test("makes all holes that it is asked for, and says what the kernel refuses", async () => {
    const { path, helper } = opened("r+");
    const holes = Array.from({ length: 200 }, (_, i) => helper.do("punch", i * 16 * KIB, 8 * KIB));
    const bad = helper.do("punch", 0, 0);
    const noDevice = helper.do("discard", 0, 4096);
    expect(new Set(await Promise.all(holes))).toEqual(new Set([undefined]));
    expect([await bad, await noDevice]).toEqual(["EINVAL", "ENOTTY"]);
    await helper.close();
    const bytes = readFileSync(path);
    const expected = new Uint8Array(4 * MIB).fill(7);
    for (let i = 0; i < 200; i++) expected.fill(0, i * 16 * KIB, i * 16 * KIB + 8 * KIB);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect(statSync(path).size).toBe(4 * MIB);
  });

  test("that is closed does nothing any more, and one that was never asked has nothing to close", async () => {
    const { helper } = opened("r+");
    await helper.close();
    expect(await attempt(() => helper.do("punch", 0, 4096))).toMatchObject({ ok: false });
  });

  test("that cannot write, or that is not there, fails; whoever waits for it is told", async () => {
    const { path, helper } = opened("r");
    const errno = await attempt(() => helper.do("punch", 0, 4096));
    expect(errno).toMatchObject({ value: "EBADF" });
    await helper.close();
    const before = process.env["PATH"];
    process.env["PATH"] = "/nowhere";
    try {
      const other = opened("r+");
      expect(await attempt(() => other.helper.do("punch", 0, 4096))).toMatchObject({
        failure: { kind: "io", errno: "ENOENT" },
      });
      await other.helper.close();
      await using target = await openSyncTarget(path);
      await target.zero(0, MIB);
      await target.flush();
    } finally {
      process.env["PATH"] = before;
    }
    expect(
      readFileSync(path)
        .subarray(0, MIB + 1)
        .lastIndexOf(7),
    ).toBe(MIB);
    expect(readFileSync(path).indexOf(7)).toBe(MIB);
  });
});

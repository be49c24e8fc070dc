import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { findDisk, resolveDisk } from "../../../../src/host/local/disk-path.ts";
import { scratch } from "../../../support/need.ts";

describe("the disk that a name means", () => {
  test("is a file, or nothing", async () => {
    const dir = scratch();
    const path = join(dir, "disk.img");
    expect(await findDisk(path)).toBeUndefined();
    writeFileSync(path, "x");
    expect(await findDisk(path)).toEqual({ path, kind: "file" });
  });

  test("is no directory, and no terminal", async () => {
    const dir = scratch();
    mkdirSync(join(dir, "vg0"));
    for (const name of [dir, "/dev/null"])
      expect(await attempt(() => findDisk(name))).toMatchObject({ failure: { kind: "misuse" } });
  });

  test("that is not there says what to look for", async () => {
    expect(await attempt(() => resolveDisk("no-such-vg/root"))).toMatchObject({
      failure: { kind: "missing", what: expect.stringContaining("logical volume") },
    });
    expect(await attempt(() => resolveDisk("/nowhere/disk"))).toMatchObject({
      failure: { kind: "missing", what: "such disk" },
    });
  });
});

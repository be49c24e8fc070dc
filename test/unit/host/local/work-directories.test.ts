import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { workDirectories } from "../../../../src/host/local/work-directories.ts";

test("directories are made for their owner alone, listed, and removed with all that is in them", async () => {
  const top = mkdtempSync(join(tmpdir(), "domus-work-"));
  try {
    const work = workDirectories(join(top, "state", "rehearse"));
    expect(await work.list()).toEqual([]);
    await work.remove("never");
    await work.make("b", "guest.cfg", "text");
    await work.make("a", "guest.cfg", "");
    expect(await work.list()).toEqual(["a", "b"]);
    expect(readFileSync(`${work.path("b")}/guest.cfg`, "utf8")).toBe("text");
    expect(statSync(work.path("b")).mode & 0o077).toBe(0);
    expect(await attempt(() => work.make("b", "x", ""))).toMatchObject({ failure: { kind: "io" } });
    writeFileSync(`${work.path("b")}/disk`, "");
    await work.remove("b");
    expect(await work.list()).toEqual(["a"]);
    writeFileSync(join(top, "file"), "");
    const none = workDirectories(join(top, "file"));
    expect(await attempt(() => none.list())).toMatchObject({ failure: { kind: "io" } });
  } finally {
    rmSync(top, { recursive: true });
  }
});

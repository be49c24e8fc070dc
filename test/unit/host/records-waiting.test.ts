/** `waiting.json` and the records: whatever is cut off in between, what waits is in the file. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { openRecords, openRecordsReadOnly } from "../../../src/host/local/records-db.ts";
import { readWaitingFile, waitingFilePath } from "../../../src/host/local/waiting-file.ts";
import type { ImageRecord } from "../../../src/host/records.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-records-waiting-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const IMAGE: Omit<ImageRecord, "id"> = {
  guest: "pandora",
  uuid: "00000000-1111-2222-3333-444444444444",
  path: "/image",
  state: "waiting",
  savedAtMs: 1000,
  disks: [
    { vdev: "xvda", path: "/dev/vg0/p", readonly: false, fingerprint: { digest: "ab" } },
    { vdev: "xvdc", path: "/srv/install.iso", readonly: true },
  ],
};

const waiting = () => readWaitingFile(dir).map(({ guest }) => guest);

describe("the list", () => {
  test("goes with the states of the images", () => {
    using records = openRecords(dir);
    const { id } = records.addImage({ ...IMAGE, state: "saving" });
    expect(waiting()).toEqual([]);
    records.changeImage(id, { state: "waiting", savedAtMs: 2000 });
    expect(readWaitingFile(dir)).toEqual([
      {
        guest: "pandora",
        uuid: IMAGE.uuid,
        image: "/image",
        savedAtMs: 2000,
        disks: [{ path: "/dev/vg0/p" }],
      },
    ]);
    const other = records.addImage({ ...IMAGE, guest: "b" });
    expect(waiting()).toEqual(["pandora", "b"]);
    records.changeImage(id, { path: "/elsewhere" });
    expect(readWaitingFile(dir).map(({ image }) => image)).toEqual(["/elsewhere", "/image"]);
    records.changeImage(id, { state: "restored" });
    expect(waiting()).toEqual(["b"]);
    records.removeImage(other.id);
    expect(waiting()).toEqual([]);
  });

  test("has nothing of a transaction that failed", () => {
    using records = openRecords(dir);
    records.addImage(IMAGE);
    const failed = () =>
      records.transaction(() => {
        records.addImage({ ...IMAGE, guest: "b" });
        records.transaction(() => records.addImage({ ...IMAGE, guest: "c" }));
        throw new Error("in the middle");
      });
    expect(failed).toThrow("in the middle");
    expect(waiting()).toEqual(["pandora"]);
  });

  test("is for the same people as the records", () => {
    using records = openRecords(dir);
    records.addImage(IMAGE);
    expect(statSync(waitingFilePath(dir)).mode & 0o007).toBe(0);
  });

  test.each(["", "{", `{"domus":1,"waiting":[]}`])(
    "that does not fit (%j) is put right by the next who may write",
    (text) => {
      openRecords(dir)[Symbol.dispose]();
      {
        using records = openRecords(dir);
        records.addImage(IMAGE);
      }
      writeFileSync(waitingFilePath(dir), text);
      openRecordsReadOnly(dir)[Symbol.dispose]();
      expect(attemptSync(waiting)).not.toMatchObject({ value: ["pandora"] });
      openRecords(dir)[Symbol.dispose]();
      expect(waiting()).toEqual(["pandora"]);
    },
  );

  test("that cannot be written is a failure, and the image is not recorded", () => {
    using records = openRecords(dir);
    const path = "/x".repeat(5000);
    expect(attemptSync(() => records.addImage({ ...IMAGE, path }))).toMatchObject({
      failure: { kind: "limit" },
    });
    expect(records.images()).toEqual([]);
    expect(waiting()).toEqual([]);
  });
});

/** Dies at the nth COMMIT, before it or after it. */
function diesAt(nth: number, when: "before" | "after", work: string): void {
  const script = `
    import { DatabaseSync } from "node:sqlite";
    import { openRecords } from ${JSON.stringify(join(import.meta.dirname, "../../../src/host/local/records-db.ts"))};
    const records = openRecords(${JSON.stringify(dir)});
    const exec = DatabaseSync.prototype.exec;
    let count = 0;
    DatabaseSync.prototype.exec = function (sql) {
      const dies = sql === "COMMIT" && ++count === ${nth};
      if (dies && ${when === "before"}) process.kill(process.pid, "SIGKILL");
      exec.call(this, sql);
      if (dies) process.kill(process.pid, "SIGKILL");
    };
    ${work}`;
  const ran = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  expect(ran.signal, ran.stderr).toBe("SIGKILL");
}

describe("a cut", () => {
  const add = `records.addImage(${JSON.stringify({ ...IMAGE, guest: "b" })});`;
  const end = `records.changeImage(records.images()[0].id, { state: "restored" });`;
  test.each([
    { of: "a save", work: add, when: "before", cut: ["b", "pandora"], repaired: ["pandora"] },
    { of: "a save", work: add, when: "after", cut: ["b", "pandora"], repaired: ["pandora", "b"] },
    { of: "a restore", work: end, when: "before", cut: ["pandora"], repaired: ["pandora"] },
    { of: "a restore", work: end, when: "after", cut: ["pandora"], repaired: [] },
  ] as const)("of $of, $when the records have it", ({ work, when, cut, repaired }) => {
    {
      using records = openRecords(dir);
      records.addImage(IMAGE);
    }
    diesAt(1, when, work);
    expect(waiting(), "errs on the side of stopping").toEqual(cut);
    openRecords(dir)[Symbol.dispose]();
    expect(waiting(), "after the next command").toEqual(repaired);
  });
});

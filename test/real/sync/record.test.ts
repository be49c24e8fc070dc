/** The record of a copy on the disk: what it says after each end of a run, and when its tags are believed. */
import { spawn } from "node:child_process";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { chmod, open, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { openCopyRecord } from "../../../src/host/local/copy-record.ts";
import type { OpenedCopyRecord, RecordOptions } from "../../../src/host/local/copy-record.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { Digester } from "../../../src/sync/digests.ts";
import { SEGMENT_BYTES, segmentCount, segmentExtent } from "../../../src/sync/geometry.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

const SIZE = 100 * SEGMENT_BYTES + 4321;
const SEGMENTS = segmentCount(SIZE);
const source = { identity: new Uint8Array(32).fill(1), sizeBytes: SIZE, name: "hosta:/dev/vg/a" };

/** A file of zeroes. */
function made(): string {
  need("flock");
  const path = join(scratch(), "disk.img");
  writeFileSync(path, "");
  truncateSync(path, SIZE);
  return path;
}

type Opened = {
  readonly target: RecordOptions["target"];
  readonly record: OpenedCopyRecord;
  readonly digester: Digester;
};
type Options = Partial<RecordOptions>;

/** Opens target and record as a destination does, and closes both after `use`, whatever it ends with. */
async function withRecord<T>(
  path: string,
  options: Options,
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  await using target = await openSyncTarget(path, { sizeBytes: SIZE });
  await using record = await openCopyRecord({ target, source, ...options });
  return await use({ target, record, digester: new Digester(record.key) });
}

const about = ({ record }: Opened) => ({
  sizeBytes: SIZE,
  identity: source.identity,
  key: record.key,
});

/** Says that these segments were verified, with the tags of what is there: zeroes. */
function verify({ record, digester }: Opened, first: number, count: number): void {
  for (let segment = first; segment < first + count; segment++) {
    const { length } = segmentExtent(SIZE, segment);
    record.verified?.([{ segment, tag: digester.zeroTag(length) }]);
  }
}

/** A whole run that writes and finishes. */
async function finishedRun(path: string, options: Options = {}): Promise<void> {
  await withRecord(path, options, async (opened) => {
    await opened.record.begin(about(opened));
    verify(opened, 0, SEGMENTS);
    await opened.record.finish(new Uint8Array(32).fill(9));
  });
}

const look = (path: string, options: Options = {}) =>
  withRecord(path, options, async ({ record }) => {
    const { state, distrust, knownSegments } = record;
    const known = Array.from({ length: SEGMENTS }, (_, i) => i).filter((i) => record.knownTag?.(i));
    return { state, distrust, knownSegments, known: known.length };
  });

describe("the record of a copy to a file", () => {
  test("is none before a run begins, unfinished from its beginning, finished at its end", async () => {
    const path = made();
    expect(await look(path)).toMatchObject({ state: "none", known: 0 });
    expect(existsSync(`${path}.domus-sync`)).toBe(false);
    expect(existsSync(`${path}.domus-sync.new`)).toBe(false);
    await withRecord(path, {}, async (opened) => {
      await opened.record.begin(about(opened));
      expect(statSync(`${path}.domus-sync`).mode & 0o777).toBe(0o600);
    });
    expect((await look(path)).state).toBe("unfinished");
    await finishedRun(path);
    expect((await look(path)).state).toBe("finished");
    expect(statSync(`${path}.domus-sync`).size).toBe(12_288);
  });

  test("of a finished run with an index: its tags are believed until something writes", async () => {
    const path = made();
    await finishedRun(path, { keepIndex: true });
    const believed = { state: "finished", distrust: undefined, known: SEGMENTS };
    expect(await look(path)).toMatchObject({ ...believed, knownSegments: SEGMENTS });
    expect(await look(path, { full: true })).toMatchObject({ known: 0 });
    const other = { ...source, identity: new Uint8Array(32).fill(7) };
    expect((await look(path, { source: other })).distrust).toContain("another source");
    expect(await look(path, { source: other, since: source.identity })).toMatchObject(believed);
    const handle = await open(path, "r+");
    await handle.write(new Uint8Array(1), 0, 1, SEGMENT_BYTES);
    await handle.close();
    expect((await look(path)).distrust).toBe("something wrote to it since");
  });

  test("of a run that was stopped: what it verified is believed, the rest is read", async () => {
    const path = made();
    await withRecord(path, {}, async (opened) => {
      await opened.record.begin(about(opened));
      verify(opened, 0, 40);
    });
    expect(await look(path)).toMatchObject({ state: "unfinished", knownSegments: 40, known: 40 });
    // A run that writes nothing leaves it as it is.
    await withRecord(path, {}, async (opened) => verify(opened, 0, 10));
    expect(await look(path)).toMatchObject({ state: "unfinished", known: 40 });
  });

  test("of a run that begins again has no tags of the one before", async () => {
    const path = made();
    await finishedRun(path, { keepIndex: true });
    await withRecord(path, { keepIndex: true }, async (opened) => {
      await opened.record.begin(about(opened));
      verify(opened, 0, 3);
    });
    expect(await look(path)).toMatchObject({ state: "unfinished", known: 3 });
  });

  test("keeps tags of what a run does not look at", async () => {
    const path = made();
    await finishedRun(path, { keepIndex: true });
    await withRecord(path, { keepIndex: true }, async (opened) => {
      await opened.record.begin(about(opened));
      verify(opened, 20, 2);
      verify(opened, 70, 1);
      await opened.record.finish(new Uint8Array(32));
    });
    expect(await look(path)).toMatchObject({ state: "finished", known: SEGMENTS });
  });

  test("is not believed when a sample says otherwise", async () => {
    const path = made();
    await withRecord(path, { keepIndex: true }, async (opened) => {
      for (let segment = 0; segment < SEGMENTS; segment++)
        opened.record.verified?.([{ segment, tag: new Uint8Array(16).fill(5) }]);
      await opened.record.finish(new Uint8Array(32));
    });
    expect((await look(path)).distrust).toContain("sample");
  });

  test("of a file that was replaced, or that others can read, is not believed", async () => {
    const path = made();
    await finishedRun(path, { keepIndex: true });
    await chmod(`${path}.domus-sync`, 0o640);
    expect((await look(path)).distrust).toContain("others");
    await chmod(`${path}.domus-sync`, 0o600);
    writeFileSync(`${path}.2`, readFileSync(path));
    renameSync(`${path}.2`, path);
    expect((await look(path)).distrust).toContain("another disk");
  });

  test("that is damaged counts as unfinished, and the next run makes a new one", async () => {
    const path = made();
    await finishedRun(path);
    for (const size of [0, 100, 8191]) {
      truncateSync(`${path}.domus-sync`, size);
      expect(await look(path)).toMatchObject({
        state: "unfinished",
        distrust: "its record cannot be read",
      });
    }
    await finishedRun(path);
    expect((await look(path)).state).toBe("finished");
  });

  test("lies beside the file that a symlink leads to", async () => {
    const path = made();
    const link = join(scratch(), "link.img");
    await symlink(path, link);
    await finishedRun(link);
    expect((await look(path)).state).toBe("finished");
  });

  test("another source than was announced is refused before anything is changed", async () => {
    const path = made();
    const began = await attempt(() =>
      withRecord(path, {}, (opened) =>
        opened.record.begin({ ...about(opened), identity: new Uint8Array(32) }),
      ),
    );
    expect(began).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
    expect((await look(path)).state).toBe("none");
  });
});

describe("one run at a time", () => {
  const busy = { ok: false, failure: { kind: "refused" } };

  test("before it has begun and after, and free again when it ends", async () => {
    const path = made();
    const again = ({ target }: Opened) => attempt(() => openCopyRecord({ target, source }));
    await withRecord(path, {}, async (opened) => {
      expect(await again(opened)).toMatchObject(busy);
      await opened.record.begin(about(opened));
      expect(await again(opened)).toMatchObject(busy);
      expect(existsSync(`${path}.domus-sync.new`)).toBe(false);
      await opened.record.finish(new Uint8Array(32));
    });
    expect((await look(path)).state).toBe("finished");
  });

  test("of twenty that want it at a time one gets it", async () => {
    const path = made();
    await using target = await openSyncTarget(path, { sizeBytes: SIZE });
    let left = 20;
    const all = Promise.withResolvers<void>();
    const got = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const opened = await attempt(() => openCopyRecord({ target, source }));
        if (--left === 0) all.resolve();
        if (!opened.ok) return opened.failure.kind;
        await using _record = opened.value;
        // Until all others have given up.
        await all.promise;
        return "got";
      }),
    );
    expect(got.toSorted()).toEqual(["got", ...Array.from({ length: 19 }, () => "refused")]);
  });

  test("a process that is killed lets go of it, and leaves an unfinished copy", async () => {
    const path = made();
    const script = `
      const { openSyncTarget } = await import("./src/host/local/sync-target.ts");
      const { openCopyRecord } = await import("./src/host/local/copy-record.ts");
      const target = await openSyncTarget(${JSON.stringify(path)}, { sizeBytes: ${SIZE} });
      const source = { identity: new Uint8Array(32).fill(1), sizeBytes: ${SIZE}, name: "x" };
      const record = await openCopyRecord({ target, source });
      await record.begin({ sizeBytes: ${SIZE}, identity: source.identity, key: record.key });
      record.verified([{ segment: 0, tag: new Uint8Array(16).fill(1) }]);
      console.log("begun");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
    expect(await attempt(() => look(path))).toMatchObject(busy);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    expect(await look(path)).toMatchObject({
      state: "unfinished",
      distrust: "the last run was cut off before it could say what it left",
      known: 0,
    });
  });
});

describe("the record of a copy to a device", () => {
  /** A loop device, a second name for it, and a directory for records. */
  function device() {
    need("losetup", "flock");
    needRoot("loop devices");
    const directory = scratch();
    const file = join(directory, "backing");
    writeFileSync(file, "");
    truncateSync(file, SIZE + 511 - ((SIZE + 511) % 512));
    const path = sh(`losetup -f --show ${file}`).toString().trim();
    onTestFinished(() => void sh(`losetup -d ${path}`));
    const link = join(directory, "by-another-name");
    symlinkSync(path, link);
    return { path, link, options: { stateDirectory: join(directory, "state") } };
  }

  test("lies in the state directory, and is found under another name of the device", async () => {
    const { path, link, options } = device();
    expect(await look(path, options)).toMatchObject({ state: "none" });
    await finishedRun(path, { ...options, keepIndex: true });
    const believed = { state: "finished", distrust: undefined, known: SEGMENTS };
    expect(await look(path, options)).toMatchObject(believed);
    expect(await look(link, options)).toMatchObject(believed);
    await withRecord(link, options, (opened) => opened.record.begin(about(opened)));
    // One record for one device: the finished one is gone.
    expect(await look(path, options)).toMatchObject({ state: "unfinished" });
    expect(readdirSync(join(options.stateDirectory, "sync")).length).toBe(1);
  });

  test("is not believed after somebody wrote, also when that still waits in memory", async () => {
    const { path, options } = device();
    await finishedRun(path, { ...options, keepIndex: true });
    const stranger = await open(path, "r+");
    try {
      // The byte that is there already: no sample would see it.
      await stranger.write(new Uint8Array(1), 0, 1, 7);
      expect((await look(path, options)).distrust).toBe("something wrote to it since");
    } finally {
      await stranger.close();
    }
  });
});

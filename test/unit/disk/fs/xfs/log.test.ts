/** The log, replayed: written by hand as the kernel writes it. */
import { describe, expect, test } from "vitest";
import {
  BLOCK,
  DATA_BLOCK,
  INODE,
  LOG_BLOCK,
  makeImage,
  setDirectory,
  setInode,
  setMapped,
} from "./image.ts";
import { LARGE, look, renamed, REPLAYED } from "./log-view.ts";
import {
  bufferItem,
  cancelItem,
  createItem,
  inodeItem,
  intentItem,
  LOG_LENGTH,
  LogWriter,
  OP,
  rootItem,
} from "./log-writer.ts";

/** What a place of the log has when a write of these blocks did not reach the disk. */
function lose(log: LogWriter, from: number, to: number, cycle: number): void {
  for (let block = from; block < to; block++) {
    log.image.bytes.fill(0, LOG_BLOCK * BLOCK + block * 512, LOG_BLOCK * BLOCK + (block + 1) * 512);
    log.image.u32(LOG_BLOCK * BLOCK + block * 512, cycle);
  }
}

describe.each([4, 5] as const)("version %i", (version) => {
  const start = (options = {}) => new LogWriter(makeImage(version), options);
  const change = (name: string) => renamed(name, DATA_BLOCK, version);

  test("the newest change wins", async () => {
    const { image } = start().transaction(change("one")).transaction(change("two"));
    expect(await look(image)).toMatchObject({ names: "two part-1", state: REPLAYED(2), notes: [] });
  });

  test("a transaction without its end is left out", async () => {
    const log = start().transaction(change("one"));
    log.record(log.operations(change("two")).slice(0, -1));
    expect(await look(log.image)).toMatchObject({ names: "one part-1", state: REPLAYED(1) });
  });

  test("transactions overlap, and their regions go over records", async () => {
    const log = start();
    const [open, header, format, data, commit] = log.operations(change("split"));
    const [first, rest] = [data!.bytes!.slice(0, 300), data!.bytes!.slice(300)];
    log
      .record([open!, header!, format!, { ...data!, flags: OP.continues, bytes: first }])
      .transaction(change("between"))
      .record([{ ...data!, flags: OP.continued | OP.end, bytes: rest }, commit!]);
    expect(await look(log.image)).toMatchObject({ names: "split part-1", state: REPLAYED(2) });
  });

  test("the header of a transaction goes over records, too", async () => {
    const log = start();
    const [open, header, ...others] = log.operations(change("split"));
    log
      .record([open!, { ...header!, flags: OP.continues, bytes: header!.bytes!.slice(0, 8) }])
      .record([
        { ...header!, flags: OP.continued | OP.end, bytes: header!.bytes!.slice(8) },
        ...others,
      ]);
    expect(await look(log.image)).toMatchObject({ names: "split part-1", state: REPLAYED(1) });
  });

  test("what was freed later is not replayed, what came after that is", async () => {
    const log = start()
      .transaction(change("before"))
      .transaction(cancelItem(DATA_BLOCK * 2, 2));
    expect(await look(log.image)).toMatchObject({ names: "part-0 part-1", state: REPLAYED(2) });
    log.transaction(change("after"));
    expect(await look(log.image)).toMatchObject({ names: "after part-1", state: REPLAYED(3) });
    log.transaction(cancelItem(DATA_BLOCK * 2, 2));
    expect(await look(log.image)).toMatchObject({ names: "part-0 part-1", state: REPLAYED(4) });
  });

  test("inodes, in the byte order of the processor", async () => {
    const later = makeImage(version);
    setMapped(later, INODE.large, { mode: 0o40711, size: BLOCK }, [[0, DATA_BLOCK + 1, 1]]);
    const { image } = start().transaction(inodeItem(later, INODE.large));
    const { names, fs } = await look(image);
    expect(names).toBe("part-1");
    const inode = await fs.inode((await fs.lookup(await fs.root(), "large"))!);
    expect(inode).toMatchObject({ mode: 0o711, size: BLOCK, links: 1 });
  });

  test.each([LOG_LENGTH - 1, LOG_LENGTH - 2, LOG_LENGTH - 3, LOG_LENGTH - 4, 5])(
    "the log goes round, from block %i on",
    async (at) => {
      const log = start({ start: at, cycle: 7 });
      for (let i = 0; i < 30; i++) log.forget().transaction(change(`name-${i}`));
      log.transaction(change("last"));
      expect(await look(log.image)).toMatchObject({ names: "last part-1", state: REPLAYED(2) });
    },
  );

  test("after an unmount there is nothing to do", async () => {
    const { image } = start().transaction(change("one")).unmount();
    expect(await look(image)).toMatchObject({ names: "part-0 part-1", state: "clean" });
  });

  test("records after one that did not arrive are left out", async () => {
    const log = start({ start: 50, cycle: 3 }).transaction(change("one"));
    const lost = log.head;
    log.transaction(change("two"));
    const after = log.head;
    for (let i = 0; i < 6; i++) log.transaction(change(`later-${i}`));
    // Bisection alone would end behind the later ones.
    expect(log.head).toBeGreaterThan(64);
    lose(log, lost, after, 2);
    expect(await look(log.image)).toMatchObject({ names: "one part-1", state: REPLAYED(1) });
  });

  test("also when the later ones go over the end of the ring", async () => {
    const log = start({ start: LOG_LENGTH - 13, cycle: 3 }).transaction(change("one"));
    const lost = log.head;
    log.transaction(change("two"));
    const after = log.head;
    for (let i = 0; i < 3; i++) log.transaction(change(`later-${i}`));
    expect(log.head).toBeLessThan(20);
    lose(log, lost, after, 2);
    expect(await look(log.image)).toMatchObject({ names: "one part-1", state: REPLAYED(1) });
  });

  test("the root of a tree of extents, as it is in memory", async () => {
    const image = makeImage(version);
    setMapped(image, INODE.tree, { mode: 0o100644, size: 20_000 }, []);
    image.seal();
    const item = rootItem(makeImage(version), INODE.tree);
    const log = new LogWriter(image).transaction(item);
    const { fs } = await look(log.image);
    const file = await fs.inode((await fs.lookup(await fs.root(), "tree"))!);
    expect(Buffer.from(await fs.read(file, 0, 3)).toString()).toBe("bbb");
    expect(Buffer.from(await fs.read(file, 5 * BLOCK, 3)).toString()).toBe("bbb");
  });

  test("the superblock", async () => {
    const bytes = makeImage(version).bytes.slice(0, 128);
    bytes.set(Buffer.from("replayed"), 108);
    const { image } = start().transaction(bufferItem(0, 1, [{ at: 0, bytes }]));
    expect((await look(image)).fs.label).toBe("replayed");
  });

  test("a record of which the end is missing is left out", async () => {
    const log = start({ start: 9, cycle: 3 }).transaction(change("one"));
    const { head } = log;
    log.transaction(change("two"));
    // The last block of the second record did not reach the disk.
    log.image.u32(LOG_BLOCK * BLOCK + (log.head - 1) * 512, 2);
    expect(log.head).toBeGreaterThan(head + 2);
    expect(await look(log.image)).toMatchObject({ names: "one part-1", state: REPLAYED(1) });
  });
});

test("version 4: an inode that was written more often than the log knows stays", async () => {
  const later = makeImage(4);
  setMapped(later, INODE.large, { mode: 0o40711, size: BLOCK }, [[0, DATA_BLOCK + 1, 1]]);
  const FLUSHITER = 30;
  for (const [onDisk, inLog, expected] of [
    [5, 4, "part-0 part-1"],
    [5, 5, "part-1"],
    [0xffff, 3, "part-1"],
  ] as const) {
    const image = makeImage(4);
    image.u16(image.inodeAt(INODE.large) + FLUSHITER, onDisk);
    const [format, core, fork] = inodeItem(later, INODE.large);
    new DataView(core!.buffer).setUint16(FLUSHITER, inLog, true);
    const log = new LogWriter(image).transaction([format!, core!, fork!]);
    expect((await look(log.image)).names).toBe(expected);
  }
});

const startV5 = () => new LogWriter(makeImage());

describe("version 5 only", () => {
  test("fresh inodes, and one of them put to use", async () => {
    const later = makeImage();
    const number = 2 * 150; // block 150 of the first group
    setInode(later, number, { mode: 0o100600, size: 0, format: 2 });
    setDirectory(later, LARGE, [["fresh", number, 1]]);
    const bytes = later.bytes.slice(DATA_BLOCK * BLOCK, (DATA_BLOCK + 1) * BLOCK);
    const entry = bufferItem(DATA_BLOCK * 2, 2, [{ at: 0, bytes }]);
    const { image } = startV5().transaction(inodeItem(later, number), entry, createItem(0, 150, 4));
    const { fs, names } = await look(image);
    expect(names).toBe("fresh part-1");
    const large = await fs.inode((await fs.lookup(await fs.root(), "large"))!);
    const fresh = await fs.inode((await fs.lookup(large, "fresh"))!);
    expect(fresh).toMatchObject({ number, kind: "file", mode: 0o600, size: 0 });
  });

  test("fresh inodes that were freed again are not made", async () => {
    const log = startV5().transaction(createItem(0, DATA_BLOCK, 2));
    log.transaction(cancelItem(DATA_BLOCK * 2 + 2, 2));
    expect(await look(log.image)).toMatchObject({ names: "part-0 part-1" });
  });

  test("what is newer on disk stays", async () => {
    const log = startV5().transaction(renamed("older"));
    const image = log.image;
    image.u64(DATA_BLOCK * BLOCK + 16, (1n << 32n) | 1n);
    image.u64(image.inodeAt(INODE.short) + 112, (1n << 32n) | 9n);
    image.seal();
    const later = makeImage();
    setMapped(later, INODE.short, { mode: 0o40755, size: 0 }, []);
    log.transaction(inodeItem(later, INODE.short));
    const { names, fs } = await look(image);
    expect(names).toBe("part-0 part-1");
    const short = await fs.inode((await fs.lookup(await fs.root(), "short"))!);
    expect(short.size).toBe(19);
  });

  test("records of 256 KiB have more headers", async () => {
    const log = startV5();
    const padding = { id: 1, flags: 0, bytes: new Uint8Array(34_000) };
    const operations = log.operations(renamed("wide"));
    // Behind 32 KiB of a transaction that never ends.
    log.record([{ id: 77, flags: OP.start }, { ...padding, id: 78 }, ...operations], {
      size: 262_144,
    });
    expect(await look(log.image)).toMatchObject({ names: "wide part-1", state: REPLAYED(1) });
  });

  test("a torn record among the last ends the log", async () => {
    const log = startV5().transaction(renamed("one"));
    log.record(log.operations(renamed("torn")), { damaged: true }).transaction(renamed("lost"));
    expect(await look(log.image)).toMatchObject({ names: "one part-1", state: REPLAYED(1) });
    const first = startV5();
    first.record(first.operations(renamed("torn")), { damaged: true });
    expect(await look(first.image)).toMatchObject({
      names: "part-0 part-1",
      state: "not cleanly unmounted, nothing in the log to replay",
    });
  });

  test("intents to change files, cut off and ended", async () => {
    const log = startV5().transaction(intentItem(0x1244, 5), intentItem(0x1248, 5));
    const { state, notes } = await look(log.image);
    expect(state).toBe(`${REPLAYED(1)}; changes of files cut off in the middle`);
    expect(notes).toMatchObject([{ code: "xfs-log-unfinished", what: /^2 changes/ }]);
    log.transaction(intentItem(0x1245, 5), intentItem(0x1236, 6));
    expect((await look(log.image)).notes).toMatchObject([{ what: /^1 change of/ }]);
    log.transaction(intentItem(0x1249, 5));
    expect((await look(log.image)).notes).toEqual([]);
  });
});

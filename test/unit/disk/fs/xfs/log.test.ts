import { describe, expect, test } from "vitest";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import {
  BLOCK,
  DATA_BLOCK,
  INODE,
  LOG_BLOCK,
  makeImage,
  ROOT_BLOCK,
  setDirectory,
  setInode,
  setMapped,
  UUID,
} from "./image.ts";
import type { Image } from "./image.ts";
import {
  bufferItem,
  cancelItem,
  createItem,
  inodeItem,
  intentItem,
  LOG_LENGTH,
  LogWriter,
  OP,
  sealRecords,
} from "./log-writer.ts";
import type { Item, RecordOptions } from "./log-writer.ts";

const LARGE = { block: DATA_BLOCK, owner: INODE.large, form: "data" } as const;

/** A change of the first block of the directory `large`: its one name, the whole block. */
function renamed(name: string, block = DATA_BLOCK, version: 4 | 5 = 5): Item {
  const image = makeImage(version);
  setDirectory(image, { ...LARGE, block }, [[name, INODE.file, 1]]);
  const bytes = image.bytes.slice(block * BLOCK, (block + 1) * BLOCK);
  return bufferItem(block * 2, 2, [{ at: 0, bytes }]);
}

async function look(image: Image) {
  const fs = await openXfs(image.source());
  const large = await fs.inode((await fs.lookup(await fs.root(), "large"))!);
  const names: string[] = [];
  for await (const { name } of fs.list(large)) names.push(name);
  return { names: names.join(" "), state: fs.state.text, notes: fs.notes, fs };
}

const REPLAYED = (count: number) =>
  `log replayed in memory (${count} ${count === 1 ? "transaction" : "transactions"})`;

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

const wrongMap = () => {
  const [format] = renamed("x");
  new DataView(format!.buffer).setUint32(16, 18, true);
  format![2] = 1;
  return [format!];
};
const shortRegion = () => {
  const [format, bytes] = renamed("x");
  return [format!, bytes!.slice(0, 100)];
};
const outside = (block: number) => bufferItem(block, 2, [{ at: 0, bytes: new Uint8Array(128) }]);
const noInode = () => {
  const later = makeImage();
  const [format, ...rest] = inodeItem(later, INODE.file);
  new DataView(format!.buffer).setBigUint64(16, 800n, true);
  return [format!, ...rest];
};
const inodeNowhere = () => {
  const later = makeImage();
  setInode(later, 40, { mode: 0o100600, size: 0, format: 2 });
  return inodeItem(later, 40, 0);
};
const longFork = () => {
  const [format, core, fork] = inodeItem(makeImage(), INODE.file);
  return [format!, core!, Buffer.concat([fork!, new Uint8Array(4)])];
};
const forkoff = () => {
  const [format, core, fork] = inodeItem(makeImage(), INODE.file);
  core![82] = 60;
  return [format!, core!, fork!];
};
const fields = (value: number) => {
  const [format, ...rest] = inodeItem(makeImage(), INODE.file);
  new DataView(format!.buffer).setUint32(4, value, true);
  return [format!, ...rest];
};
const fullRoot = () => {
  const [format, core, fork] = fields(9);
  fork![7] = 30; // bb_numrecs
  return [format!, core!, fork!];
};
const emptyItem = () => {
  const [item] = intentItem(0x1236, 1);
  item![2] = 0;
  return [item!];
};

const ITEMS: readonly (readonly [string, () => Item, RegExp])[] = [
  ["an unknown item", () => intentItem(0x1299, 1), /log block 0: log item 0x1299 is not supported/],
  ["a buffer outside", () => outside(600), /a change of 2 basic blocks from 600 on/],
  ["a buffer far outside", () => outside(2 ** 53 - 1), /a change of 2 basic blocks from 9007199/],
  ["a map too long", wrongMap, /a buffer's map of 18 words, expected at most 17/],
  ["a region too short", shortRegion, /100 bytes for piece 0 of a buffer of 2 blocks/],
  [
    "a piece behind the buffer",
    () => bufferItem(20, 1, [{ at: 512, bytes: new Uint8Array(128) }]),
    /128 bytes for piece 4 of a buffer of 1 blocks/,
  ],
  ["an item of no regions", emptyItem, /an item of 0 regions/],
  ["an inode that cannot be", noInode, /an item of inode 800/],
  ["an inode where none is", inodeNowhere, /item of inode 40: found no inode where it belongs/],
  ["a fork too long", longFork, /item of inode 9: found 340 bytes of fork, expected at most 336/],
  ["a fork beyond the inode", forkoff, /item of inode 9: found a data fork of 480 bytes/],
  ["two kinds of fork", () => fields(7), /data fork flags 0x6/],
  ["a root too full", fullRoot, /inode 9: found a root with 30 entries, expected at most 16/],
  ["fresh inodes outside", () => createItem(0, 198, 4), /8 fresh inodes in 4 blocks from 198 of/],
  ["fresh inodes in no group", () => createItem(9, 20, 4), /from 20 of group 9/],
  ["very many fresh inodes", () => createItem(0, 20, 60), /120 fresh inodes .* at most 64/],
  ["fresh inodes on the headers", () => createItem(0, 1, 2), /4 fresh inodes in 2 blocks from 1/],
];

async function whyNot(log: LogWriter): Promise<string> {
  const { names, notes, state } = await look(log.image);
  if (notes.length === 0) return state;
  expect(names).toBe("part-0 part-1");
  expect(state).toMatch(/^log not replayed: /);
  return `${notes[0]!.code}: ${notes[0]!.why}`;
}

describe("hostile logs are not replayed, with a note that says where", () => {
  test.each(ITEMS)("%s", async (_, item, expected) => {
    const log = new LogWriter(makeImage()).transaction(renamed("one"), item());
    const why = await whyNot(log);
    expect(why).toMatch(/^xfs-log-(damaged|not-replayed): .*image > xfs > log > log block 0/);
    expect(why).toMatch(expected);
  });

  const other = UUID.toReversed();
  test.each([
    ["another filesystem's", { uuid: other }, /^xfs-log-damaged: .*log block 0: found UUID 1f1e/],
    ["a big-endian machine's", { format: 2 }, /^xfs-log-not-replayed: .*log format 2, of another/],
    ["of another version", { version: 8 }, /^xfs-log-not-replayed: .*version 8 of the log/],
    ["with too many headers", { size: 300_000 }, /^xfs-log-damaged: .*h_size 300000/],
  ] satisfies [string, RecordOptions, RegExp][])("a record %s", async (_, options, expected) => {
    const log = new LogWriter(makeImage());
    log.record(log.operations(renamed("one")), options);
    expect(await whyNot(log)).toMatch(expected);
  });

  test("operations that are none", async () => {
    const start = { id: 1, flags: OP.start };
    const text = new Uint8Array(16).fill(0x41);
    const cases: [Parameters<LogWriter["record"]>[0], RegExp][] = [
      [[{ ...start, client: 1 }], /an operation of 0 bytes by client 1/],
      [[start, { id: 1, flags: 0, bytes: text }], /a transaction without its header/],
      [[start, { id: 1, flags: 3 }], /operation flags 0x3/],
    ];
    for (const [operations, expected] of cases) {
      expect(await whyNot(new LogWriter(makeImage()).record(operations))).toMatch(expected);
    }
    const log = new LogWriter(makeImage());
    const whole = log.operations(renamed("one"));
    log.record(whole.filter((_, i) => i !== 3));
    expect(await whyNot(log)).toMatch(/found 1 regions of an item, expected 2/);
  });

  test("a head without a record", async () => {
    const image = makeImage();
    for (let block = 0; block < LOG_LENGTH; block++) {
      image.u32(LOG_BLOCK * BLOCK + block * 512, 5);
    }
    const { state } = await look(image);
    expect(state).toBe("log not replayed: it is damaged");
  });

  test("a superblock in the log that is none is not believed", async () => {
    const bytes = makeImage().bytes.slice(0, 128);
    bytes[124] = 63;
    const log = new LogWriter(makeImage()).transaction(bufferItem(0, 1, [{ at: 0, bytes }]));
    expect(await whyNot(log)).toMatch(/sb_agblklog 63/);
  });

  test.each([4, 5] as const)(
    "mutations of all of it, sealed again, version %i",
    async (version) => {
      const later = makeImage(version);
      setMapped(later, INODE.large, { mode: 0o40711, size: BLOCK }, [[0, DATA_BLOCK + 1, 1]]);
      const log = new LogWriter(makeImage(version))
        .transaction(renamed("one", DATA_BLOCK, version), inodeItem(later, INODE.large))
        .transaction(cancelItem(ROOT_BLOCK * 2, 2), intentItem(0x1244, 3));
      if (version === 5) log.transaction(createItem(0, 150, 4));
      log.transaction(renamed("two", DATA_BLOCK, version));
      const at = LOG_BLOCK * BLOCK;
      let replayed = 0;
      const run = await survivesMutation(
        [log.image.bytes.slice(at, at + log.head * 512)],
        async (damaged) => {
          const image = makeImage(version);
          image.bytes.set(damaged, at);
          if (version === 5) sealRecords(image);
          const { state } = await look(image);
          if (state.startsWith("log replayed")) replayed += 1;
        },
        { count: 900, seed: 30 + version },
      );
      expect(replayed).toBeGreaterThan(100);
      expect(run.values).toBeGreaterThan(300);
    },
  );
});

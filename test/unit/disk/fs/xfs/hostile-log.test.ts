/** Logs made wrong on purpose: the filesystem is shown without them, and a note says why and where. */
import { describe, expect, test } from "vitest";
import { BLOCK, INODE, LOG_BLOCK, makeImage, setInode, UUID } from "./image.ts";
import { look, renamed } from "./log-view.ts";
import {
  bufferItem,
  createItem,
  inodeItem,
  intentItem,
  LOG_LENGTH,
  LogWriter,
  OP,
} from "./log-writer.ts";
import type { Item, RecordOptions } from "./log-writer.ts";
import { mutateLog } from "./mutations.ts";

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

  // The long run is in test/real.
  test.each([4, 5] as const)("mutations of all of it, sealed again, version %i", (version) =>
    mutateLog(version, 100),
  );
});

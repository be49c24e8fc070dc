import { describe, expect, test } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { crc32beUpdate } from "../../../../../src/disk/fs/ext4/journal/crc32be.ts";
import { BLOCK, FILE_BLOCK, JOURNAL_BLOCKS, letters, Log, makeImage } from "./image.ts";
import type { Image, LogOptions } from "./image.ts";
import { mutateJournal } from "./mutations.ts";

const FORMATS: LogOptions[] = (["none", "v1", "v2", "v3"] as const).flatMap((checksums) => [
  { checksums },
  { checksums, wide: true },
]);
const A = FILE_BLOCK;
const B = FILE_BLOCK + 1;

/** The first letter of both blocks of the file, and the state, as domus sees them. */
async function look(image: Image) {
  const fs = await openExt4(image.source());
  const entry = await fs.lookup(await fs.root(), "file");
  const bytes = await fs.read(await fs.inode(entry!), 0, 10_000);
  const text = Buffer.from(bytes).toString("latin1");
  return { letters: text[0]! + text[BLOCK]!, state: fs.state.text, notes: fs.notes, text };
}

test("crc32be is the CRC-32/MPEG-2 of the catalogues", () => {
  expect(crc32beUpdate(~0, Buffer.from("123456789"))).toBe(0x0376e6e7);
});

describe.each(FORMATS)("checksums $checksums, 64-bit block numbers: $wide", (format) => {
  const start = (options = {}) => new Log(makeImage(), { ...format, ...options });

  test("the newest copy of each block wins", async () => {
    const log = start()
      .copies([
        { block: A, contents: letters("b") },
        { block: B, contents: letters("c") },
      ])
      .commit()
      .copies([{ block: A, contents: letters("d") }])
      .commit();
    const seen = await look(log.image);
    expect(seen.letters).toBe("dc");
    expect(seen.state).toBe("journal replayed in memory (2 transactions)");
    expect(seen.notes).toEqual([]);
  });

  test("a transaction without a commit is dropped", async () => {
    const log = start()
      .copies([{ block: A, contents: letters("b") }])
      .commit()
      .copies([
        { block: A, contents: letters("x") },
        { block: B, contents: letters("x") },
      ]);
    const seen = await look(log.image);
    expect(seen.letters).toBe("ba");
    expect(seen.state).toBe("journal replayed in memory (1 transaction)");
  });

  test("the log goes round", async () => {
    const log = start({ start: JOURNAL_BLOCKS - 3 })
      .copies([
        { block: A, contents: letters("b") },
        { block: B, contents: letters("c") },
      ])
      .commit()
      .copies([{ block: B, contents: letters("e") }])
      .commit();
    expect((await look(log.image)).letters).toBe("be");
  });

  test("revocations reach back, to their own transaction, and not forward", async () => {
    const log = start()
      .copies([
        { block: A, contents: letters("x") },
        { block: B, contents: letters("x") },
      ])
      .commit()
      .revoke([A, B])
      .copies([{ block: B, contents: letters("y") }])
      .commit()
      .copies([{ block: B, contents: letters("z") }])
      .commit();
    expect((await look(log.image)).letters).toBe("az");
  });

  test("escaped copies get the magic number back, also in reads that touch part of them", async () => {
    const contents = letters("m");
    new DataView(contents.buffer).setUint32(0, 0xc03b3998);
    const log = start()
      .copies([
        { block: A, contents },
        { block: B, contents },
      ])
      .commit();
    const { text } = await look(log.image);
    const magic = Buffer.from("c03b3998", "hex").toString("latin1");
    expect(text.slice(0, 6)).toBe(`${magic}mm`);
    expect(text.slice(BLOCK - 1, BLOCK + 5)).toBe(`m${magic}m`);
    const fs = await openExt4(log.image.source());
    const file = await fs.inode((await fs.lookup(await fs.root(), "file"))!);
    const part = await fs.read(file, BLOCK + 2, 4);
    expect(Buffer.from(part).toString("latin1")).toBe(`${magic.slice(2)}mm`);
  });

  test("a journal that is empty changes nothing", async () => {
    const seen = await look(start().image);
    expect(seen.letters).toBe("aa");
    expect(seen.state).toBe("not cleanly unmounted, nothing in the journal to replay");
  });
});

describe("damage in the log", () => {
  test.each(["v1", "v2", "v3"] as const)(
    "%s: a wrong commit ends the replay, with a note",
    async (checksums) => {
      const log = new Log(makeImage(), { checksums })
        .copies([{ block: A, contents: letters("b") }])
        .commit()
        .copies([{ block: B, contents: letters("x") }])
        .commit({ damaged: true })
        .copies([{ block: B, contents: letters("y") }])
        .commit();
      const seen = await look(log.image);
      expect(seen.letters).toBe("ba");
      expect(seen.notes.map((note) => note.code)).toEqual(["ext4-journal-end-damaged"]);
    },
  );

  test.each(["v2", "v3"] as const)(
    "%s: leftovers of an older journal end it without one",
    async (checksums) => {
      const log = new Log(makeImage(), { checksums })
        .copies([{ block: A, contents: letters("b") }])
        .commit()
        .copies([{ block: B, contents: letters("x") }])
        .commit({ time: 5, damaged: true });
      const seen = await look(log.image);
      expect(seen.letters).toBe("ba");
      expect(seen.notes).toEqual([]);
    },
  );

  test("v1: damaged contents show in the commit", async () => {
    const log = new Log(makeImage(), { checksums: "v1" })
      .copies([{ block: A, contents: letters("b") }])
      .commit();
    log.block(2)[100] = 1;
    expect((await look(log.image)).letters).toBe("aa");
  });

  test.each(["v2", "v3"] as const)(
    "%s: damaged contents and descriptors are named",
    async (checksums) => {
      for (const [block, expected] of [
        [1, /journal > journal block 1: found a wrong checksum in a committed transaction/],
        [2, /journal > journal block 2: found a wrong checksum of block 10/],
      ] as const) {
        const log = new Log(makeImage(), { checksums })
          .copies([{ block: A, contents: letters("b") }])
          .commit();
        log.block(block)[200] = 1;
        await expect(look(log.image)).rejects.toThrow(expected);
      }
    },
  );

  test("a copy for a block outside of the filesystem", async () => {
    const log = new Log(makeImage(), { checksums: "none" })
      .copies([{ block: 5000, contents: letters("b") }])
      .commit();
    await expect(look(log.image)).rejects.toThrow(/journal block 2: found a copy of block 5000/);
  });

  test("a ring of descriptors without a commit ends", async () => {
    const image = makeImage();
    const log = new Log(image, { checksums: "none" });
    for (let i = 0; i < JOURNAL_BLOCKS + 5; i++) log.revoke([]);
    expect((await look(image)).letters).toBe("aa");
  });

  // The long run is in test/real.
  test("every field of the journal's superblock and of the log, changed", () => mutateJournal(250));
});

import { describe, expect, test } from "vitest";
import { detectContent } from "../../../../src/disk/detect.ts";
import * as formats from "../../../../src/disk/named/formats.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { survivesMutation } from "../../../support/mutate.ts";

type Piece = readonly [offset: number, text: string];

/** 80 KiB with the pieces in it, each character one byte. */
function volume(...pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(80 * 1024);
  for (const [offset, text] of pieces) bytes.set(Buffer.from(text, "latin1"), offset);
  return bytes;
}

const ID = "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
const UUID = "01234567-89ab-cdef-0123-456789abcdef";
const LUKS_ID: Piece = [168, `${UUID}\0\0\0\0`];

/** Layouts as their own tools write them; each but ZFS was compared with what blkid prints of a real volume. */
const VOLUMES: [string, readonly Piece[], string][] = [
  ["LUKS1", [[0, "LUKS\xba\xbe\x00\x01"], LUKS_ID], UUID],
  ["LUKS2", [[0, "LUKS\xba\xbe\x00\x02"], LUKS_ID], UUID],
  [
    "LUKS1",
    [
      [0, "LUKS\xba\xbe\x00\x01"],
      [168, "\x1b[2J\0"],
    ],
    "",
  ],
  [
    "NTFS",
    [
      [3, "NTFS    "],
      [72, "\xb7\x97\xa9\x21\x04\x7b\xa7\x27"],
    ],
    "27A77B0421A997B7",
  ],
  [
    "exFAT",
    [
      [3, "EXFAT   "],
      [100, "\x4d\x11\x4c\xfb"],
    ],
    "FB4C-114D",
  ],
  ["squashfs", [[0, "hsqs"]], ""],
  [
    "F2FS",
    [
      [1024, "\x10\x20\xf5\xf2"],
      [1132, ID],
    ],
    UUID,
  ],
  [
    "EROFS",
    [
      [1024, "\xe2\xe1\xf5\xe0"],
      [1072, ID],
    ],
    UUID,
  ],
  [
    "bcache",
    [
      [4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"],
      [4136, ID],
    ],
    UUID,
  ],
  ["ZFS", [[16384, "\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\x24\0\0\0\x20\0\0\0\x07version"]], ""],
];

describe("formats known by name", () => {
  test.each(VOLUMES)("%s", async (format, pieces, uuid) => {
    const { content } = await detectContent(memorySource(volume(...pieces)));
    expect(content).toEqual({
      kind: "named",
      format,
      uuid,
      why: expect.stringMatching(/^.{30,}\.$/),
    });
  });

  test("every row is tried here", () => {
    const names = Object.values(formats).map(({ name }) => name);
    expect(new Set(VOLUMES.map(([name]) => name))).toEqual(new Set(names));
  });

  test("a volume that ends before its id has none", async () => {
    const source = memorySource(volume([1024, "\x10\x20\xf5\xf2"]).slice(0, 1100));
    expect((await detectContent(source)).content).toMatchObject({ format: "F2FS", uuid: "" });
  });

  test("damaged", async () => {
    const heads = VOLUMES.map(([, pieces]) => volume(...pieces).slice(0, 600));
    const run = await survivesMutation(heads, (bytes) => detectContent(memorySource(bytes)), {
      count: 60,
    });
    expect(run.failures).toBe(0);
  });
});

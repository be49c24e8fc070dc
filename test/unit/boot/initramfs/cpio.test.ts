import { describe, expect, test } from "vitest";
import { Budget } from "../../../../src/base/budget.ts";
import { FailureError } from "../../../../src/base/failure.ts";
import { CpioReader, cpioKind } from "../../../../src/boot/initramfs/cpio.ts";
import type { CpioEntry } from "../../../../src/boot/initramfs/cpio.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { DIRECTORY, SYMLINK, newc, newcEntry } from "../../../support/newc.ts";

type Got = CpioEntry & { text: string };

/** Reads an archive in chunks of `step` bytes; every content is wanted. */
function read(bytes: Uint8Array, step = bytes.length, position = 0) {
  const got: Got[] = [];
  const sink = {
    entry(entry: CpioEntry): boolean {
      got.push({ ...entry, text: "" });
      return true;
    },
    content(piece: Uint8Array): void {
      got.at(-1)!.text += Buffer.from(piece).toString();
    },
  };
  const cpio = new CpioReader(sink, ["test"], {
    budget: new Budget(1000, ["test"], "entries"),
    position,
  });
  let taken = 0;
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.subarray(at, at + step);
    const end = cpio.push(piece);
    taken += end;
    if (end < piece.length) break;
  }
  return { got, cpio, taken };
}

function outcome(bytes: Uint8Array, step: number): unknown {
  try {
    const { got, cpio, taken } = read(bytes, step);
    if (taken === bytes.length) cpio.finish();
    return { got, taken };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return error.failure.kind;
  }
}

const ARCHIVE = newc([
  { name: ".", mode: DIRECTORY },
  { name: "etc", mode: DIRECTORY },
  { name: "etc/hostname", content: "pandora\n" },
  { name: "lib", content: "usr/lib", mode: SYMLINK },
  { name: "empty" },
  { name: "a/very/long/name/that/needs/padding", content: "1" },
]);

describe("CpioReader", () => {
  test.each([1, 2, 3, 7, 109, 110, 111, 512, 100_000])("in chunks of %i bytes", (step) => {
    const { got, cpio, taken } = read(ARCHIVE, step);
    cpio.finish();
    expect(taken).toBe(ARCHIVE.length);
    expect(got.map(({ name, text }) => [name, text])).toEqual([
      [".", ""],
      ["etc", ""],
      ["etc/hostname", "pandora\n"],
      ["lib", "usr/lib"],
      ["empty", ""],
      ["a/very/long/name/that/needs/padding", "1"],
    ]);
    expect(cpio).toMatchObject({ kind: "newc", entries: 6, trailer: true });
  });

  test("several archives in one stream, with and without padding between them", () => {
    const { got, cpio } = read(
      Buffer.concat([newc([{ name: "a" }], 4), ARCHIVE, newc([{ name: "b" }])]),
    );
    cpio.finish();
    expect(got).toHaveLength(8);
    expect(got.at(-1)?.name).toBe("b");
  });

  test("a trailer ends a plain archive when asked; foreign bytes end any", () => {
    const two = Buffer.concat([newc([{ name: "a" }], 4), newc([{ name: "b" }], 4)]);
    const cpio = new CpioReader({ entry: () => false, content: () => {} }, [], {
      budget: new Budget(10, [], "entries"),
    });
    expect(cpio.push(two, 0, true)).toBe(two.length / 2);
    expect(cpio).toMatchObject({ entries: 1, trailer: true });
    const { taken } = read(Buffer.concat([ARCHIVE, Buffer.from([0, 0, 0x1f, 0x8b])]));
    expect(taken).toBe(ARCHIVE.length + 2);
  });

  test("entries without a name, or with one that is too long, are passed over", () => {
    const long = { name: "x".repeat(5000), content: "gone" };
    const { got, cpio } = read(newc([{ name: "a" }, long, { name: "b" }]));
    cpio.finish();
    expect(got.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(read(newc([{ name: "x", nameSize: 0 }])).got).toEqual([]);
  });

  test("the sums of a crc archive are checked", () => {
    const good = { name: "a", content: "ab", magic: "070702", checksum: 97 + 98 };
    expect(read(newc([good])).cpio.kind).toBe("crc");
    expect(() => read(newc([{ ...good, checksum: 1 }]))).toThrow("the sum 195, expected the sum 1");
    expect(() => read(newc([{ ...good, magic: "070701", checksum: 1 }]))).not.toThrow();
  });

  test.each([
    ["no cpio magic", newcEntry({ name: "a", magic: "070703" })],
    ["odc", Buffer.from("070707" + "0".repeat(100))],
    ["hexadecimal", newcEntry({ name: "a", magic: "070701zz" })],
    ["without a NUL", newcEntry({ name: "abcd", nameSize: 4 })],
    [
      "multiple of 4",
      Buffer.concat([newcEntry({ name: "a" }), Buffer.from([0]), newcEntry({ name: "b" })]),
    ],
  ])("%s is a failure", (text, bytes) => {
    expect(() => read(bytes)).toThrow(text);
    expect(() => read(bytes, 1)).toThrow(FailureError);
  });

  test.each([1, 109, 111, 300])("an archive that ends after %i bytes more is seen to", (bytes) => {
    const { cpio } = read(Buffer.concat([newcEntry({ name: "a" }), ARCHIVE.subarray(0, bytes)]));
    expect(() => cpio.finish()).toThrow("cpio entry");
  });

  test("sizes of 4 GiB end with the data, not in an allocation", () => {
    for (const claim of [{ fileSize: 0xffffffff }, { nameSize: 0xffffffff }]) {
      const { cpio, taken } = read(newc([{ name: "a", ...claim }]));
      expect(taken).toBeGreaterThan(500);
      expect(() => cpio.finish()).toThrow(FailureError);
    }
  });

  test("a million empty names end in a limit", () => {
    const one = newcEntry({ name: "" });
    const many = Buffer.alloc(one.length * 2000, one);
    expect(() => read(many)).toThrow("entries is over the limit of 1000");
  });

  test("damage gives entries or a failure, whole or in pieces alike", async () => {
    await survivesMutation(
      [ARCHIVE, Buffer.concat([newc([{ name: "a", content: "x" }], 4), ARCHIVE])],
      (bytes) => expect(outcome(bytes, 13)).toEqual(outcome(bytes, bytes.length || 1)),
      { count: 1500 },
    );
  });
});

test("cpioKind", () => {
  expect(
    ["070701", "070702", "070707", "\u00c7q", "q\u00c7", "hsqs", ""].map((text) =>
      cpioKind(Buffer.from(text, "latin1")),
    ),
  ).toEqual(["newc", "crc", "odc", "bin", "bin", "not-cpio", "not-cpio"]);
});

import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { attempt, ioFailure } from "../../../../src/base/failure.ts";
import { findMainImage } from "../../../../src/boot/initramfs/main-image.ts";
import { MemberWatch } from "../../../../src/boot/initramfs/member-watch.ts";
import { randomSource, survivesMutation } from "../../../support/mutate.ts";
import { newc } from "../../../support/newc.ts";

const MIB = 1024 * 1024;
const EARLY = newc([{ name: "kernel/x86.bin", content: Buffer.alloc(3000, "microcode") }]);
const MAIN = zstdCompressSync(newc([{ name: "init", content: "#!" }]));

function find(bytes: Uint8Array) {
  const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return findMainImage(read, bytes.length, ["initrd"]);
}

describe("the first compressed image", () => {
  test("stands first, or behind plain archives and NULs", async () => {
    expect(await find(MAIN)).toEqual({ offset: 0, head: MAIN });
    const two = Buffer.concat([EARLY, EARLY, Buffer.alloc(512), MAIN]);
    expect(await find(two)).toMatchObject({ offset: EARLY.length * 2 + 512 });
  });

  test("behind more than is read at once", async () => {
    const large = newc([{ name: "big", content: Buffer.alloc(3 * MIB + 5, 1) }]);
    const found = await find(Buffer.concat([large, MAIN]));
    expect(found?.offset).toBe(large.length);
    expect(Buffer.from(found!.head)).toEqual(MAIN);
  });

  test("at every distance from the border of a read", async () => {
    for (let shift = -130; shift <= 130; shift += 10) {
      const content = Buffer.alloc(65536 + shift, 1);
      const lead = newc([{ name: "pad", content }], 4);
      expect((await find(Buffer.concat([lead, MAIN])))?.offset).toBe(lead.length);
    }
  });

  test("is not there", async () => {
    expect(await find(new Uint8Array())).toBeUndefined();
    expect(await find(EARLY)).toBeUndefined();
    expect(await find(Buffer.alloc(MIB))).toBeUndefined();
    // A damaged archive: the kernel comes no further either.
    const broken = newc([{ name: "x", content: "y", magic: "070709" }]);
    expect(await find(Buffer.concat([broken, MAIN]))).toBeUndefined();
    const endless = newc([{ name: "x", content: "y", fileSize: 0xffffffff }]);
    expect(await find(Buffer.concat([endless, MAIN]))).toBeUndefined();
  });

  test("too far behind, or behind too many entries, is not looked for", async () => {
    let bytesRead = 0;
    const read = async (_: number, length: number) => {
      bytesRead += length;
      return new Uint8Array(length);
    };
    expect(await findMainImage(read, 1024 * MIB, ["initrd"])).toBeUndefined();
    expect(bytesRead).toBe(64 * MIB);
    const many = newc(Array.from({ length: 5001 }, (_, i) => ({ name: `f${i}` })));
    expect(await find(Buffer.concat([many, MAIN]))).toBeUndefined();
  });

  test("damage, and a disk that cannot be read", async () => {
    await survivesMutation([Buffer.concat([EARLY, MAIN]), MAIN], find, { count: 300 });
    const failing = () => Promise.reject(ioFailure(["disk"], "read", "EIO"));
    expect(await attempt(() => findMainImage(failing, 100, ["initrd"]))).toMatchObject({
      failure: { kind: "io" },
    });
  });
});

describe("the watch for a second image", () => {
  // What a gzip member looks like from outside; a small archive's digits show through the packing.
  const random = randomSource(7);
  const one = gzipSync(Buffer.from(Array.from({ length: 300 }, () => random(256))));
  const two = Buffer.concat([one, gzipSync(EARLY)]);

  function seen(bytes: Uint8Array, chunkBytes: number): boolean {
    const watch = new MemberWatch();
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = Uint8Array.from(bytes.subarray(at, at + chunkBytes));
      watch.push(chunk);
      // The buffer is used again.
      chunk.fill(0);
    }
    return watch.found;
  }

  test("sees it in chunks of every size, and nothing where there is none", () => {
    const plain = Buffer.concat([one, Buffer.alloc(4), newc([{ name: "etc/x" }])]);
    for (let size = 1; size <= two.length; size += size < 40 ? 1 : 37) {
      expect(seen(two, size), `gzip in chunks of ${size}`).toBe(true);
      expect(seen(plain, size), `cpio in chunks of ${size}`).toBe(true);
      expect(seen(one, size), `none in chunks of ${size}`).toBe(false);
    }
  });

  test("takes the three bytes of the magic alone for no image", () => {
    const data = Buffer.concat([one, Buffer.from([0x1f, 0x8b, 8, 0xff, 0, 0, 0, 0, 9, 77])]);
    expect(seen(data, 1000)).toBe(false);
  });
});

import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { emptyArchive } from "../../../../src/boot/initramfs/empty-archive.ts";
import { readInitramfs } from "../../../../src/boot/initramfs/read-initramfs.ts";
import { repackInitramfs } from "../../../../src/boot/initramfs/repack.ts";
import type { RepackOptions } from "../../../../src/boot/initramfs/repack.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { DIRECTORY, newc, PROGRAM } from "../../../support/newc.ts";

const MIB = 1024 * 1024;
const EARLY = newc([
  { name: "kernel", mode: DIRECTORY },
  { name: "kernel/x86.bin", content: "microcode" },
]);
const MAIN = newc([
  { name: "init", mode: PROGRAM, content: "#!/bin/sh" },
  { name: "conf/initramfs.conf", content: "COMPRESS=zstd\n" },
  { name: "usr/lib/modules/6.1.0/kernel/fs/xfs/xfs.ko", content: "module" },
]);
const MORE = newc([{ name: "etc/more", content: "x" }]);

async function repacked(bytes: Uint8Array, options: Partial<RepackOptions> = {}): Promise<Buffer> {
  const all = { as: "gzip", where: ["initrd"], limitBytes: 16 * MIB, ...options } as const;
  const parts: Uint8Array[] = [];
  for await (const part of repackInitramfs(bytes, all)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

/** What the kernel finds in it, wherever it lies. */
async function contents(bytes: Uint8Array) {
  const facts = await readInitramfs(bytes, "initrd", {
    where: ["initrd"],
    limitBytes: 16 * MIB,
  });
  const { segments, init, tools, modules, moduleVersions, config, failure, junkAt } = facts;
  const entries = segments.reduce((sum, one) => sum + one.entries, 0);
  return {
    same: { entries, init, tools, modules, moduleVersions, config, failure, junkAt },
    kinds: segments.map(({ compression }) => compression),
  };
}

/** The kernel takes a plain archive at multiples of 4 only. */
function aligned(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

const FILES: Readonly<Record<string, Uint8Array>> = {
  zstd: zstdCompressSync(MAIN),
  plain: MAIN,
  "plain, then zstd": Buffer.concat([EARLY, zstdCompressSync(MAIN)]),
  "two zstd images": Buffer.concat([zstdCompressSync(MAIN), zstdCompressSync(MORE)]),
  "zstd, NULs, plain": Buffer.concat([aligned(zstdCompressSync(MAIN)), Buffer.alloc(1024), MORE]),
  "gzip, zstd, gzip": Buffer.concat([gzipSync(EARLY), zstdCompressSync(MAIN), gzipSync(MORE)]),
};

describe.each(Object.entries(FILES))("%s", (_, bytes) => {
  test.each(["gzip", "plain"] as const)("as %s has the same in it", async (as) => {
    const [before, after] = await Promise.all([
      contents(bytes),
      repacked(bytes, { as }).then(contents),
    ]);
    expect(after.same).toEqual(before.same);
    expect(new Set(after.kinds)).not.toContain("zstd");
    if (as === "plain") expect(after.kinds.every((kind) => kind === "none")).toBe(true);
  });
});

test("plain archives lie at multiples of 4 behind gzip members of any length", async () => {
  for (let length = 0; length < 8; length++) {
    const odd = newc([{ name: "init", content: "abcdefghi".slice(0, length) }]);
    const out = await repacked(Buffer.concat([aligned(zstdCompressSync(odd)), MORE]));
    const at = out.lastIndexOf("070701", out.lastIndexOf("etc/more"));
    expect(at % 4).toBe(0);
    expect(at).toBeGreaterThan(0);
  }
});

test("one at another place is refused, as the kernel refuses it", async () => {
  const bytes = Buffer.concat([aligned(zstdCompressSync(MAIN)), Buffer.alloc(1), MORE]);
  expect(await attempt(() => repacked(bytes))).toMatchObject({ failure: { kind: "corrupt" } });
});

test("what follows the last image and is none is left out, what is none at all is refused", async () => {
  const out = await repacked(Buffer.concat([zstdCompressSync(MAIN), Buffer.from("not an image")]));
  expect(gunzipSync(out)).toEqual(MAIN);
  expect(await attempt(() => repacked(Buffer.from("not an image")))).toMatchObject({
    failure: { kind: "corrupt" },
  });
  expect(await repacked(Buffer.alloc(4096))).toHaveLength(0);
});

test("an image that is cut off, and one that is too large", async () => {
  const cut = zstdCompressSync(MAIN).subarray(0, -20);
  expect((await attempt(() => repacked(cut))).ok).toBe(false);
  const bomb = zstdCompressSync(Buffer.alloc(64 * MIB));
  expect(await attempt(() => repacked(bomb))).toMatchObject({ failure: { kind: "limit" } });
  // The limit is for all images together.
  const half = zstdCompressSync(Buffer.alloc(10 * MIB));
  expect(await attempt(() => repacked(Buffer.concat([half, half])))).toMatchObject({
    failure: { kind: "limit" },
  });
  const many = Buffer.concat(Array.from({ length: 65 }, () => gzipSync(MORE)));
  expect(await attempt(() => repacked(many))).toMatchObject({ failure: { kind: "limit" } });
});

test("damage", async () => {
  const seeds = Object.values(FILES);
  await survivesMutation(seeds, (bytes) => repacked(bytes), { count: 100 });
});

test("what it unpacks passes by", async () => {
  const bytes = zstdCompressSync(Buffer.alloc(128 * MIB));
  const usedMib = () => process.memoryUsage().arrayBuffers / MIB;
  const before = usedMib();
  let peakMib = 0;
  let size = 0;
  const options = { as: "gzip", where: ["initrd"], limitBytes: 256 * MIB } as const;
  for await (const part of repackInitramfs(bytes, options)) {
    size += part.length;
    peakMib = Math.max(peakMib, usedMib() - before);
  }
  expect(size).toBeLessThan(MIB);
  expect(peakMib).toBeLessThan(120);
});

test("the empty archive has nothing in it, and what follows counts", async () => {
  const empty = emptyArchive();
  expect(empty).toHaveLength(512);
  const lead = await contents(Buffer.concat([empty, gzipSync(MAIN)]));
  expect(lead.same).toEqual((await contents(gzipSync(MAIN))).same);
});

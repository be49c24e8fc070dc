import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { readInitramfs } from "../../../../src/boot/initramfs/read-initramfs.ts";
import { kmodIndex } from "../../../support/kmod-index.ts";
import { randomSource, survivesMutation } from "../../../support/mutate.ts";
import { DIRECTORY, PROGRAM, SYMLINK, newc, newcEntry } from "../../../support/newc.ts";
import type { NewcEntry } from "../../../support/newc.ts";

const EARLY = newc([
  { name: "kernel", mode: DIRECTORY },
  { name: "kernel/x86", mode: DIRECTORY },
  { name: "kernel/x86/microcode", mode: DIRECTORY },
  { name: "kernel/x86/microcode/GenuineIntel.bin", content: "microcode" },
]);

function program(...names: string[]): NewcEntry[] {
  return names.map((name) => ({ name, mode: PROGRAM, content: "#!" }));
}

const DEBIAN: NewcEntry[] = [
  ...program("init", "usr/sbin/lvm", "usr/sbin/cryptsetup", "usr/bin/busybox"),
  { name: "sbin", mode: SYMLINK, content: "usr/sbin" },
  { name: "conf/initramfs.conf", content: "COMPRESS=zstd\n" },
  { name: "cryptroot/crypttab", content: "root UUID=1 none luks\n" },
  { name: "usr/lib/modules/6.1.0-9-amd64/kernel/drivers/block/xen-blkfront.ko.xz" },
  { name: "usr/lib/modules/6.1.0-9-amd64/kernel/fs/xfs/xfs.ko" },
  { name: "usr/lib/modules/6.1.0-9-amd64/kernel/lost.ko.zst" },
  {
    name: "usr/lib/modules/6.1.0-9-amd64/modules.builtin",
    content: "kernel/fs/ext4/ext4.ko\nkernel/a-b.ko\n",
  },
  {
    name: "usr/lib/modules/6.1.0-9-amd64/modules.dep",
    content:
      "kernel/drivers/block/xen-blkfront.ko.xz:\nkernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko\n",
  },
];

function read(bytes: Uint8Array, limitBytes?: number) {
  return readInitramfs(bytes, "/boot/initrd.img", {
    where: ["test", "/boot/initrd.img"],
    ...(limitBytes !== undefined && { limitBytes }),
  });
}

describe("readInitramfs", () => {
  test("early microcode and two gzip images: the layout, the modules, the tools", async () => {
    const [main, more] = [gzipSync(newc(DEBIAN)), gzipSync(newc(program("usr/sbin/mdadm")))];
    const facts = await read(
      Buffer.concat([EARLY, main, Buffer.alloc(7), more, Buffer.alloc(512)]),
    );
    expect(facts.segments).toEqual([
      {
        offset: 0,
        compressedBytes: expect.any(Number),
        cpioBytes: facts.segments[0]!.compressedBytes,
        compression: "none",
        cpio: "newc",
        entries: 4,
        early: true,
      },
      {
        offset: EARLY.length,
        compressedBytes: main.length,
        cpioBytes: newc(DEBIAN).length,
        compression: "gzip",
        cpio: "newc",
        entries: DEBIAN.length,
        early: false,
      },
      expect.objectContaining({
        offset: EARLY.length + main.length + 7,
        compressedBytes: more.length,
      }),
    ]);
    expect(facts).toMatchObject({
      generator: "initramfs-tools",
      init: true,
      moduleVersions: ["6.1.0-9-amd64"],
      tools: { lvm: true, cryptsetup: true, mdadm: true, btrfs: false },
    });
    expect(facts.unpackedBytes).toBe(
      facts.segments.reduce((sum, { cpioBytes }) => sum + cpioBytes, 0),
    );
    expect(facts.failure).toBeUndefined();
    expect(facts.junkAt).toBeUndefined();
    expect(facts.config?.get("cryptroot/crypttab")).toContain("luks");
    expect(facts.config?.has("usr/lib/modules/6.1.0-9-amd64/modules.dep")).toBe(false);
  });

  test("what modprobe would find", async () => {
    const facts = await read(zstdCompressSync(newc(DEBIAN)));
    expect(facts.modules.get("6.1.0-9-amd64")).toMatchInlineSnapshot(`
      {
        "builtin": Set {
          "ext4",
          "a_b",
        },
        "builtinKnown": true,
        "listed": Set {
          "xen_blkfront",
          "xfs",
        },
        "loadable": Set {
          "xen_blkfront",
          "xfs",
          "lost",
        },
      }
    `);
    expect(facts.modules.has("6.2")).toBe(false);
    expect(facts.segments[0]).toMatchObject({
      compression: "zstd",
      zstdWindowBytes: expect.any(Number),
    });
  });

  test("binary indexes alone, as mkinitcpio leaves them; no index at all", async () => {
    const facts = await read(
      newc([
        { name: "init", mode: SYMLINK, content: "usr/lib/systemd/systemd" },
        ...program("usr/lib/systemd/systemd", "usr/bin/btrfs"),
        { name: "bin", mode: SYMLINK, content: "usr/bin" },
        { name: "config" },
        { name: "buildconfig" },
        { name: "etc/initrd-release" },
        { name: "lib/modules/5.11.2/kernel/xen-blkfront.ko" },
        { name: "lib/modules/5.11.2/modules.builtin.bin", content: kmodIndex(["ext4"]) },
        { name: "lib/modules/5.11.2/modules.dep.bin", content: kmodIndex(["xen_blkfront"]) },
        { name: "lib/modules/4.4/kernel/old.ko.gz" },
      ]),
    );
    expect(facts).toMatchObject({ generator: "mkinitcpio", init: true, tools: { btrfs: true } });
    expect(Object.fromEntries(facts.modules)).toMatchInlineSnapshot(`
      {
        "4.4": {
          "builtin": Set {},
          "builtinKnown": false,
          "loadable": Set {
            "old",
          },
        },
        "5.11.2": {
          "builtin": Set {
            "ext4",
          },
          "builtinKnown": true,
          "listed": Set {
            "xen_blkfront",
          },
          "loadable": Set {
            "xen_blkfront",
          },
        },
      }
    `);
  });

  test.each([
    [
      "dracut",
      [
        { name: "usr/lib/dracut/hooks", mode: DIRECTORY },
        { name: "usr/lib/dracut", mode: DIRECTORY },
      ],
    ],
    ["booster", [{ name: "etc/booster.init.yaml" }]],
    ["busybox", program("bin/busybox")],
    ["unknown", [{ name: "etc/initrd-release" }]],
  ] as const)("generator %s", async (generator, entries) => {
    expect((await read(newc(entries))).generator).toBe(generator);
  });

  test("an /init that is not there, not executable, or a link to nothing", async () => {
    for (const entry of [
      { name: "sbin/init", mode: PROGRAM },
      { name: "init" },
      { name: "init", mode: SYMLINK, content: "/lib/systemd/systemd" },
      { name: "init", mode: DIRECTORY },
    ]) {
      expect((await read(newc([entry]))).init).toBe(false);
    }
  });

  test("plain archives: several, padded or not, with a compressed one behind", async () => {
    const [a, b] = [newc(program("a"), 4), newc(program("init"), 512)];
    const packed = gzipSync(newc(program("c")));
    const facts = await read(Buffer.concat([a, b, packed]));
    expect(facts.segments.map(({ offset, entries, early }) => [offset, entries, early])).toEqual([
      [0, 1, false],
      [a.length, 1, false],
      [a.length + b.length, 1, false],
    ]);
    // Microcode counts only in front of everything else.
    expect((await read(Buffer.concat([a, EARLY]))).segments[1]?.early).toBe(false);
    // The kernel does not need a trailer.
    const open = newcEntry({ name: "init", mode: PROGRAM });
    expect((await read(Buffer.concat([open, packed]))).segments).toHaveLength(2);
  });

  test("one bad image ends the reading; what came before it stays", async () => {
    const good = gzipSync(newc(DEBIAN));
    const whole = zstdCompressSync(newc(program("usr/sbin/mdadm")));
    const facts = await read(Buffer.concat([EARLY, good, whole.subarray(0, whole.length - 9)]));
    expect(facts).toMatchObject({ init: true, initSegment: 1, failure: { kind: "corrupt" } });
    expect(facts.segments.map(({ failure }) => failure?.kind)).toEqual([
      undefined,
      undefined,
      "corrupt",
    ]);
    // Of a part that is not whole it is not known whether all of init is there
    expect((await read(good.subarray(0, -9))).initSegment).toBeUndefined();
    expect(facts.failure).toBe(facts.segments[2]!.failure);
    expect(facts.failure!.where).toEqual([
      "test",
      "/boot/initrd.img",
      `image 3 (zstd) at byte ${EARLY.length + good.length}`,
    ]);
  });

  test.each([
    ["odc", Buffer.from(`070707${"0".repeat(200)}`), "odc", "unsupported"],
    ["odc in gzip", gzipSync(Buffer.from(`070707${"0".repeat(200)}`)), "odc", "unsupported"],
    [
      "binary cpio",
      Buffer.concat([Buffer.of(0xc7, 0x71), Buffer.alloc(200)]),
      "bin",
      "unsupported",
    ],
    [
      "binary cpio in gzip",
      gzipSync(Buffer.concat([Buffer.of(0xc7, 0x71), Buffer.alloc(200)])),
      "bin",
      "unsupported",
    ],
    ["squashfs in gzip", gzipSync(Buffer.from("hsqs".repeat(100))), "not-cpio", "corrupt"],
    [
      "the modern lz4 frame",
      Buffer.concat([Buffer.of(4, 0x22, 0x4d, 0x18), Buffer.alloc(200)]),
      "not-cpio",
      "unsupported",
    ],
    [
      "entries cut short in a whole stream",
      gzipSync(newc(DEBIAN).subarray(0, 300)),
      "newc",
      "corrupt",
    ],
    [
      "junk behind the trailer in a stream",
      gzipSync(Buffer.concat([newc(DEBIAN), Buffer.from("junk")])),
      "newc",
      "corrupt",
    ],
  ])("%s", async (_, bytes, cpio, kind) => {
    const facts = await read(bytes);
    expect(facts.segments).toMatchObject([{ cpio, failure: { kind } }]);
    expect(facts.failure?.kind).toBe(kind);
  });

  test("no initramfs at all", async () => {
    for (const bytes of [
      Buffer.of(),
      Buffer.alloc(5000),
      Buffer.from("hello, this is no archive"),
    ]) {
      const facts = await read(bytes);
      expect(facts).toMatchObject({ segments: [], init: false, failure: { kind: "corrupt" } });
    }
  });

  test("junk behind the last image is named, and is no failure", async () => {
    const image = gzipSync(newc(program("init")));
    const facts = await read(Buffer.concat([image, Buffer.alloc(4), Buffer.from("junk")]));
    expect(facts).toMatchObject({ init: true, junkAt: image.length + 4 });
    expect(facts.failure).toBeUndefined();
  });

  test("a plain archive that the file cuts short: the kernel says nothing, domus does", async () => {
    const facts = await read(newc(DEBIAN).subarray(0, 400));
    expect(facts.segments[0]?.failure?.kind).toBe("corrupt");
    expect(facts.failure).toBeUndefined();
  });

  test("a plain archive must lie at a multiple of 4 of the file", async () => {
    const packed = gzipSync(newc(program("init")));
    const fill = (4 - (packed.length % 4)) % 4;
    for (const extra of [0, 1, 2, 3]) {
      const bytes = Buffer.concat([packed, Buffer.alloc(fill + extra), newc(program("x"))]);
      const facts = await read(bytes);
      expect(facts.segments[1]?.failure?.kind, `${extra} more`).toBe(
        extra === 0 ? undefined : "corrupt",
      );
      expect(facts.failure?.kind).toBe(extra === 0 ? undefined : "corrupt");
    }
  });

  test("bombs stop at the limit and are not the kernel's failure", async () => {
    const zeroes = Buffer.concat([
      newcEntry({ name: "big", fileSize: 64 << 20 }),
      Buffer.alloc(64 << 20),
    ]);
    for (const bomb of [gzipSync(zeroes), zstdCompressSync(zeroes), zeroes]) {
      const facts = await read(bomb, 1 << 20);
      expect(facts.segments[0]?.failure?.kind).toBe("limit");
      expect(facts.failure).toBeUndefined();
    }
    // The limit is for all images together.
    const image = gzipSync(newc([{ name: "a", content: Buffer.alloc(600 << 10) }]));
    const two = await read(Buffer.concat([image, image]), 1 << 20);
    expect(two.segments.map(({ failure }) => failure?.kind)).toEqual([undefined, "limit"]);
  });

  test("a million empty names and thousands of images end in a limit, in seconds", async () => {
    const one = newcEntry({ name: "" });
    const took = cpuTime();
    const names = await read(gzipSync(Buffer.alloc(one.length * 1_000_000, one), { level: 1 }));
    expect(names.segments[0]).toMatchObject({ entries: 300_000, failure: { kind: "limit" } });
    const images = await read(Buffer.alloc(5000 * 124, newc([], 4)));
    expect(images.segments).toHaveLength(64);
    expect(images.segments[63]?.failure?.kind).toBe("limit");
    expect(took()).toBeLessThan(4000);
  });

  test("gives up when asked to", async () => {
    const controller = new AbortController();
    controller.abort();
    const options = { where: [], signal: controller.signal };
    await expect(readInitramfs(gzipSync(newc(DEBIAN)), "/x", options)).rejects.toThrow("abort");
  });

  test("damage never throws", async () => {
    const random = randomSource(11);
    const packed = Buffer.concat([EARLY, gzipSync(newc(DEBIAN)), zstdCompressSync(newc(DEBIAN))]);
    const inputs = [newc(DEBIAN), packed];
    const run = await survivesMutation(inputs, (bytes) => read(bytes, 1 << 22), {
      count: 300,
      seed: random(1000),
    });
    expect(run.failures).toBe(0);
  });
});

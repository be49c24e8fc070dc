/** What Xen is given of an entry, by what kernel and initramfs look like; that it boots is tested in test/real. */
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { writeRamdisk } from "../../../../src/guest/bootloader/handover-bytes.ts";
import { planHandover } from "../../../../src/guest/bootloader/plan-handover.ts";
import type { RepairWish } from "../../../../src/guest/bootloader/plan-handover.ts";
import { assumeXen } from "../../../../src/xen/xl-info.ts";
import { memoryFs } from "../../../support/memory-fs.ts";
import { newc } from "../../../support/newc.ts";

const RELEASE = "6.1.0-test";
const CPIO = newc([{ name: "init", content: "#!/bin/sh" }]);
const MORE = newc([{ name: "etc/more", content: "x" }]);
const EARLY = newc([{ name: "kernel/x86.bin", content: "microcode" }]);

/** The headers of a bzImage, with a payload that begins as the packing does. */
function bzImage(magic: readonly number[]): Buffer {
  const image = Buffer.alloc(4096);
  image.writeUInt8(1, 0x1f1);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt16LE(0x200, 0x20e);
  image.write(`${RELEASE} (x) #1\0`, 0x400, "latin1");
  image.writeUInt32LE(1024, 0x248);
  image.writeUInt32LE(1024, 0x24c);
  image.set(magic, 2048);
  return image;
}

const GZIP = [0x1f, 0x8b, 8];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
const BZIP2 = [0x42, 0x5a, 0x68, 0x39];

type Case = {
  readonly kernel?: Uint8Array;
  readonly initrds: readonly Uint8Array[];
  readonly xen?: string;
  readonly repair?: RepairWish;
  /** Lines of /boot/config-VERSION. */
  readonly config?: string;
};

async function plan({
  kernel = bzImage(GZIP),
  initrds,
  xen = "4.17.5",
  repair = "auto",
  config,
}: Case) {
  const boot: Record<string, Uint8Array | string> = { vmlinuz: kernel };
  for (const [i, bytes] of initrds.entries()) boot[`initrd-${i}`] = bytes;
  if (config !== undefined) boot[`config-${RELEASE}`] = config;
  const volume = { fs: memoryFs({ boot }), vdev: "xvda", diskIndex: 0 };
  let asked = 0;
  const entry = {
    title: "a",
    ownTitle: "a",
    kernel: { volume, path: "/boot/vmlinuz" },
    ramdisks: initrds.map((_, i) => ({ volume, path: `/boot/initrd-${i}` })),
    args: "ro",
  };
  const handover = await planHandover(entry, {
    repair,
    xen: async () => {
      asked += 1;
      return xen === "" ? undefined : assumeXen(xen);
    },
  });
  return { ...handover, asked };
}

async function written(of: Case) {
  const { ramdisk } = await plan(of);
  let parts: Uint8Array[] = [];
  const remarks = await writeRamdisk(ramdisk!, {
    write: async (chunk) => void parts.push(Uint8Array.from(chunk)),
    restart: async () => void (parts = []),
  });
  return { bytes: Buffer.concat(parts), remarks };
}

const ALL = "CONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n";
const NO_ZSTD = "CONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n";

describe("the kernel", () => {
  const initrds = [CPIO];
  test.each([
    { what: "gzip", magic: GZIP, xen: "4.4.4", as: "it is" },
    { what: "zstd, a Xen that unpacks it", magic: ZSTD, xen: "4.17.5", as: "it is" },
    { what: "zstd, one that does not", magic: ZSTD, xen: "4.14.6", as: "elf" },
    { what: "and it is not wished", magic: ZSTD, xen: "4.14.6", repair: "never", as: "it is" },
    { what: "zstd, and nobody knows which Xen", magic: ZSTD, xen: "", as: "it is" },
    { what: "bzip2, which may be left out", magic: BZIP2, xen: "4.17.5", as: "it is" },
    { what: "and all is converted", magic: BZIP2, xen: "4.17.5", repair: "always", as: "elf" },
    {
      what: "none that is known",
      magic: [1, 2, 3, 4],
      xen: "4.14.6",
      repair: "always",
      as: "it is",
    },
  ] as const)("$what", async ({ magic, as, ...more }) => {
    const { kernel, remarks } = await plan({ kernel: bzImage(magic), initrds, ...more });
    expect(kernel.as).toBe(as);
    expect(remarks.length).toBe(as === "elf" ? 1 : 0);
  });

  test("which Xen it is, is not asked where it does not matter", async () => {
    const { asked } = await plan({ initrds: [zstdCompressSync(CPIO)], config: ALL });
    expect(asked).toBe(0);
  });

  test("a header that lies is for Xen to refuse", async () => {
    const kernel = bzImage(ZSTD);
    kernel.writeUInt32LE(0xfffffff0, 0x24c);
    expect((await plan({ kernel, initrds, xen: "4.14.6" })).kernel.as).toBe("it is");
    expect((await plan({ kernel: Buffer.from("no kernel"), initrds })).kernel.as).toBe("it is");
  });
});

describe("the initramfs", () => {
  const zstd = zstdCompressSync(CPIO);

  test("in a format that the kernel has stays as it is", async () => {
    const { ramdisk, remarks } = await plan({ initrds: [zstd], config: ALL });
    expect(ramdisk).toMatchObject({ as: "it is", lead: false, watchMembers: false });
    expect(remarks).toEqual([]);
  });

  test("where the configuration says no and the kernel cannot be read, nothing is certain", async () => {
    const { ramdisk } = await plan({ initrds: [zstd], config: NO_ZSTD });
    expect(ramdisk?.as).toBe("it is");
  });

  test("xz with crc64 and lz4 frames are packed with gzip, whatever the kernel has", async () => {
    const xz = Buffer.from("fd377a585a000004e6d6b446", "hex");
    const frame = Buffer.from("04224d186440a7", "hex");
    for (const initrd of [xz, Buffer.concat([EARLY, xz]), frame]) {
      const { ramdisk, remarks } = await plan({ initrds: [initrd] });
      expect(ramdisk).toMatchObject({ as: "gzip", lead: true });
      expect(remarks[0]?.next).toMatch(/^For good, in the guest/);
      expect((await plan({ initrds: [initrd], xen: "4.20.0" })).ramdisk?.lead).toBe(false);
      expect((await plan({ initrds: [initrd], repair: "never" })).ramdisk?.as).toBe("it is");
    }
  });

  test("one that is damaged is handed over as it is, and it is said", async () => {
    const xz = Buffer.concat([Buffer.from("fd377a585a000004e6d6b446", "hex"), Buffer.alloc(50, 1)]);
    const { bytes, remarks } = await written({ initrds: [xz] });
    expect(bytes).toEqual(xz);
    expect(remarks[0]?.what).toMatch(/^It cannot be repacked: /);
  });

  test("several files lie at multiples of 4, behind an empty archive where Xen inflates", async () => {
    const [a, b] = [gzipSync(CPIO), gzipSync(MORE)];
    const gap = Buffer.alloc((4 - (a.length % 4)) % 4);
    const old = await written({ initrds: [a, b] });
    expect(old.bytes.subarray(0, 6).toString()).toBe("070701");
    expect(old.bytes.subarray(512)).toEqual(Buffer.concat([a, gap, b]));
    const now = await written({ initrds: [a, b], xen: "4.20.0" });
    expect(now.bytes).toEqual(Buffer.concat([a, gap, b]));
    expect((await written({ initrds: [a, b], repair: "never" })).bytes).toEqual(now.bytes);
  });

  test("several gzip members in one file", async () => {
    const both = Buffer.concat([gzipSync(CPIO), gzipSync(MORE)]);
    const old = await written({ initrds: [both] });
    expect(old.bytes.subarray(512)).toEqual(both);
    expect(old.remarks).toHaveLength(1);
    expect((await written({ initrds: [both], xen: "4.20.0" })).bytes).toEqual(both);
    const one = await written({ initrds: [gzipSync(CPIO)] });
    expect(gunzipSync(one.bytes)).toEqual(CPIO);
    expect(one.remarks).toEqual([]);
  });

  test("that is not there is a failure", async () => {
    const volume = { fs: memoryFs({ k: bzImage(GZIP) }), vdev: "xvda", diskIndex: 0 };
    const entry = {
      title: "a",
      ownTitle: "a",
      kernel: { volume, path: "/k" },
      ramdisks: [{ volume, path: "/i" }],
      args: "",
    };
    const context = { repair: "auto", xen: async () => undefined } as const;
    expect(await attempt(() => planHandover(entry, context))).toMatchObject({
      failure: { kind: "missing" },
    });
  });
});

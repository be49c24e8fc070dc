import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import { readSaveImage } from "../../../../src/xen/save-image/save-image.ts";
import type { SaveImage } from "../../../../src/xen/save-image/save-image.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import {
  domainJson,
  imageBytes,
  libxcContext,
  libxcStream,
  libxlStream,
  pageData,
  PANDORA_UUID,
  record,
  saveImage,
} from "../../../support/save-image.ts";
import type { ImageOptions } from "../../../support/save-image.ts";

async function read(bytes: Uint8Array): Promise<SaveImage> {
  const image = await readSaveImage(imageBytes(bytes));
  if (!image) throw new Error("not seen as a save image");
  return image;
}

const readMade = (options: ImageOptions) => read(saveImage(options));

describe("a whole image", () => {
  test("says whose it is, what is inside, and that it is complete", async () => {
    const image = await read(saveImage());
    expect(image.config?.guest).toEqual({
      name: "pandora",
      uuid: PANDORA_UUID,
      type: "pv",
      memoryKib: 131072,
      maxMemoryKib: 196608,
      vcpus: 1,
      maxVcpus: 2,
      disks: [
        {
          vdev: "xvda",
          target: "/dev/vg0/pandora-disk",
          format: "raw",
          readonly: false,
          cdrom: false,
          elsewhere: false,
        },
        {
          vdev: "hdc",
          target: "/srv/cd.iso",
          format: "raw",
          readonly: true,
          cdrom: true,
          elsewhere: false,
        },
      ],
      nics: [{ mac: "00:16:3e:00:00:01", bridge: "xenbr0" }],
    });
    expect(image).toMatchObject({
      format: "xl",
      stream: { xen: { major: 4, minor: 17 }, domainType: "pv", pages: 1026, hasEmulator: false },
      end: { kind: "complete", trailingBytes: 0 },
    });
  });

  test("is walked from header to header, without its pages", async () => {
    const records = Array.from({ length: 8 }, () => pageData(1024));
    const stream = libxlStream({ records: [libxcContext(libxcStream({ records }))] });
    const bytes = imageBytes(saveImage({ stream }));
    const image = await readSaveImage(bytes);
    expect(image).toMatchObject({ stream: { pages: 8192 }, end: { kind: "complete" } });
    expect(bytes.reads).toBeLessThanOrEqual(10);
    expect(bytes.readBytes).toBeLessThanOrEqual(10 * 4096);
  });

  test("of an HVM guest has its device model's state; records of a later Xen are named", async () => {
    const context = libxcContext(
      libxcStream({ type: 2, records: [record(0x80000001), record(0x55)] }),
    );
    const records = [context, record(3, Buffer.alloc(21)), record(0x77)];
    const image = await readMade({ stream: libxlStream({ records }) });
    expect(image.stream).toMatchObject({ domainType: "hvm", hasEmulator: true, pages: 0 });
    expect([...image.stream!.unknownRecords]).toEqual(["libxc 0x55", "libxl 0x77"]);
    expect(image.end.kind).toBe("complete");
  });

  test("with something behind its end is told from one that ends there", async () => {
    const bytes = Buffer.concat([saveImage(), Buffer.alloc(5)]);
    expect((await read(bytes)).end).toEqual({ kind: "complete", trailingBytes: 5 });
  });

  test("of the converter says so", async () => {
    const image = await readMade({ stream: libxlStream({ options: 2 }) });
    expect(image.stream?.converted).toBe(true);
  });
});

describe("an image that is not whole", () => {
  test("is cut off wherever its file ends, and never complete", async () => {
    const whole = saveImage({ stream: withLibxc({ records: [pageData(3, 2), record(7)] }) });
    for (let size = 32; size < whole.length; size += 7) {
      const { end } = await read(whole.subarray(0, size));
      expect(end, `cut at ${size}`).toMatchObject({ kind: "cut-off", atBytes: size });
    }
    // The END records are 8 zero bytes each, as are pages that were never used.
    for (let less = 1; less <= 24; less++) {
      const { end } = await read(whole.subarray(0, whole.length - less));
      expect(end, `${less} bytes less`).toMatchObject({ kind: "cut-off" });
    }
  });

  test("still says whose it is when the pages are gone", async () => {
    const { config, end } = await read(saveImage().subarray(0, 2820));
    expect(config?.guest?.name).toBe("pandora");
    expect(end).toMatchObject({ kind: "cut-off", what: expect.stringContaining("record") });
  });

  test.each<[string, ImageOptions, RegExp]>([
    ["no stream at all", { stream: Buffer.alloc(64) }, /"LibxlFmt"/],
    ["a later libxl", { stream: libxlStream({ version: 3 }) }, /version 3/],
    ["big endian", { stream: libxlStream({ options: 1 }) }, /big-endian/],
    ["no libxc in it", { stream: libxlStream({ records: [] }) }, /LIBXC_CONTEXT before it/],
    ["a later libxc", { stream: withLibxc({ version: 4 }) }, /version 4/],
    ["a big-endian domain", { stream: withLibxc({ options: 1 }) }, /big-endian/],
    ["a domain of no known type", { stream: withLibxc({ type: 4 }) }, /type 4/],
    ["other pages", { stream: withLibxc({ pageShift: 13 }) }, /2\^13/],
    ["pages of no page", { stream: withLibxc({ records: [pageData(0)] }) }, /for 0 pages/],
    ["half a page", { stream: withLibxc({ records: [halfPage()] }) }, /for 1 pages/],
    ["more pages than frames", { stream: withLibxc({ records: [morePages()] }) }, /for 1 pages/],
    ["a record of 3 GiB", { stream: withLibxc({ records: [longRecord()] }) }, /3221225472 bytes/],
    ["unknown flags", { flags: 7 }, /mandatory flags 0x4/],
    ["a big-endian machine", { byteorder: 0x04030201 }, /big-endian machine/],
    ["no byte order", { byteorder: 1 }, /0x1020304/],
  ])("%s", async (_name, options, message) => {
    const { end } = await readMade(options);
    if (end.kind !== "unreadable") throw new Error(`read as ${end.kind}`);
    expect(new FailureError(end.failure).message).toMatch(message);
  });
});

function withLibxc(options: Parameters<typeof libxcStream>[0]): Buffer {
  return libxlStream({ records: [libxcContext(libxcStream(options))] });
}

function halfPage(): Buffer {
  const page = pageData(1);
  page.writeUInt32LE(16 + 2048, 4);
  return page;
}

function morePages(): Buffer {
  const pages = pageData(2);
  pages.writeUInt32LE(1, 8);
  // The second frame's eight bytes now are content: leave them out, so that it is whole pages again.
  pages.writeUInt32LE(16 + 2 * 4096, 4);
  return pages;
}

function longRecord(): Buffer {
  const long = record(7);
  long.writeUInt32LE(3 * 1024 ** 3, 4);
  return long;
}

describe("the config inside", () => {
  test("of an image of Xen 4.2 to 4.4 is xl.cfg text, and the end is not known", async () => {
    const config = `name = "old"\nmemory = 64\nvcpus = 2\ndisk = ['phy:vg0/old,xvda,w']\n`;
    const image = await readMade({
      config,
      flags: 0,
      stream: Buffer.from("0004000000000000", "hex"),
    });
    expect(image).toMatchObject({
      format: "xl-legacy",
      config: { form: "xl.cfg", guest: { name: "old", memoryKib: 65536, maxVcpus: 2 } },
      end: { kind: "unknown" },
    });
    expect(image.config?.guest?.disks[0]).toMatchObject({ target: "vg0/old", vdev: "xvda" });
  });

  test("of Xen 4.5 is JSON before a stream of the first version", async () => {
    const image = await readMade({ flags: 1, stream: Buffer.alloc(0) });
    expect(image).toMatchObject({ format: "xl-legacy", config: { guest: { name: "pandora" } } });
  });

  test("that makes no sense leaves the rest of the image", async () => {
    const image = await readMade({ config: "{", flags: 3 });
    expect(image.config?.failure).toMatchObject({ kind: "corrupt" });
    expect(image.end.kind).toBe("complete");
    const noDomain = await readMade({ config: [] });
    expect(noDomain.config?.failure).toMatchObject({ found: "JSON without c_info" });
  });

  test("values that libxl calls not set, and those of a wrong type, are left out", async () => {
    const config = {
      c_info: { type: "none", name: 7, uuid: "00000000-0000-0000-0000-000000000000" },
      b_info: { target_memkb: 18446744073709551615n.toString(), max_memkb: -1, avail_vcpus: "all" },
      disks: [{}, 3, { vdev: "xvda", readwrite: "True", backend_domname: "storage" }],
      nics: "none",
    };
    const { guest } = (await readMade({ config })).config!;
    expect(guest).toEqual({
      disks: [
        {
          vdev: "xvda",
          target: "",
          format: "raw",
          readonly: false,
          cdrom: false,
          elsewhere: true,
          backend: "storage",
        },
      ],
      nics: [],
    });
  });

  test("is bounded", async () => {
    const bytes = saveImage();
    bytes.writeUInt32LE(0x7fff_ffff, 44);
    expect((await read(bytes)).end).toMatchObject({
      kind: "unreadable",
      failure: { kind: "limit" },
    });
    const devices = { ...domainJson(), disks: Array.from({ length: 5000 }, () => ({})) };
    expect((await readMade({ config: devices })).config?.failure).toMatchObject({ kind: "limit" });
  });

  test("may be absent", async () => {
    const header = saveImage().subarray(0, 48);
    header.writeUInt32LE(2, 36);
    header.writeUInt32LE(0, 44);
    const image = await read(Buffer.concat([header, libxlStream()]));
    expect(image.config).toBeUndefined();
    expect(image.end.kind).toBe("complete");
  });
});

describe("other files", () => {
  test.each([
    ["libvirt", "libvirt-xml\n \0 \r"],
    ["xend", "LinuxGuestRecord"],
  ])("images of %s are named", async (format, magic) => {
    const image = await read(Buffer.concat([Buffer.from(magic), Buffer.alloc(100)]));
    expect(image).toMatchObject({ format, end: { kind: "unknown" } });
  });

  test.each(["", "Xen saved domain, xl format\n", "#!/bin/sh\n", "QFI\xfb"])(
    "%j is none",
    async (text) => {
      expect(await readSaveImage(imageBytes(Buffer.from(text, "latin1")))).toBeUndefined();
    },
  );

  test("a failing disk is the disk's failure, not the image's", async () => {
    const failing = {
      ...imageBytes(saveImage()),
      read: () =>
        Promise.reject(new FailureError({ kind: "io", where: [], op: "read", errno: "EIO" })),
    };
    await expect(readSaveImage(failing)).rejects.toThrow("EIO");
  });
});

test("damaged images end in a value within bounds", async () => {
  const small = libxlStream({
    records: [libxcContext(libxcStream({ records: [pageData(2, 1), record(7)] }))],
  });
  const inputs = [
    saveImage({ stream: small }),
    saveImage({ config: 'name = "old"\nmemory = 64\n', flags: 2, stream: small }),
    Buffer.concat([saveImage({ stream: small }).subarray(0, 48), small]),
  ];
  const { failures } = await survivesMutation(inputs, (bytes) => readSaveImage(imageBytes(bytes)));
  expect(failures).toBe(0);
});

test("a file of nothing but empty records ends at a bound, in few reads", async () => {
  const head = libxlStream({ records: [libxcContext(libxcStream({ records: [] }))] });
  const start = head.subarray(0, 16 + 8 + 24 + 16);
  const empty = Buffer.alloc(8 * 1_100_000);
  for (let at = 0; at < empty.length; at += 8) empty[at] = 7;
  const bytes = imageBytes(saveImage({ stream: Buffer.concat([start, empty]) }));
  const image = await readSaveImage(bytes);
  expect(image?.end).toMatchObject({ kind: "unreadable", failure: { kind: "limit" } });
  expect(bytes.readBytes).toBeLessThan(9 * 1024 * 1024);
});

import { describe, expect, test } from "vitest";
import { corrupt, ioFailure } from "../../../src/base/failure.ts";
import type { Magic, Prober } from "../../../src/disk/content.ts";
import { detectContent } from "../../../src/disk/detect.ts";
import { memorySource } from "../../../src/disk/source.ts";
import type { ByteSource } from "../../../src/disk/source.ts";
import { survivesMutation } from "../../support/mutate.ts";
import { gptDisk, mbrSector } from "../../support/tables.ts";
import { rockImage } from "./fs/iso9660/image.ts";

const X = Uint8Array.of(0x58);

function prober(name: string, magic: Magic, probe: Prober["probe"]): Prober {
  return { name, magics: [magic], probe };
}

const named = (name: string) => async () =>
  ({ kind: "named", format: name, uuid: "", why: "" }) as const;
const source = memorySource(Uint8Array.from({ length: 100_000 }, (_, i) => (i % 1000 ? 0 : 0x58)));

describe("probers", () => {
  test("are asked in order, only where their magic is", async () => {
    const list = [
      prober("elsewhere", { offset: 1, bytes: X }, named("elsewhere")),
      prober("declines", { offset: 0, bytes: X }, async () => undefined),
      prober("first", { offset: 99_000, bytes: X }, named("first")),
      prober("second", { offset: 0, bytes: X }, named("second")),
    ];
    const { content, tried } = await detectContent(source, {}, list);
    expect(content).toMatchObject({ format: "first" });
    expect(tried).toEqual([]);
  });

  test("may look for a magic at the end", async () => {
    const magic = { offset: (size: number) => size - 1000, bytes: X };
    const { content } = await detectContent(source, {}, [prober("end", magic, named("end"))]);
    expect(content).toMatchObject({ format: "end" });
  });

  test("whose magic would lie outside are not asked", async () => {
    const list = [-1, 100_000, 99_999.5].map((offset) =>
      prober("outside", { offset: () => offset, bytes: X }, named("outside")),
    );
    expect((await detectContent(source, {}, list.slice(0, 2))).content.kind).toBe("unknown");
  });

  test("that fail are kept, and the next one is asked", async () => {
    const fails = prober("fails", { offset: 0, bytes: X }, async () => {
      throw corrupt(["disk"], "this", "that");
    });
    const says = prober("says", { offset: 0, bytes: X }, named("says"));
    const both = await detectContent(source, {}, [fails, says]);
    expect(both.content).toMatchObject({ format: "says" });
    expect(both.tried).toMatchObject([{ name: "fails", failure: { kind: "corrupt" } }]);
    const one = await detectContent(source, {}, [fails]);
    expect(one.content).toEqual({ kind: "unknown" });
    expect(one.tried).toHaveLength(1);
  });

  test("that have a bug are loud", async () => {
    const buggy = prober("bug", { offset: 0, bytes: X }, async () => {
      throw new TypeError("bug");
    });
    await expect(detectContent(source, {}, [buggy])).rejects.toThrow(TypeError);
  });
});

describe("without any", () => {
  test("all zero is empty", async () => {
    const { content } = await detectContent(memorySource(new Uint8Array(200_000)));
    expect(content).toEqual({ kind: "empty" });
  });

  test("but not when somebody recognised the end of it", async () => {
    const end: Magic = { offset: (size) => size - 1, bytes: Uint8Array.of(0) };
    const fails = prober("fails", end, async () => {
      throw corrupt(["disk"], "this", "that");
    });
    const { content, tried } = await detectContent(memorySource(new Uint8Array(200_000)), {}, [
      fails,
    ]);
    expect([content.kind, tried.length]).toEqual(["unknown", 1]);
  });

  test("anything else is unknown; so is no byte at all", async () => {
    const bytes = new Uint8Array(200_000);
    bytes[60_000] = 1;
    expect((await detectContent(memorySource(bytes))).content).toEqual({ kind: "unknown" });
    expect((await detectContent(memorySource(X.slice(1)))).content).toEqual({ kind: "unknown" });
  });

  test("a disk that cannot be read is unknown, and says so", async () => {
    const broken: ByteSource = {
      size: 1 << 20,
      where: ["xvda"],
      read: async () => {
        throw ioFailure(["xvda"], "read", "EIO");
      },
    };
    const { content, tried } = await detectContent(broken);
    expect(content).toEqual({ kind: "unknown" });
    expect(tried).toMatchObject([{ failure: { kind: "io", errno: "EIO" } }]);
  });

  test("an abort is passed on", async () => {
    const stop = AbortSignal.abort(new Error("stop"));
    const aborting: ByteSource = {
      size: 10,
      where: [],
      read: async (_offset, _length, signal) => {
        signal?.throwIfAborted();
        return X;
      },
    };
    await expect(detectContent(aborting, { signal: stop })).rejects.toThrow("stop");
  });
});

async function found(bytes: Uint8Array): Promise<string> {
  const { content } = await detectContent(memorySource(bytes));
  if (content.kind === "table") return content.table.type;
  if (content.kind === "filesystem") return content.fs.kind;
  return content.kind === "named" ? content.format : content.kind;
}

/** Writes `value` over the bytes at `offset`, each character one byte. */
function text(bytes: Uint8Array, offset: number, value: string): Uint8Array {
  bytes.set(Buffer.from(value, "latin1"), offset);
  return bytes;
}

describe("the order of formats", () => {
  const table = [{ slot: 1, type: 0x83, start: 100, sectors: 50 }] as const;
  const withTable = () => {
    const bytes = new Uint8Array(200_000);
    bytes.set(mbrSector(table));
    return bytes;
  };

  const isoWithTable = () => {
    const { bytes } = rockImage();
    bytes.set(mbrSector([{ slot: 1, type: 0x17, start: 0, sectors: 200 }]));
    return bytes;
  };

  test.each([
    ["a hybrid ISO image", isoWithTable(), "iso9660"],
    ["the descriptor of one behind a table", text(withTable(), 32769, "CD001"), "mbr"],
    ["an old superblock behind a table", text(withTable(), 1024, "\x10\x20\xf5\xf2"), "mbr"],
    [
      "a table that is left without partitions",
      text(new Uint8Array(200_000), 1024, "\x10\x20\xf5\xf2"),
      "F2FS",
    ],
    ["a GPT", gptDisk({ diskSectors: 400, parts: [{ first: 50, last: 60 }] }), "gpt"],
  ])("%s", async (_name, bytes, format) => {
    expect(await found(bytes)).toBe(format);
  });

  test("an MBR without partitions gives way to a filesystem", async () => {
    const bytes = new Uint8Array(200_000);
    bytes.set(mbrSector([]));
    expect(await found(bytes)).toBe("mbr");
    expect(await found(text(bytes, 1024, "\x10\x20\xf5\xf2"))).toBe("F2FS");
  });
});

test("damaged disks are never a bug", async () => {
  const disk = gptDisk({ diskSectors: 200, parts: [{ first: 50, last: 60 }] }).slice(0, 66_000);
  const run = await survivesMutation([disk], (bytes) => detectContent(memorySource(bytes)), {
    count: 300,
  });
  expect(run.failures).toBe(0);
});

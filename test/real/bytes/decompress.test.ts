/** The decompressors against the field's own tools: same bytes out, and the end of the stream in the same place. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import { debianKernel, KERNEL_NAMES } from "../../../lab/debian.ts";
import { attempt } from "../../../src/base/failure.ts";
import { GIB, MIB } from "../../../src/base/units.ts";
import { decompress, unpack } from "../../../src/bytes/decompress/decompress.ts";
import { sniffCompression } from "../../../src/bytes/decompress/format.ts";
import type { Compression } from "../../../src/bytes/decompress/format.ts";
import { isTruncated } from "../../../src/bytes/decompress/reader.ts";
import { randomSource, survivesMutation } from "../../support/mutate.ts";
import { need, scratch, sh } from "../../support/need.ts";
import { cpuTime } from "../../support/cpu-time.ts";

type Tool = {
  readonly format: Compression;
  readonly command: string;
  /** Where the tool cannot be asked for more than this (it is slow, or what it does changes nothing above). */
  readonly maxBytes?: number;
};

const TOOLS: readonly Tool[] = [
  { format: "gzip", command: "gzip -1nc" },
  { format: "gzip", command: "gzip -9nc" },
  { format: "bzip2", command: "bzip2 -1c" },
  { format: "bzip2", command: "bzip2 -9c" },
  { format: "xz", command: "xz -0 --check=none -c" },
  { format: "xz", command: "xz -6 --check=crc32 -c" },
  { format: "xz", command: "xz -2 --check=crc64 -c" },
  { format: "xz", command: "xz -1 --check=sha256 -c" },
  { format: "xz", command: "xz -1 -T2 --block-size=300000 -c" },
  { format: "xz", command: "xz --check=crc32 --x86 --lzma2=preset=3,dict=32MiB -c" },
  { format: "xz", command: "xz --x86=start=305419896 --lzma2=preset=1 -c" },
  // The smallest dictionary: the window slides all the time
  { format: "xz", command: "xz --lzma2=preset=2,dict=4KiB -c" },
  { format: "xz", command: "xz --lzma2=preset=2,lc=0,lp=4,pb=4 -c" },
  { format: "xz", command: "xz --lzma2=lc=4,lp=0,pb=0,mode=fast,nice=2,mf=hc3 -c" },
  { format: "xz", command: "xz --lzma2=dict=1536MiB,mode=fast,mf=hc3,nice=8 -c", maxBytes: 1000 },
  { format: "lzma", command: "xz --format=lzma -3 -c" },
  { format: "lzma", command: "xz --format=lzma --lzma1=preset=2,dict=4KiB,lc=1,lp=3,pb=1 -c" },
  { format: "lzo", command: "lzop -1c" },
  { format: "lzo", command: "lzop -9c" },
  { format: "lzo", command: "lzop --crc32 -7c" },
  { format: "lz4", command: "lz4 -l -1 -c -q" },
  { format: "lz4", command: "lz4 -l -9 -c -q" },
  { format: "lz4-frame", command: "lz4 -1 -B5 -c -q" },
  { format: "lz4-frame", command: "lz4 -9 -B7 -BX -c -q" },
  { format: "lz4-frame", command: "lz4 -1 -B4 -BD --no-frame-crc --content-size -c -q" },
  { format: "zstd", command: "zstd -1 -q -c" },
  { format: "zstd", command: "zstd -19 -q -c", maxBytes: 3 * MIB },
  { format: "zstd", command: "zstd -3 --no-check --no-content-size -q -c" },
  { format: "zstd", command: "zstd -3 --fast=5 --long=27 -q -c" },
];

const random = randomSource(2);

/** Contents that lead decoders into different corners. */
const CONTENTS: Readonly<Record<string, (size: number) => Uint8Array>> = {
  zeroes: (size) => new Uint8Array(size),
  noise: (size) => Uint8Array.from({ length: size }, () => random(256)),
  words: (size) => {
    const words = Array.from({ length: 300 }, () =>
      random(1 << 30)
        .toString(36)
        .repeat(1 + random(3)),
    );
    const text: string[] = [];
    for (let length = 0; length <= size;) {
      const word =
        random(50) === 0 ? String(random(1 << 30)) : words[random(300) % (1 + random(300))]!;
      text.push(word);
      length += word.length;
    }
    return Buffer.from(text.join("")).subarray(0, size);
  },
  // What the x86 filter acts on, in every combination and across every chunk's end
  calls: (size) => {
    const bytes = [0xe8, 0xe9, 0x00, 0xff, 0xe8, 0x0f, 0x01, 0x80];
    return Uint8Array.from({ length: size }, () =>
      random(4) > 0 ? bytes[random(bytes.length)]! : random(256),
    );
  },
  // Runs of the lengths where bzip2 counts
  runs: (size) => {
    const out = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const end = at + 1 + [0, 2, 3, 4, 250, 254, 255, 258, 259, 1000][random(10)]!;
      out.fill(random(4), at, end);
      at = end;
    }
    return out;
  },
};

const SIZES = [
  0, 1, 2, 4, 5, 17, 256, 1000, 4097, 65_535, 65_536, 65_537, 99_999, 100_001, 262_143, 262_144,
  262_145, 900_001, 2_097_153, 4_000_011,
];

let dir: string;
const inputs: { readonly name: string; readonly bytes: Uint8Array }[] = [];

beforeAll(() => {
  need("gzip", "bzip2", "xz", "lzop", "lz4", "zstd");
  dir = sh("mktemp -d").toString().trim();
  for (const [kind, make] of Object.entries(CONTENTS)) {
    for (const size of SIZES) {
      // The tools take seconds for megabytes that do not compress
      if (size > MIB && !["words", "calls"].includes(kind)) continue;
      const name = `${kind}-${size}`;
      inputs.push({ name, bytes: make(size) });
      writeFileSync(join(dir, name), inputs.at(-1)!.bytes);
    }
  }
  return () => sh(`rm -r ${dir}`);
});

const where = ["file"];
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

test.each(TOOLS)("$command", async ({ format, command, maxBytes = Infinity }) => {
  const files = inputs.filter(({ bytes }) => bytes.length <= maxBytes);
  const names = files.map(({ name }) => name).join(" ");
  sh(`printf '%s\\n' ${names} | xargs -P 2 -I@ sh -c '${command} < @ > packed.@'`, { cwd: dir });
  for (const { name, bytes } of files) {
    const packed = readFileSync(join(dir, `packed.${name}`));
    // lzma has but two bytes of magic, and -9 with other properties has others
    if (format !== "lzma") expect(sniffCompression(packed)).toBe(format);
    const tail = format === "lz4" ? new Uint8Array(64) : Buffer.from("\x07\x00junk");
    for (const input of [packed, Buffer.concat([packed, tail])]) {
      const out = await decompress(format, input, { limit: bytes.length, where });
      expect(same(out.bytes, bytes), name).toBe(true);
      expect(out.consumed, name).toBe(packed.length);
    }
    if (bytes.length === 0) continue;
    const over = await attempt(() =>
      decompress(format, packed, { limit: bytes.length - 1, where }),
    );
    expect(over, name).toMatchObject({ ok: false, failure: { kind: "limit" } });
  }
});

describe("cuts and damage", () => {
  const cuts = TOOLS.filter(({ maxBytes }) => maxBytes === undefined);

  test.each(cuts)("$command cut anywhere", async ({ format, command }) => {
    for (const name of ["words-65537", "noise-99999", "runs-900001"]) {
      const { bytes } = inputs.find((input) => input.name === name)!;
      const packed = sh(`${command} < ${join(dir, name)}`);
      for (let i = 0; i < 40; i++) {
        const length = i < 10 ? packed.length - 1 - i : random(packed.length);
        const result = await attempt(() =>
          decompress(format, packed.subarray(0, length), { limit: bytes.length, where }),
        );
        // Between two blocks an lz4 stream may end
        if (format === "lz4" && length === 4) continue;
        expect(result.ok, `${name} cut to ${length} of ${packed.length}`).toBe(false);
        if (!result.ok) expect(isTruncated(result.failure), JSON.stringify(result)).toBe(true);
      }
    }
  });

  test.each(cuts)("$command damaged", async ({ format, command }) => {
    const packed = ["words-65536", "calls-99999", "runs-65537"].map((name) =>
      sh(`${command} < ${join(dir, name)}`),
    );
    const plain = new Set(
      ["words-65536", "calls-99999", "runs-65537"].map((name) =>
        digest(readFileSync(join(dir, name))),
      ),
    );
    const checked = ["gzip", "bzip2", "lzo"].includes(format) || /crc(32|64) /.test(command);
    await survivesMutation(
      packed,
      async (bytes) => {
        const out = await decompress(format, bytes, { limit: 64 * MIB, where });
        if (checked && !plain.has(digest(out.bytes))) throw new Error("damage went unnoticed");
      },
      { count: 60, maxMs: 2000 },
    );
  });
});

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("streams one after the other are taken one by one", async () => {
  const parts = ["words-4097", "noise-1000", "zeroes-262145"];
  for (const command of [
    "gzip -nc",
    "bzip2 -1c",
    "xz -c",
    "xz --format=lzma -c",
    "lzop -c",
    "zstd -qc",
  ]) {
    const whole = sh(parts.map((name) => `${command} < ${join(dir, name)};`).join(" "));
    let rest: Uint8Array = whole;
    for (const name of parts) {
      const out = await decompress(sniffCompression(rest)!, rest, { limit: MIB, where });
      expect(same(out.bytes, readFileSync(join(dir, name)))).toBe(true);
      rest = rest.subarray(out.consumed);
    }
    expect(rest.length).toBe(0);
  }
});

describe("real kernels", () => {
  const READERS: Partial<Record<Compression, string>> = {
    xz: "xz -dc",
    lz4: "lz4 -dc",
    zstd: "zstd -dcq",
  };

  test.each(KERNEL_NAMES)("%s", async (name) => {
    const image = readFileSync(debianKernel(name).vmlinuz);
    // Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length
    const at = (image[0x1f1]! + 1) * 512 + image.readUInt32LE(0x248);
    const payload = image.subarray(at, at + image.readUInt32LE(0x24c));
    const format = sniffCompression(payload)!;
    const out = await decompress(format, payload, { limit: GIB, where });
    expect(out.consumed).toBe(payload.length - 4);
    expect(out.bytes.length).toBe(payload.readUInt32LE(out.consumed));
    const file = join(scratch(), "payload");
    writeFileSync(file, payload.subarray(0, -4));
    const expected = sh(`${READERS[format]} < ${file} | sha256sum`).toString();
    expect(expected).toContain(digest(out.bytes));
  });

  test("6.1 is unpacked in a few times the time of xz", async () => {
    const image = readFileSync(debianKernel("6.1").vmlinuz);
    const at = (image[0x1f1]! + 1) * 512 + image.readUInt32LE(0x248);
    const payload = image.subarray(at, at + image.readUInt32LE(0x24c) - 4);
    const file = join(scratch(), "payload.xz");
    writeFileSync(file, payload);
    // CPU time, because the machine is shared
    const theirs = sh(`TIMEFORMAT=%U; { time xz -dc ${file} > /dev/null; } 2>&1`).toString();
    const before = process.cpuUsage();
    await decompress("xz", payload, { limit: GIB, where });
    const { user } = process.cpuUsage(before);
    const ratio = user / 1e6 / Number(theirs);
    console.log(`${(user / 1e6).toFixed(2)} s, ${ratio.toFixed(1)} times the time of xz`);
    // Usually about 1.5; the processor's caches are shared too.
    expect(ratio).toBeLessThan(5);
  });
});

/** Of the test before, which would be counted here. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

describe("bombs", () => {
  const BOMBS: readonly (readonly [Compression, string, number])[] = [
    ["gzip", "gzip -4nc", GIB],
    ["bzip2", "bzip2 -9c", GIB / 4],
    ["xz", "xz --check=crc32 --lzma2=preset=0,dict=768MiB -c", GIB],
    ["lzma", "xz --format=lzma -1 -c", GIB / 4],
    ["lzo", "lzop -9c", GIB / 4],
    ["lz4", "lz4 -l -1 -c -q", GIB],
    ["zstd", "zstd -19 -q -c", GIB],
  ];

  test.each(BOMBS)("%s by %s", async (format, command, size) => {
    const packed = sh(`head -c ${size} /dev/zero | ${command}`);
    const took = cpuTime();
    const over = await attempt(() => decompress(format, packed, { limit: 16 * MIB, where }));
    expect(over).toMatchObject({ ok: false, failure: { kind: "limit", limit: "16 MiB" } });
    expect(took()).toBeLessThan(10_000);

    // Streamed, memory is that of the window. ArrayBuffers that nobody holds are freed late, hence the margin.
    collectGarbage();
    let total = 0;
    let peak = 0;
    for await (const chunk of unpack(format, packed, { limit: size, where })) {
      total += chunk.length;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    }
    expect(total).toBe(size);
    // While it grows, the window is there twice
    const windowBytes = command.includes("768MiB") ? 1.6 * GIB : 0;
    expect(peak).toBeLessThan(windowBytes + 400 * MIB);
  });
});

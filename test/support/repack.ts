/**
 * Real Debian kernels in every wrapping that a kernel can come in, and in the ways that they get damaged. Made with the
 * real tools, from nothing of domus', and cached: the first build takes some minutes, and 1.5 GB of the cache.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, debianKernel, KERNEL_NAMES, type KernelName } from "../../lab/debian.ts";
import type { FailureKind } from "../../src/base/failure.ts";
import type { KernelFacts, Packing } from "../../src/boot/kernel/kernel-facts.ts";
import { need, sh } from "./need.ts";

/** Changes with what the builders below do. */
const RECIPE = "1";

export type KernelCase = {
  /** `6.1-cloud/lz4` */
  readonly name: string;
  readonly kernel: KernelName;
  readonly variant: string;
  readonly format: KernelFacts["format"];
  readonly packing: Packing;
  /** The kind of failure that domus must report; undefined when it can read all of it. */
  readonly failure?: FailureKind;
  /** Builds the file unless it is in the cache. */
  path(): string;
};

type Variant = {
  readonly format: KernelFacts["format"];
  /** Undefined: as in the original. */
  readonly packing?: Packing;
  readonly failure?: FailureKind;
  /** Left out: all. */
  readonly kernels?: readonly KernelName[];
  readonly build: (kernel: KernelName) => Uint8Array;
};

/**
 * Fast levels: the format is what matters. xz as the kernel's own build calls it (scripts/xz_wrap.sh), with and without
 * the x86 filter.
 */
const PACKERS = {
  gzip: ["gzip", "gzip -n -1 -c"],
  bzip2: ["bzip2", "bzip2 -1 -c"],
  lzma: ["lzma", "xz --format=lzma -1 -c"],
  xz: ["xz", "xz --check=crc32 --x86 --lzma2=preset=1 -c"],
  "xz-no-filter": ["xz", "xz --check=crc32 --lzma2=preset=1 -c"],
  lzo: ["lzo", "lzop -1 -c"],
  lz4: ["lz4", "lz4 -l -1 -c"],
  zstd: ["zstd", "zstd -3 -c"],
} as const satisfies Record<string, readonly [Packing, string]>;

const bzimage = "bzimage";
const VARIANTS: Record<string, Variant> = {
  original: { format: bzimage, build: original },
  ...Object.fromEntries(
    Object.entries(PACKERS).map(([name, [packing, command]]) => [
      name,
      packedWith(packing, command),
    ]),
  ),
  // As scripts/xz_wrap.sh calls it since 6.12: more than old builders have the memory for.
  "xz-large-dictionary": {
    ...packedWith("xz", "xz --check=crc32 --x86 --lzma2=preset=1,dict=128MiB --threads=1 -c"),
    kernels: ["6.12", "sid"],
  },
  // Neither Xen nor Linux has ever read it.
  "lz4-frame": packedWith("lz4-frame", "lz4 -1 -c"),
  none: { format: bzimage, packing: "none", build: (kernel) => withPayload(kernel, elfOf(kernel)) },
  elf: { format: "elf", packing: "none", build: elfOf },
  "elf-gzip": {
    format: "elf",
    packing: "gzip",
    build: (kernel) => sh(`gzip -n -1 -c ${unpackedKernel(kernel)}`),
  },
  // What openSUSE has beside its vmlinuz, but packed as its modules are: Xen looks for gzip only.
  "elf-xz": {
    format: "unknown",
    packing: "xz",
    failure: "unsupported",
    kernels: ["6.1-cloud"],
    build: (kernel) => sh(`xz -1 -c ${unpackedKernel(kernel)}`),
  },
  "bzimage-gzip": {
    format: bzimage,
    build: (kernel) => sh("gzip -n -1 -c", { input: original(kernel) }),
  },
  "elf-other-owner": { format: "elf", packing: "none", build: otherOwner },
  "elf-truncated": {
    format: "elf",
    packing: "none",
    failure: "corrupt",
    build: (kernel) => firstHalf(elfOf(kernel)),
  },
  truncated: {
    format: bzimage,
    failure: "corrupt",
    build: (kernel) => firstHalf(original(kernel)),
  },
  "short-payload": { format: bzimage, failure: "corrupt", build: shortPayload },
  "payload-length-overflow": {
    format: bzimage,
    failure: "corrupt",
    build: (kernel) => withField(kernel, { at: 0x24c, value: 0xffff_ffff, bytes: 4 }),
  },
  "protocol-2.07": {
    format: bzimage,
    failure: "unsupported",
    build: (kernel) => withField(kernel, { at: 0x206, value: 0x207, bytes: 2 }),
  },
  "unknown-payload": {
    format: bzimage,
    packing: "unknown",
    failure: "unsupported",
    build: (kernel) => withPayload(kernel, Buffer.from("PKernel.......", "latin1")),
  },
  empty: {
    format: "unknown",
    packing: "unknown",
    failure: "corrupt",
    build: () => new Uint8Array(),
  },
};

function packedWith(packing: Packing, command: string): Variant {
  return { format: bzimage, packing, build: (kernel) => repacked(kernel, command) };
}

/** Every kernel in every variant: some 130 cases. Nothing is built before `path()` is called. */
export function kernelCases(kernels: readonly KernelName[] = KERNEL_NAMES): KernelCase[] {
  return kernels.flatMap((kernel) =>
    variantsOf(kernel).map(([variant, { format, packing, failure, build }]) => ({
      name: `${kernel}/${variant}`,
      kernel,
      variant,
      format,
      packing: packing ?? ORIGINAL_PACKING[kernel],
      ...(failure && { failure }),
      path: () => cached(kernel, variant, () => build(kernel)),
    })),
  );
}

function variantsOf(kernel: KernelName): [string, Variant][] {
  return Object.entries(VARIANTS).filter(([, { kernels = KERNEL_NAMES }]) =>
    kernels.includes(kernel),
  );
}

/** One of them by its name. */
export function kernelCase(name: string): KernelCase {
  const found = kernelCases().find((one) => one.name === name);
  if (!found) throw new Error(`no kernel case ${name}`);
  return found;
}

/** As Debian ships them. */
const ORIGINAL_PACKING: Record<KernelName, Packing> = {
  "5.10": "xz",
  "5.10-686-pae": "xz",
  "6.1": "xz",
  "6.1-cloud": "lz4",
  "6.12": "zstd",
  sid: "zstd",
};

/** Path of the ELF inside a Debian kernel, unpacked with the tool of the format. */
export function unpackedKernel(kernel: KernelName): string {
  return cached(kernel, "elf", () => elfOf(kernel));
}

function cached(kernel: KernelName, variant: string, build: () => Uint8Array): string {
  const { version } = debianKernel(kernel);
  const path = join(cacheDir("kernel-cases", RECIPE, version), variant);
  if (!existsSync(path)) {
    const building = `${path}.${process.pid}`;
    writeFileSync(building, build());
    renameSync(building, path);
  }
  return path;
}

function firstHalf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length / 2);
}

function original(kernel: KernelName): Buffer {
  return readFileSync(debianKernel(kernel).vmlinuz);
}

/** Where the payload lies in a bzImage: boot.rst, payload_offset. */
function payloadRange(image: Buffer): { start: number; end: number } {
  const start = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  return { start, end: start + image.readUInt32LE(0x24c) };
}

const UNPACKERS = { xz: "xz -dc", lz4: "lz4 -dc", zstd: "zstd -dc" };

function elfOf(kernel: KernelName): Buffer {
  need("xz", "lz4", "zstd");
  const image = original(kernel);
  const { start, end } = payloadRange(image);
  const tool = UNPACKERS[ORIGINAL_PACKING[kernel] as keyof typeof UNPACKERS];
  // The last four bytes are the unpacked size, not part of the stream.
  return sh(tool, { input: image.subarray(start, end - 4) });
}

function repacked(kernel: KernelName, command: string): Uint8Array {
  need(command.split(" ", 1)[0]!);
  const elf = unpackedKernel(kernel);
  const packed = sh(`${command} < ${elf}`);
  if (command.startsWith("gzip")) return withPayload(kernel, packed);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(readFileSync(elf).length);
  return withPayload(kernel, Buffer.concat([packed, size]));
}

/** The same image around another payload. The code behind it (the kernel's own unpacker) stays; Xen does not run it. */
function withPayload(kernel: KernelName, payload: Uint8Array): Uint8Array {
  const image = original(kernel);
  const { start, end } = payloadRange(image);
  image.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([image.subarray(0, start), payload, image.subarray(end)]);
}

function withField(
  kernel: KernelName,
  field: { at: number; value: number; bytes: number },
): Uint8Array {
  const image = original(kernel);
  image.writeUIntLE(field.value, field.at, field.bytes);
  return image;
}

/** The header is consistent, but the packed stream ends early. */
function shortPayload(kernel: KernelName): Uint8Array {
  const image = original(kernel);
  const { start, end } = payloadRange(image);
  return withPayload(kernel, image.subarray(start, start + (end - start) / 2));
}

/** The notes are there, but not as Xen's: the owner `Xen` becomes `Xxn`. */
function otherOwner(kernel: KernelName): Uint8Array {
  const elf = elfOf(kernel);
  const owner = Buffer.from([4, 0, 0, 0]);
  for (let at = elf.indexOf("Xen\0"); at >= 0; at = elf.indexOf("Xen\0", at + 1)) {
    // A note's name is 12 bytes after its n_namesz; strings in the kernel's text stay as they are.
    if (at >= 12 && elf.subarray(at - 12, at - 8).equals(owner)) elf.write("Xxn", at, "latin1");
  }
  return elf;
}

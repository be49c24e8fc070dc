/**
 * GRUB as a kernel for Xen guests (pvgrub2; Debian's package grub-xen-host): an ELF with Xen notes, and behind
 * GRUB's kernel what grub-mkimage has put there: modules, a disk in memory, a first configuration, a prefix.
 *
 * After include/grub/kernel.h of GRUB: `grub_module_info` ("mimg", then offset and size), followed by modules, each
 * with a header of type and size.
 */
import { attemptSync } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";
import type { Compression } from "../../bytes/decompress/format.ts";
import { EM_386, EM_X86_64, isElf, parseElf, sectionNamed } from "../kernel/elf.ts";
import type { Elf } from "../kernel/elf.ts";
import { readXenNotes } from "../kernel/xen-notes.ts";

export type GrubImage = {
  readonly bits: 32 | 64;
  /** `$grub_platform`: `xen` for PV domains, `xen_pvh` for PVH ones. */
  readonly platform: "xen" | "xen_pvh";
  /** `$grub_cpu` */
  readonly cpu: "i386" | "x86_64";
  /** What is run first; empty when there is none. */
  readonly config: string;
  /** `(memdisk)/boot/grub`; empty when there is none. */
  readonly prefix: string;
  /** A tar archive. */
  readonly memdisk?: Uint8Array;
  /** The names of the modules inside. */
  readonly modules: ReadonlySet<string>;
};

const info32 = struct("grub_module_info32", 12, {
  magic: [0, u32le],
  offset: [4, u32le],
  size: [8, u32le],
});
const info64 = struct("grub_module_info64", 24, {
  magic: [0, u32le],
  offset: [8, u64le],
  size: [16, u64le],
});
const moduleHeader = struct("grub_module_header", 8, { type: [0, u32le], size: [4, u32le] });

const MAGIC = "mimg";
const TYPE = { elf: 0, memdisk: 1, config: 2, prefix: 3 } as const;
/** The magic also stands in the code that looks for it. */
const MAX_MAGICS = 64;
/** Debian's images have 210 modules. */
const MAX_MODULES = 2048;
/** Ten times as much as the largest image of Debian. */
const MAX_IMAGE_BYTES = 32 * 1024 * 1024;

/** `undefined` for what is no GRUB, and for damage that leaves nothing to recognise. */
export function detectGrubImage(bytes: Uint8Array, where: Where): GrubImage | undefined {
  if (!isElf(bytes) || bytes.length > MAX_IMAGE_BYTES) return undefined;
  const parsed = attemptSync(() => parseElf(bytes, where));
  if (!parsed.ok) return undefined;
  const elf = parsed.value;
  if (elf.machine !== EM_386 && elf.machine !== EM_X86_64) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = -1;
  for (let tries = 0; tries < MAX_MAGICS; tries++) {
    at = text.indexOf(MAGIC, at + 1, "latin1");
    if (at < 0) return undefined;
    const start = at;
    const found = attemptSync(() => readModules(bytes, { at: start, elf, where }));
    if (found.ok && found.value) return found.value;
  }
  return undefined;
}

type Place = { readonly at: number; readonly elf: Elf; readonly where: Where };

function readModules(bytes: Uint8Array, place: Place): GrubImage | undefined {
  const { at, elf, where } = place;
  const info = (elf.bits === 64 ? info64 : info32).read(bytes, at, where);
  const end = at + info.size;
  if (info.offset < 8 || info.offset > info.size || end > bytes.length) return undefined;
  const modules = new Set<string>();
  let config = "";
  let prefix = "";
  let memdisk: Uint8Array | undefined;
  let next = at + info.offset;
  for (let count = 0; next + 8 <= end && count < MAX_MODULES; count++) {
    const { type, size } = moduleHeader.read(bytes, next, where);
    if (size < 8 || next + size > end) return undefined;
    const body = bytes.subarray(next + 8, next + size);
    if (type === TYPE.elf) {
      const name = moduleName(body, within(where, `module ${count}`));
      if (name !== undefined) modules.add(name);
    } else if (type === TYPE.memdisk) memdisk = body;
    else if (type === TYPE.config) config = decodeCString(body);
    else if (type === TYPE.prefix) prefix = decodeCString(body);
    next += size;
  }
  if (modules.size === 0 && prefix === "" && config === "") return undefined;
  return {
    bits: elf.bits,
    platform: platformOf(bytes, place),
    cpu: elf.machine === EM_X86_64 ? "x86_64" : "i386",
    config,
    prefix,
    modules,
    ...(memdisk && { memdisk }),
  };
}

/** PV images name GRUB as GUEST_OS; the one for PVH has an entry point for it, and nothing else. */
function platformOf(bytes: Uint8Array, { elf, where }: Place): GrubImage["platform"] {
  const notes = readXenNotes(bytes, elf, where);
  return notes?.phys32Entry !== undefined && notes.entry === undefined ? "xen_pvh" : "xen";
}

/** From the section .modname of a module. */
function moduleName(bytes: Uint8Array, where: Where): string | undefined {
  const found = attemptSync(() => {
    const section = sectionNamed(bytes, parseElf(bytes, where), ".modname", where);
    return section && decodeCString(section.subarray(0, 64));
  });
  return found.ok ? found.value : undefined;
}

/** GRUB's io filters, by module: what its loader for PV kernels gets the ELF out of. */
const FILTERS: Readonly<Record<string, Compression>> = {
  gzio: "gzip",
  xzio: "xz",
  lzopio: "lzo",
  zstdio: "zstd",
};

/** The packings of PV kernels that this GRUB unpacks (grub-core/loader/i386/xen_file.c). */
export function unpackedBy({ modules }: GrubImage): Compression[] {
  return Object.entries(FILTERS).flatMap(([name, packing]) => (modules.has(name) ? [packing] : []));
}

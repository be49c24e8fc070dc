/**
 * bzImage: real-mode setup code, then the protected-mode kernel, with the packed ELF (the payload) inside that.
 *
 * Linux: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". Where the payload lies is worked out as Xen's
 * domain builder does it (xen: tools/libs/guest/xg_dom_bzimageloader.c), since it is the one to be satisfied.
 * Not supported: zImage and kernels with a boot protocol before 2.08 (Linux 2.6.26), which do not say where it is.
 */
import { corrupt, unsupported } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { u16le, u32le, u64leRaw, u8 } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";

/** Offsets are from the beginning of the file, as in boot.rst. */
export const setupHeader = struct("setup_header", 0x264, {
  setup_sects: [0x1f1, u8],
  boot_flag: [0x1fe, u16le],
  header: [0x202, u32le],
  version: [0x206, u16le],
  kernel_version: [0x20e, u16le],
  loadflags: [0x211, u8],
  kernel_alignment: [0x230, u32le],
  relocatable_kernel: [0x234, u8],
  xloadflags: [0x236, u16le],
  cmdline_size: [0x238, u32le],
  payload_offset: [0x248, u32le],
  payload_length: [0x24c, u32le],
  pref_address: [0x258, u64leRaw],
  init_size: [0x260, u32le],
});

/** `HdrS` */
const HEADER_MAGIC = 0x53726448;
/** The first protocol version with each field. */
const PROTOCOL_CMDLINE_SIZE = 0x206;
const PROTOCOL_PAYLOAD = 0x208;
const PROTOCOL_XLOADFLAGS = 0x20c;
/** xloadflags bit 0: the kernel has the 64-bit entry point at 0x200. */
const XLF_KERNEL_64 = 1;
const SECTOR = 512;
/** The kernel makes the string of UTS_RELEASE (64), builder and UTS_VERSION (64); what is longer is not one. */
const MAX_RELEASE_BYTES = 512;

export type BzImage = {
  /** 0x20f is 2.15. */
  readonly bootProtocol: number;
  /** `6.1.0-50-amd64 (debian-kernel@lists.debian.org) #1 SMP ...` */
  readonly release?: string;
  readonly commandLineLimit?: number;
  readonly bits?: 32 | 64;
  /** As stated, not yet checked; see `locatePayload`. */
  readonly payloadOffset: number;
  readonly payloadLength: number;
};

/** `undefined` when the file has no setup header. Never fails: what is wrong with the payload is said by `locatePayload`. */
export function detectBzImage(bytes: Uint8Array): BzImage | undefined {
  if (bytes.length < setupHeader.size) return undefined;
  const header = setupHeader.read(bytes);
  if (header.header !== HEADER_MAGIC) return undefined;
  const protocol = header.version;
  const release = releaseText(bytes, header.kernel_version, header.setup_sects);
  return {
    bootProtocol: protocol,
    ...(release !== undefined && { release }),
    ...(protocol >= PROTOCOL_CMDLINE_SIZE && { commandLineLimit: header.cmdline_size }),
    ...(protocol >= PROTOCOL_XLOADFLAGS && {
      bits: (header.xloadflags & XLF_KERNEL_64) === 0 ? (32 as const) : (64 as const),
    }),
    // boot.rst reads setup_sects 0 as 4; Xen does not, so for it the payload of such an image begins elsewhere.
    // No kernel since 2.6.26 has 0 there.
    payloadOffset: (header.setup_sects + 1) * SECTOR + header.payload_offset,
    payloadLength: header.payload_length,
  };
}

function releaseText(bytes: Uint8Array, pointer: number, setupSects: number): string | undefined {
  // A pointer past the setup code leads into the packed kernel, where the bytes mean nothing.
  if (pointer === 0 || pointer >= (setupSects || 4) * SECTOR) return undefined;
  const at = pointer + SECTOR;
  const text = decodeCString(bytes.subarray(at, at + MAX_RELEASE_BYTES));
  return /^\d+\.\d+/.test(text) ? text : undefined;
}

/**
 * The payload, a view into `bytes`. `unsupported` for a boot protocol that does not say where it is, `corrupt` when it
 * is said to lie outside the file: in practice the file was cut off while it was copied.
 */
export function locatePayload(bytes: Uint8Array, image: BzImage, where: Where): Uint8Array {
  if (image.bootProtocol < PROTOCOL_PAYLOAD) {
    throw unsupported(where, `boot protocol ${protocolText(image.bootProtocol)} (before 2.08)`);
  }
  // Both are sums of at most three 32-bit numbers: no overflow.
  const end = image.payloadOffset + image.payloadLength;
  if (image.payloadOffset >= bytes.length || end > bytes.length) {
    const found = `a file of ${bytes.length} bytes`;
    throw corrupt(where, found, `at least ${end}, where its packed kernel ends`);
  }
  return bytes.subarray(image.payloadOffset, end);
}

/** `2.15` for 0x20f. */
export function protocolText(version: number): string {
  return `${version >>> 8}.${String(version & 0xff).padStart(2, "0")}`;
}

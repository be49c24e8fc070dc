/**
 * What is in a save image, under the names that Xen gives it: xl's own header (xen: tools/xl/xl.h), libxl's stream
 * (docs/specs/libxl-migration-stream.pandoc), libxc's in it (docs/specs/libxc-migration-stream.pandoc). Headers of the
 * streams are big endian whatever the machine; records are in the order of the machine, little endian on x86 and Arm.
 */
import { bytesField, u16be, u16le, u32be, u32le, u64beRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";

/** The first bytes of what xl saves, since xl exists. */
export const XL_MAGIC = "Xen saved domain, xl format\n \0 \r";
/** In the byte order of the machine that saved. */
export const XL_BYTEORDER = 0x01020304;
/** `mandatory_flags`: the config inside is JSON (since 4.5), the stream is of version 2 (since 4.6). */
export const XL_FLAG_JSON = 1;
export const XL_FLAG_STREAM_V2 = 2;

export const xlHeader = struct("save_file_header", 48, {
  magic: [0, bytesField(32)],
  byteorder: [32, u32le],
  mandatory_flags: [36, u32le],
  optional_flags: [40, u32le],
  optional_data_len: [44, u32le],
});

/** "LibxlFmt" */
export const LIBXL_IDENT = 0x4c6962786c466d74n;
export const LIBXL_VERSION = 2;

export const libxlHeader = struct("libxl__sr_hdr", 16, {
  ident: [0, u64beRaw],
  version: [8, u32be],
  options: [12, u32be],
});

/** `options` of both streams. */
export const OPTION_BIG_ENDIAN = 1;

/** Of both streams. */
export const recordHeader = struct("libxl__sr_rec_hdr", 8, {
  type: [0, u32le],
  length: [4, u32le],
});

export const LIBXL_RECORD = {
  end: 0,
  libxcContext: 1,
  emulatorXenstoreData: 2,
  emulatorContext: 3,
  checkpointEnd: 4,
  checkpointState: 5,
} as const;

/** Types from here on may be passed over by who does not know them; the others may not. */
export const OPTIONAL_RECORDS = 0x8000_0000;

/** "XENF" */
export const LIBXC_ID = 0x58454e46;
export const LIBXC_MARKER = 0xffff_ffff_ffff_ffffn;

export const libxcHeader = struct("xc_sr_ihdr", 24, {
  marker: [0, u64beRaw],
  id: [8, u32be],
  version: [12, u32be],
  options: [16, u16be],
});

export const domainHeader = struct("xc_sr_dhdr", 16, {
  type: [0, u32le],
  page_shift: [4, u16le],
  xen_major: [8, u32le],
  xen_minor: [12, u32le],
});

export const LIBXC_RECORD = { end: 0, pageData: 1, checkpoint: 0xe } as const;
/** The last type that Xen 4.20 knows: X86_MSR_POLICY is 0x12. */
export const LAST_LIBXC_RECORD = 0x12;

export const pageDataHeader = struct("xc_sr_rec_page_data_header", 8, {
  count: [0, u32le],
});

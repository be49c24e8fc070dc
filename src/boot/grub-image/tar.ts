/** The files of a small tar archive: POSIX ustar and GNU's, as grub-mkimage takes for its disk in memory. */
import { corrupt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { bytesField } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";

const tarHeader = struct("posix_header", 512, {
  name: [0, bytesField(100)],
  size: [124, bytesField(12)],
  typeflag: [156, bytesField(1)],
  magic: [257, bytesField(5)],
});
const BLOCK = 512;
const MAX_FILES = 1024;

/** By path, without a leading `./` or `/`. Links and devices are left out. `corrupt` for what is no tar archive. */
export function parseTar(bytes: Uint8Array, where: Where): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  // Each turn goes on by a block at least.
  while (at + BLOCK <= bytes.length && files.size < MAX_FILES) {
    const header = tarHeader.read(bytes, at, where);
    if (header.name[0] === 0) break;
    const text = decodeCString(header.magic);
    if (text !== "ustar") throw corrupt(where, `magic "${text}" at byte ${at}`, "ustar");
    const digits = decodeCString(header.size).trim();
    if (!/^[0-7]{1,11}$/.test(digits)) throw corrupt(where, `size "${digits}"`, "octal digits");
    const size = Number.parseInt(digits, 8);
    const start = at + BLOCK;
    if (start + size > bytes.length) throw corrupt(where, `a file of ${size} bytes`, "room for it");
    const type = header.typeflag[0];
    if (type === 0x30 || type === 0) {
      const name = decodeCString(header.name).replace(/^(\.?\/)+/, "");
      files.set(name, bytes.subarray(start, start + size));
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

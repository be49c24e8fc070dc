/** Writes cpio archives of the newc kind, sound or not, for tests of what reads them. */
import { encodeText } from "../../src/bytes/text.ts";

export type NewcEntry = {
  readonly name: string;
  /** Content, or the target of a symlink. */
  readonly content?: string | Uint8Array;
  /** With type bits; default a regular file of mode 0644. */
  readonly mode?: number;
  readonly ino?: number;
  readonly nlink?: number;
  /** What to claim instead of the truth. */
  readonly nameSize?: number;
  readonly fileSize?: number;
  readonly magic?: string;
  readonly checksum?: number;
};

export const DIRECTORY = 0o040755;
export const SYMLINK = 0o120777;
export const PROGRAM = 0o100755;

export function newcEntry(entry: NewcEntry): Uint8Array {
  const { name, mode = 0o100644, ino = 0, nlink = 1, magic = "070701", checksum = 0 } = entry;
  const nameBytes = Buffer.concat([encodeText(name), Buffer.of(0)]);
  const content =
    typeof entry.content === "string" ? encodeText(entry.content) : (entry.content ?? Buffer.of());
  const fields = [
    ino,
    mode,
    0,
    0,
    nlink,
    0,
    entry.fileSize ?? content.length,
    0,
    0,
    0,
    0,
    entry.nameSize ?? nameBytes.length,
    checksum,
  ];
  const header = magic + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([pad(Buffer.concat([Buffer.from(header), nameBytes])), pad(content)]);
}

/** With a trailer; `blockBytes` pads the end as `cpio` does (512), 4 as the kernel's own does. */
export function newc(entries: readonly NewcEntry[], blockBytes = 512): Buffer {
  const all = [...entries, { name: "TRAILER!!!" }].map(newcEntry);
  return Buffer.from(pad(Buffer.concat(all), blockBytes));
}

function pad(bytes: Uint8Array, to = 4): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / to) * to);
  out.set(bytes);
  return out;
}

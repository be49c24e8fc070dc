/**
 * The notes of an ELF file: owner, type, contents. System V ABI, chapter 5, "Note Section"; the bounds and the padding
 * are those of xen: xen/common/libelf/libelf-tools.c.
 */
import type { Budget } from "../../base/budget.ts";
import { u32le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";

export const elfNhdr = struct("Elf_Nhdr", 12, {
  n_namesz: [0, u32le],
  n_descsz: [4, u32le],
  n_type: [8, u32le],
});

export type ElfNote = {
  /** The owner: `Xen`, `GNU`, `Linux`; its first 32 bytes. */
  readonly name: string;
  readonly type: number;
  /** A view into the file, cut at its end. */
  readonly desc: Uint8Array;
  /** The contents as a string: up to the NUL, which need not be counted in them, and 4096 bytes at most. */
  text(): string;
};

/** ELF_MAX_STRING_LENGTH of libelf. */
const MAX_TEXT_BYTES = 4096;
const MAX_NAME_BYTES = 32;

/**
 * The notes in a run of the file, as Xen reads them: name and contents are padded to 4 bytes, also in a 64-bit ELF,
 * strings end at their NUL whatever size is given for them, and the last note may end after the run.
 * One of `budget` is spent per note.
 */
export function* elfNotes(
  bytes: Uint8Array,
  range: { readonly offset: number; readonly size: number },
  budget: Budget,
): Generator<ElfNote> {
  const end = range.offset + range.size;
  let at = range.offset;
  // Every round moves on by at least the 12 bytes of the header: no loop is possible.
  while (at < end && at + elfNhdr.size <= bytes.length) {
    budget.spend();
    const { n_namesz, n_descsz, n_type } = elfNhdr.read(bytes, at);
    const name = at + elfNhdr.size;
    const desc = name + align4(n_namesz);
    yield {
      name: decodeCString(bytes.subarray(name, name + MAX_NAME_BYTES)),
      type: n_type,
      desc: bytes.subarray(desc, desc + n_descsz),
      text: () => decodeCString(bytes.subarray(desc, desc + MAX_TEXT_BYTES)),
    };
    at = desc + align4(n_descsz);
  }
}

/** Not with bit operators, which would make 2^31 negative. */
function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}

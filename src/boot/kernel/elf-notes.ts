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
  /** The owner: `Xen`, `GNU`, `Linux`. */
  readonly name: string;
  readonly type: number;
  /** A view into the file. */
  readonly desc: Uint8Array;
};

/**
 * The notes in a run of the file. Name and contents are padded to 4 bytes, also in a 64-bit ELF: so they are in
 * kernels, and so Xen reads them. Ends without a word at a note that does not fit, as Xen does; `budget` is spent per note.
 */
export function* elfNotes(
  bytes: Uint8Array,
  range: { readonly offset: number; readonly size: number },
  budget: Budget,
): Generator<ElfNote> {
  const end = Math.min(range.offset + range.size, bytes.length);
  let at = range.offset;
  // Every round moves on by at least the 12 bytes of the header: no loop is possible.
  while (at + elfNhdr.size <= end) {
    budget.spend();
    const { n_namesz, n_descsz, n_type } = elfNhdr.read(bytes, at);
    const name = at + elfNhdr.size;
    const desc = name + align4(n_namesz);
    if (desc + n_descsz > end) return;
    yield {
      name: decodeCString(bytes.subarray(name, name + n_namesz)),
      type: n_type,
      desc: bytes.subarray(desc, desc + n_descsz),
    };
    at = desc + align4(n_descsz);
  }
}

/** Not with bit operators, which would make 2^31 negative. */
function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}

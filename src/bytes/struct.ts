/**
 * On-disk structs, declared once: explicit offsets, the kernel's field names.
 *
 *     export const ext4Extent = struct("ext4_extent", 12, {
 *       ee_block: [0, u32le], ee_len: [4, u16le], ee_start_hi: [6, u16le], ee_start_lo: [8, u32le],
 *     });
 *     const extent = ext4Extent.read(bytes, at);   // extent.ee_len: number
 *
 * Fields are read when they are looked at, so that a big struct costs what is used of it. The same table serves
 * the mutation tests (which fields exist, and where) and the test that no two fields overlap by mistake.
 */
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { FieldType } from "./fields.ts";

// `any` is what lets one table hold fields of different types; the mapped type below gives each its own back.
// oxlint-disable-next-line typescript/no-explicit-any
type Fields = Readonly<Record<string, readonly [offset: number, type: FieldType<any>]>>;

export type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K][1] extends FieldType<infer T> ? T : never;
};

export type Struct<F extends Fields> = {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly fields: F;
  /** A `corrupt` failure when the struct does not fit into `bytes` at `at`. */
  read(bytes: Uint8Array, at?: number, where?: Where): Values<F>;
};

/** What `Struct.read` gives for a struct: `type Extent = Read<typeof ext4Extent>`. */
export type Read<S> = S extends Struct<infer F> ? Values<F> : never;

/** Every struct declared in the process, for the overlap test and the fuzzer. */
export const declaredStructs: Struct<Fields>[] = [];

export function struct<const F extends Fields>(name: string, size: number, fields: F): Struct<F> {
  class Accessor {
    readonly view: DataView;
    readonly where: Where;
    constructor(view: DataView, where: Where) {
      this.view = view;
      this.where = where;
    }
  }
  for (const [field, [offset, type]] of Object.entries(fields)) {
    if (offset + type.size > size) throw new RangeError(`${name}.${field} ends after the struct`);
    Object.defineProperty(Accessor.prototype, field, {
      enumerable: true,
      get(this: Accessor) {
        return type.get(this.view, offset, this.where);
      },
    });
  }
  const declared: Struct<F> = {
    name,
    size,
    fields,
    read(bytes, at = 0, where = []) {
      if (!(at >= 0 && at + size <= bytes.length)) {
        throw corrupt(where, `${name} at byte ${at} of ${bytes.length}`, `${size} bytes`);
      }
      return new Accessor(
        new DataView(bytes.buffer, bytes.byteOffset + at, size),
        where,
      ) as unknown as Values<F>;
    },
  };
  declaredStructs.push(declared);
  return declared;
}

/**
 * Checksums that damage breaks, and that somebody who means harm would set right again. A seal is found by a plain scan
 * of the undamaged input and kept only if its formula gives the checksum that is stored there: so what a scan takes for
 * a block by mistake, and a formula that is wrong, do nothing.
 */
export type Range = { readonly at: number; readonly length: number };

/** Bytes to be written, and where. */
export type Patch = { readonly at: number; readonly bytes: Uint8Array };

export type Seal = {
  /** What is covered: damage to any of it makes the seal renewed. In bytes of the input. */
  readonly covers: readonly Range[];
  /** The checksums as they have to be for the bytes as they are. */
  readonly renew: (input: Uint8Array) => readonly Patch[];
};

/** A number as bytes. */
export function numberBytes(value: number, size: 2 | 4, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  if (size === 2) view.setUint16(0, value & 0xffff, littleEndian);
  else view.setUint32(0, value >>> 0, littleEndian);
  return bytes;
}

export function viewOf(input: Uint8Array): DataView {
  return new DataView(input.buffer, input.byteOffset, input.byteLength);
}

/** Whether the text is at that place. */
export function hasText(input: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (input[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** A checksum of 32 bits over one range, in little endian unless said otherwise. */
export function simpleSeal(
  range: Range,
  at: number,
  compute: (bytes: Uint8Array) => number,
  littleEndian = true,
): Seal {
  return {
    covers: [range],
    renew: (input) => [
      {
        at,
        bytes: numberBytes(
          compute(input.subarray(range.at, range.at + range.length)),
          4,
          littleEndian,
        ),
      },
    ],
  };
}

/** Whether the bytes of the input are what the seal would write. */
export function holds(input: Uint8Array, seal: Seal): boolean {
  const patches = seal.renew(input);
  return (
    patches.length > 0 &&
    seal.covers.every(({ at, length }) => at >= 0 && at + length <= input.length) &&
    patches.every(
      ({ at, bytes }) => at >= 0 && bytes.every((byte, index) => input[at + index] === byte),
    )
  );
}

/**
 * Renews what was broken by writes to `written`, inner seals (which come first) before the ones that cover them.
 * `write` is told of every change.
 */
export function renewSeals(
  input: Uint8Array,
  seals: readonly Seal[],
  written: readonly Range[],
  write: (patch: Patch) => void,
): void {
  const broken: Range[] = [...written];
  for (const seal of seals) {
    if (!broken.some((range) => seal.covers.some((one) => overlap(one, range)))) continue;
    for (const patch of seal.renew(input)) {
      if (patch.bytes.every((byte, index) => input[patch.at + index] === byte)) continue;
      write(patch);
      broken.push({ at: patch.at, length: patch.bytes.length });
    }
  }
}

function overlap(a: Range, b: Range): boolean {
  return a.at < b.at + b.length && b.at < a.at + a.length;
}

/**
 * Which parts of a file are holes. Node has no SEEK_DATA and SEEK_HOLE (lseek(2)); perl's sysseek hands them to the kernel,
 * and perl-base is on every Debian. What is not known to be a hole is data: without perl, all of it.
 *
 * FIEMAP will not do: it calls an extent unwritten whose new bytes are still in memory. SEEK_DATA looks there too.
 */
import { spawn } from "node:child_process";
import { statfs } from "node:fs/promises";
import { KIB } from "../../base/units.ts";

/** Holes that are shorter are taken for data: nobody skips so little. */
const SMALLEST_HOLE_BYTES = 64 * KIB;
/** Holes in memory, 16 bytes each. What lies behind the last is data. */
const MAX_HOLES = 1_000_000;

export type HoleMap = {
  /** Ascending, not touching. */
  readonly count: number;
  /** Of all holes. */
  readonly holeBytes: number;
  /** Whether all of the range lies in one hole. */
  covers(offset: number, length: number): boolean;
};

/**
 * Where SEEK_DATA is known to look at what is not yet written too: statfs(2)'s numbers of ext4, XFS, btrfs, tmpfs. ZFS has taken
 * new data for holes (fixed in 2.2.2); network filesystems say what their server says.
 */
const TRUSTED = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994]);

/** Data extents as pairs of u64, little endian. ENXIO is the end of data; anything else is an answer that is not known. */
const SCRIPT = `
use strict; use Errno;
my ($size, $smallest) = @ARGV;
binmode STDOUT;
open(my $file, "<&=", 3) or exit 2;
my ($from, $to, $at) = (0, 0, 0);
while ($at < $size) {
  my $data = sysseek($file, $at, 3);
  unless (defined $data) { last if $!{ENXIO}; exit 3 }
  my $hole = sysseek($file, $data, 4);
  exit 4 unless defined $hole and $hole > $data;
  if ($data - $to >= $smallest) {
    print pack("Q<Q<", $from, $to) or exit 5 if $to > $from;
    $from = $data;
  }
  $to = $at = $hole + 0;
}
print pack("Q<Q<", $from, $to), pack("Q<Q<", $size, $size) or exit 5;
close STDOUT or exit 5;
`;

export type HoleMapOptions = {
  /** Of a regular file, open for reading; its position is changed. */
  readonly fd: number;
  /** For statfs. */
  readonly path: string;
  readonly sizeBytes: number;
};

/** Undefined when it cannot be found out: then everything has to be read. Never fails. */
export async function readHoleMap(options: HoleMapOptions): Promise<HoleMap | undefined> {
  try {
    const { type } = await statfs(options.path);
    if (!TRUSTED.has(type)) return undefined;
  } catch {
    return undefined;
  }
  const holes = new HoleList(options.sizeBytes);
  const { fd, sizeBytes } = options;
  const child = spawn("perl", ["-e", SCRIPT, String(sizeBytes), String(SMALLEST_HOLE_BYTES)], {
    stdio: ["ignore", "pipe", "ignore", fd],
  });
  return new Promise((resolve) => {
    child.on("error", () => resolve(undefined));
    child.stdout!.on("data", (chunk: Buffer) => {
      if (!holes.add(chunk)) child.kill();
    });
    child.on("close", (code) => resolve(holes.full || code === 0 ? holes.end() : undefined));
  });
}

/** Makes holes of what lies between data extents: pairs of u64, little endian, ascending, cut anywhere. */
export class HoleList {
  readonly #sizeBytes: number;
  /** Beginning and end of each, in turn. */
  #ends = new Float64Array(1024);
  #count = 0;
  #holeBytes = 0;
  /** Of the last data extent. */
  #dataEnd = 0;
  #rest: Buffer = Buffer.alloc(0);
  full = false;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** False when no more will be kept. */
  add(chunk: Buffer): boolean {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (; at + 16 <= bytes.length && !this.full; at += 16) {
      const from = Math.min(Number(bytes.readBigUInt64LE(at)), this.#sizeBytes);
      this.#hole(this.#dataEnd, from);
      this.#dataEnd = Math.max(this.#dataEnd, from, Number(bytes.readBigUInt64LE(at + 8)));
    }
    this.#rest = bytes.subarray(at);
    return !this.full;
  }

  #hole(from: number, to: number): void {
    if (to - from < SMALLEST_HOLE_BYTES) return;
    if (this.#count === MAX_HOLES) {
      this.full = true;
      return;
    }
    if (2 * this.#count === this.#ends.length) {
      const larger = new Float64Array(2 * this.#ends.length);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[2 * this.#count] = from;
    this.#ends[2 * this.#count + 1] = to;
    this.#count += 1;
    this.#holeBytes += to - from;
  }

  end(): HoleMap {
    return holeMap(this.#ends.slice(0, 2 * this.#count), this.#holeBytes);
  }
}

/** Of a file that is one hole, as a new one is. */
export function allHole(sizeBytes: number): HoleMap {
  return holeMap(Float64Array.of(0, sizeBytes), sizeBytes);
}

function holeMap(ends: Float64Array, holeBytes: number): HoleMap {
  const count = ends.length / 2;
  return {
    count,
    holeBytes,
    covers(offset, length) {
      // The first hole that ends behind `offset`.
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (ends[2 * middle + 1]! > offset) high = middle;
        else low = middle + 1;
      }
      return low < count && ends[2 * low]! <= offset && offset + length <= ends[2 * low + 1]!;
    },
  };
}

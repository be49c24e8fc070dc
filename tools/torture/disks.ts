/** Files and loop devices for a case, and what is in them. */
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { MIB } from "../../src/base/units.ts";
import type { DiskKind } from "./cases.ts";

const PAGE_BYTES = 4096;
type Random = (below: number) => number;

/** Of a program, without its last line end; an error with what it said otherwise. */
export function output(argv: readonly string[], input?: string): string {
  const [program = "", ...args] = argv;
  const path = `${process.env["PATH"]}:/usr/sbin:/sbin`;
  const ran = spawnSync(program, args, {
    encoding: "utf8",
    input,
    env: { ...process.env, PATH: path },
  });
  if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.status} ${ran.stderr}`);
  return ran.stdout.trimEnd();
}

export class Disk implements Disposable {
  readonly kind: DiskKind;
  /** What is copied: the file, or the loop device on it. */
  readonly path: string;
  readonly #file: string;

  constructor(kind: DiskKind, file: string, content: Uint8Array | undefined, sizeBytes: number) {
    this.kind = kind;
    this.#file = file;
    if (content || kind === "loop") {
      const fd = openSync(file, "w");
      const size = kind === "loop" ? Math.ceil(sizeBytes / 512) * 512 : sizeBytes;
      ftruncateSync(fd, size);
      closeSync(fd);
    }
    this.path = kind === "loop" ? output(["losetup", "-f", "--show", file]) : file;
    if (content) this.write(content, 0);
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Of a file; a device is as large as it is. */
  get length(): number {
    return this.kind === "file" ? statSync(this.path).size : statSync(this.#file).size;
  }

  /** Zeroes become holes where a file has none yet. */
  write(content: Uint8Array, offset: number): void {
    const fd = openSync(this.path, "r+");
    for (let at = 0; at < content.length; at += MIB) {
      const part = content.subarray(at, at + MIB);
      const isNew = this.kind === "file" && offset === 0 && part.every((byte) => byte === 0);
      if (!isNew) writeSync(fd, part, 0, part.length, offset + at);
    }
    fsyncSync(fd);
    closeSync(fd);
  }

  /** The first `length` bytes. */
  read(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const fd = openSync(this.path, "r");
    for (let done = 0; done < length;) {
      const got = readSync(fd, bytes, done, length - done, done);
      if (got === 0) break;
      done += got;
    }
    closeSync(fd);
    return bytes;
  }

  /** Of the first `length` bytes, by programs that know nothing of domus. */
  sha256(length: number): string {
    return output(["sh", "-c", 'head -c "$1" "$2" | sha256sum', "sh", String(length), this.path]);
  }

  [Symbol.dispose](): void {
    if (this.kind === "loop") output(["losetup", "-d", this.path]);
  }
}

/** As disks have it: much of it zeroes, some text that packs well, some noise. */
export function makeContent(sizeBytes: number, seed: number, random: Random): Buffer {
  const out = Buffer.alloc(sizeBytes);
  const noise = noiseOf(seed);
  for (let at = 0; at < sizeBytes;) {
    const length = Math.min(sizeBytes - at, 1 + random(random(2) === 0 ? 3 * MIB : 70_000));
    const kind = random(4);
    if (kind === 1) out.fill(`line ${random(1000)} of a log\n`, at, at + length);
    if (kind === 2) fillNoise(out, at, length, { noise, random });
    at += length;
  }
  return out;
}

/** Small changes, large ones, zeroes, and things that were moved. */
export function changeContent(
  content: Buffer,
  changes: number,
  seed: number,
  random: Random,
): void {
  const noise = noiseOf(seed);
  for (let i = 0; i < changes && content.length > 0; i++) {
    const at = random(content.length);
    const wanted = [1, PAGE_BYTES, 9000, 200_000, 3 * MIB][random(5)]!;
    const length = Math.min(1 + random(wanted), content.length - at);
    switch (random(4)) {
      case 0:
        content.fill(0, at, at + length);
        break;
      case 1:
        content.copyWithin(at, random(content.length - length + 1), at + length);
        break;
      default:
        fillNoise(content, at, length, { noise, random });
    }
  }
}

function noiseOf(seed: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < 2048; i++) parts.push(createHash("sha512").update(`${seed} ${i}`).digest());
  return Buffer.concat(parts);
}

function fillNoise(
  out: Buffer,
  at: number,
  length: number,
  { noise, random }: { readonly noise: Buffer; readonly random: Random },
): void {
  for (let done = 0; done < length;) {
    const from = random(noise.length - 1);
    const part = noise.subarray(from, Math.min(noise.length, from + length - done));
    out.set(part, at + done);
    done += part.length;
  }
}

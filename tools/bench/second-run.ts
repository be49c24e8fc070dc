import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { run } from "../sample/image.ts";
import { benchGuest, configText } from "./guest.ts";
import type { BenchGuest } from "./guest.ts";
import { median, once } from "./pair.ts";
import type { Sample } from "./pair.ts";

const GUESTS = Number(process.env["DOMUS_BENCH_GUESTS"] ?? 100);
const RUNS = 5;
const TARGET_MS = 30;

/**
 * `domus check` on a hundred guests: once with an empty cache, then again and again. Every guest has a disk of its own,
 * the same kernel, and an initramfs that no other has.
 */
export function benchSecondRun(dist: string): void {
  const guest = benchGuest("second-run");
  const configs = join(guest.dir, "guests");
  mkdirSync(configs);
  const offset = initramfsOffset(guest);
  for (let index = 0; index < GUESTS; index++) {
    const name = `guest${String(index).padStart(3, "0")}`;
    const image = join(guest.dir, `${name}.img`);
    run("cp", ["--sparse=always", guest.image, image]);
    // The time in the header of gzip, which means nothing to what is packed (RFC 1952).
    writeAt(image, Uint8Array.of(index + 1), offset + 4);
    writeFileSync(join(configs, `${name}.cfg`), configText(name, image));
  }
  process.env["XDG_CACHE_HOME"] = join(guest.dir, "cache");
  const check = { name: "domus check", argv: [dist, "check", "--xen", "4.17", configs] };
  const first = once(check, [0, 3]);
  const later = Array.from({ length: RUNS }, () => once(check, [0, 3]));
  console.log(`second-run, ${GUESTS} guests\n${text(first, later)}`);
  rmSync(guest.dir, { recursive: true });
}

function text(first: Sample, later: readonly Sample[]): string {
  const each = (samples: readonly number[]) => samples.map((ms) => ms / GUESTS);
  const walls = each(later.map((sample) => sample.wallMs));
  const cpus = each(later.map((sample) => sample.cpuMs));
  const wall = median(walls);
  const range = `${Math.min(...walls).toFixed(1)} to ${Math.max(...walls).toFixed(1)}`;
  const peak = Math.max(...later.map((sample) => sample.peakMib));
  return [
    `  first run   ${(first.wallMs / GUESTS).toFixed(0)} ms each   cpu ${(first.cpuMs / GUESTS).toFixed(0)} ms each   peak ${first.peakMib.toFixed(0)} MiB`,
    `  later runs  ${wall.toFixed(1)} ms each (${range})   cpu ${median(cpus).toFixed(1)} ms each   peak ${peak.toFixed(0)} MiB`,
    `  ${wall <= TARGET_MS ? "within" : "OVER"} ${TARGET_MS} ms each; ratio to the first run ${((wall * GUESTS) / first.wallMs).toFixed(3)}`,
  ].join("\n");
}

/** Where the initramfs begins in the image: mkfs puts its first block on a block of the filesystem. */
function initramfsOffset({ image, initramfs }: BenchGuest): number {
  const wanted = readFileSync(initramfs).subarray(0, 4096);
  const chunk = Buffer.alloc(16 * 1024 * 1024);
  const fd = openSync(image, "r");
  try {
    for (let at = 0; ; at += chunk.length) {
      const length = readSync(fd, chunk, 0, chunk.length, at);
      if (length === 0) throw new Error("the image does not hold the initramfs");
      for (let inside = 0; inside < length; inside += 4096) {
        if (chunk.subarray(inside, inside + 4096).equals(wanted)) return at + inside;
      }
    }
  } finally {
    closeSync(fd);
  }
}

function writeAt(path: string, bytes: Uint8Array, at: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

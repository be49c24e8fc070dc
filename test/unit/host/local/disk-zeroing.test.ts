/** What a device does with a hole or a discard, and what is written in its place. */
import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { KIB, MIB } from "../../../../src/base/units.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { DiskZeroing } from "../../../../src/host/local/disk-zeroing.ts";

const SIZE = 4 * MIB;
const STEP = 4 * KIB;

type Behaviour = {
  readonly kind?: "file" | "block-device";
  readonly discardsToZero?: boolean;
  /** What the kernel does: an errno, or the range that it really zeroes. */
  punch(offset: number, length: number): string | readonly [from: number, to: number];
  discard?(offset: number, length: number): string | readonly [from: number, to: number];
};

function made(behaviour: Behaviour) {
  const bytes = new Uint8Array(SIZE).fill(7);
  const log: string[] = [];
  const zeroing = new DiskZeroing({
    kind: behaviour.kind ?? "block-device",
    discardsToZero: behaviour.discardsToZero ?? false,
    disk: memorySource(bytes),
    writer: {
      isPending: () => false,
      settled: async () => {},
      async zero(offset, length) {
        log.push(`write ${offset} ${length}`);
        bytes.fill(0, offset, offset + length);
      },
    },
    helper: {
      async do(operation, offset, length) {
        log.push(`${operation} ${offset} ${length}`);
        const done = behaviour[operation]!(offset, length);
        if (typeof done === "string") return done;
        bytes.fill(0, ...done);
        return undefined;
      },
    },
  });
  const check = (offset: number, length: number) => {
    const expected = new Uint8Array(SIZE).fill(7).fill(0, offset, offset + length);
    expect(Buffer.compare(bytes, expected)).toBe(0);
  };
  return { zeroing, log, check };
}

const obedient = (offset: number, length: number) => [offset, offset + length] as const;

describe("zeroing", () => {
  test("a file makes one hole of it, wherever it begins; what is short is written", async () => {
    const { zeroing, log, check } = made({ kind: "file", punch: obedient });
    await zeroing.zero(1001, 2 * MIB);
    expect(log).toEqual([`punch 1001 ${2 * MIB}`]);
    check(1001, 2 * MIB);
    await zeroing.zero(1001 + 2 * MIB, 64 * KIB - 1);
    expect(log.at(-1)).toBe(`write ${1001 + 2 * MIB} ${64 * KIB - 1}`);
  });

  test("a device is asked for whole blocks; the rest is written", async () => {
    const { zeroing, log, check } = made({ punch: obedient });
    await zeroing.zero(1000, MIB);
    expect(log).toEqual([
      `write 1000 ${STEP - 1000}`,
      `punch ${STEP} ${MIB - STEP}`,
      `write ${MIB} 1000`,
    ]);
    check(1000, MIB);
  });

  test("a device that has no such thing is asked once", async () => {
    const { zeroing, log, check } = made({ punch: () => "EOPNOTSUPP" });
    await zeroing.zero(0, MIB);
    await zeroing.zero(MIB, MIB);
    expect(log).toEqual([`punch 0 ${MIB}`, `write 0 ${MIB}`, `write ${MIB} ${MIB}`]);
    check(0, 2 * MIB);
  });

  test("a promise that is broken is not believed again", async () => {
    const { zeroing, log, check } = made({ punch: (offset) => [offset, offset + STEP] });
    await zeroing.zero(0, 64 * KIB);
    check(0, 64 * KIB);
    await zeroing.zero(64 * KIB, MIB);
    expect(log.at(-1)).toBe(`write ${64 * KIB} ${MIB}`);
    check(0, 64 * KIB + MIB);
  });

  test("a discard is only tried where it gives zeroes, and what it leaves out is written", async () => {
    const chunk = 256 * KIB;
    const whole = (offset: number, length: number) =>
      [Math.ceil(offset / chunk) * chunk, Math.floor((offset + length) / chunk) * chunk] as const;
    const { zeroing, log, check } = made({
      punch: () => "EOPNOTSUPP",
      discard: whole,
      discardsToZero: true,
    });
    await zeroing.zero(chunk - STEP, MIB);
    expect(log.slice(0, 3)).toEqual([
      `punch ${chunk - STEP} ${MIB}`,
      `discard ${chunk - STEP} ${MIB}`,
      `write ${chunk - STEP} ${STEP}`,
    ]);
    check(chunk - STEP, MIB);
    await zeroing.zero(chunk - STEP + MIB, MIB);
    expect(log).toContain(`discard ${chunk - STEP + MIB} ${MIB}`);
    check(chunk - STEP, 2 * MIB);
    const other = made({ punch: () => "EOPNOTSUPP", discard: whole });
    await other.zeroing.zero(0, MIB);
    expect(other.log).toEqual([`punch 0 ${MIB}`, `write 0 ${MIB}`]);
  });

  test("without the helper everything is written", async () => {
    const { zeroing, log, check } = made({
      punch: () => {
        throw ioFailure(["disk"], "change a range", "ENOENT");
      },
    });
    await zeroing.zero(0, MIB);
    await zeroing.zero(MIB, MIB);
    expect(log).toEqual([`punch 0 ${MIB}`, `write 0 ${MIB}`, `write ${MIB} ${MIB}`]);
    check(0, 2 * MIB);
  });
});

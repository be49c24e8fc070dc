import { describe, expect, test } from "vitest";
import { PackingChoice } from "../../../src/sync/packing-choice.ts";

const MIB = 1_048_576;

/** Of 200 patches of 1 MiB, how many are packed. Rates in MiB/s; `saved` is the part that packing saves. */
function packedOf({
  saved,
  packRate,
  wireRate,
}: Record<"saved" | "packRate" | "wireRate", number>) {
  const choice = new PackingChoice();
  let count = 0;
  for (let i = 0; i < 200; i++) {
    let bytes = MIB;
    if (choice.next()) {
      count += 1;
      const packedBytes = MIB * (1 - saved);
      if (choice.packed(MIB, packedBytes, 1000 / packRate)) bytes = packedBytes;
    }
    choice.sent(bytes, ((bytes / MIB) * 1000) / wireRate);
  }
  return count;
}

describe("packing", () => {
  test("is used on a slow wire", () => {
    expect(packedOf({ saved: 0.5, packRate: 400, wireRate: 110 })).toBe(200);
  });

  test("is left, but for probes, on a wire that is faster than it", () => {
    expect(packedOf({ saved: 0.5, packRate: 400, wireRate: 2000 })).toBeLessThan(10);
  });

  test("is left, but for probes, when nothing shrinks and trying costs something", () => {
    expect(packedOf({ saved: 0.01, packRate: 400, wireRate: 300 })).toBeLessThan(10);
  });

  test("is tried with every patch on a wire that is much slower than it", () => {
    expect(packedOf({ saved: 0.01, packRate: 400, wireRate: 50 })).toBe(200);
  });

  test("finds what shrinks when every other patch does not", () => {
    const choice = new PackingChoice();
    let packed = 0;
    for (let i = 0; i < 400; i++) {
      const saved = i % 2 === 0 ? 0 : 0.7;
      if (choice.next()) {
        choice.packed(MIB, MIB * (1 - saved), 2.5);
        if (saved > 0) packed += 1;
      }
      choice.sent(MIB, 9);
    }
    expect(packed).toBeGreaterThan(150);
  });

  test("comes back when the contents change", () => {
    const choice = new PackingChoice();
    const run = (saved: number) => {
      let count = 0;
      for (let i = 0; i < 300; i++) {
        if (choice.next()) {
          count += 1;
          choice.packed(MIB, MIB * (1 - saved), 4);
        }
        choice.sent(MIB, 9);
      }
      return count;
    };
    expect(run(0)).toBeLessThan(15);
    expect(run(0.6)).toBeGreaterThan(190);
  });

  test("that gains less than 3% is not sent", () => {
    const choice = new PackingChoice();
    expect(choice.packed(1000, 980, 1)).toBe(false);
    expect(choice.packed(1000, 960, 1)).toBe(true);
    expect(choice.packed(1000, 1100, 1)).toBe(false);
  });
});

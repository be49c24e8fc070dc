import { expect, test } from "vitest";
import { memorySource } from "../../../src/disk/source.ts";
import { stripedSource } from "../../../src/disk/striped.ts";
import { randomSource } from "../../support/mutate.ts";

test("any range of any layout equals the layout written out", async () => {
  const random = randomSource(7);
  for (let round = 0; round < 200; round++) {
    const count = 1 + random(4);
    const stripeBytes = 1 + random(9);
    const rows = 1 + random(5);
    const areas = Array.from({ length: count }, () =>
      Uint8Array.from({ length: rows * stripeBytes }, () => random(256)),
    );
    const whole: number[] = [];
    for (let row = 0; row < rows; row++)
      for (const area of areas)
        whole.push(...area.subarray(row * stripeBytes, (row + 1) * stripeBytes));
    const sources = areas.map((area) => memorySource(area));
    const striped = stripedSource({ areas: sources, stripeBytes, where: ["s"] });
    expect(striped.size).toBe(whole.length);
    const offset = random(whole.length);
    const length = random(whole.length - offset + 1);
    expect([...(await striped.read(offset, length))]).toEqual(whole.slice(offset, offset + length));
  }
});

test("past the end is a failure", async () => {
  const source = stripedSource({
    areas: [memorySource(new Uint8Array(8))],
    stripeBytes: 4,
    where: ["s"],
  });
  await expect(source.read(4, 5)).rejects.toThrow("s: found a reference to 5 bytes at byte 4");
});

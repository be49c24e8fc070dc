/** The thread that writes: whoever writes at the same time, and whoever waits for it in between, nothing is lost. */
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DiskWriter } from "../../../src/host/local/disk-writer.ts";
import { randomSource } from "../../support/mutate.ts";
import { scratch } from "../../support/need.ts";

test("many writers at once, and some who wait until all is written", async () => {
  const path = `${scratch()}/disk`;
  const size = 24 * 1024 * 1024;
  writeFileSync(path, new Uint8Array(size).fill(0xa5));
  const expected = new Uint8Array(size).fill(0xa5);
  const fd = openSync(path, "r+");
  const writer = new DiskWriter({ fd, where: [path] });
  const random = randomSource(21);
  // Each has a stretch of its own, as segments have.
  const stretch = size / 8;
  const work = Array.from({ length: 8 }, async (_, who) => {
    for (let at = who * stretch; at < (who + 1) * stretch;) {
      const length = Math.min(1 + random(300_000), (who + 1) * stretch - at);
      const zero = random(3) === 0;
      expected.fill(zero ? 0 : who + 1, at, at + length);
      if (zero) await writer.zero(at, length);
      else await writer.write(at, new Uint8Array(length).fill(who + 1));
      if (random(4) === 0) await writer.settled();
      at += length;
    }
  });
  await Promise.all(work);
  await writer.close();
  closeSync(fd);
  expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
});

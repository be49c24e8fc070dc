import { expect, test } from "vitest";
import type { Output } from "../../../../src/cli/output.ts";
import { jsonList } from "../../../../src/cli/render/stream.ts";

/** Collects what a command writes, and how often. */
function collected(): { out: Output; text: () => string; writes: () => number } {
  const parts: Buffer[] = [];
  const out = {
    async resultBytes(bytes: Uint8Array) {
      parts.push(Buffer.from(bytes));
    },
  } as unknown as Output;
  return { out, text: () => Buffer.concat(parts).toString("utf8"), writes: () => parts.length };
}

test.each([0, 1, 2])("a list of %i items is one document", async (count) => {
  const { out, text } = collected();
  const list = jsonList(out, { target: "web" }, "entries");
  for (let i = 0; i < count; i++) await list.add({ path: `/\udcff${i}` });
  await list.end({ complete: true });
  const entries = Array.from({ length: count }, (_, i) => ({ path: `/\udcff${i}` }));
  expect(JSON.parse(text())).toEqual({ domus: 1, target: "web", entries, complete: true });
});

test("a long one is written while it is made", async () => {
  const { out, writes } = collected();
  const list = jsonList(out, {}, "entries");
  for (let i = 0; i < 2000; i++) await list.add({ path: "x".repeat(100) });
  expect(writes()).toBeGreaterThan(2);
});

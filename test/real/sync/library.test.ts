import { readFileSync } from "node:fs";
import { join } from "node:path";
import { explainFailure, FailureError, sync } from "domus";
import type { SyncPlan } from "domus";
import { expect, test } from "vitest";
import { memorySource } from "../../../src/disk/source.ts";
import { memoryDevice } from "../../unit/sync/memory-device.ts";
import { scratch } from "../../support/need.ts";

test("a source of one's own goes to a file, a file to a destination of one's own", async () => {
  const dir = scratch();
  const path = join(dir, "disk.img");
  const bytes = new Uint8Array(3_500_001).map((_, i) => (i % 1_500_000 < 200_000 ? i * 7 : 0));
  const plans: SyncPlan[] = [];
  const onPlan = (plan: SyncPlan) => void plans.push(plan);
  const { done } = await sync({ source: memorySource(bytes), destination: path, onPlan });
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(done).toMatchObject({ counters: { deviceBytes: 3_500_001 } });
  expect(plans).toMatchObject([{ destinationIs: "new file", sizeBytes: 3_500_001 }]);

  const target = memoryDevice(new Uint8Array(3_500_001).fill(9));
  await sync({ source: path, destination: { open: () => target } });
  expect(Buffer.compare(target.bytes, bytes)).toBe(0);
});

test("what goes wrong has words", async () => {
  const dir = scratch();
  const failed = await sync({ source: join(dir, "none"), destination: join(dir, "b") }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failed).toBeInstanceOf(FailureError);
  expect(explainFailure((failed as FailureError).failure)).toMatchObject({ code: "not-found" });
});

import { describe, expect, test } from "vitest";
import { Progress, Tasks } from "../../../src/sync/progress.ts";

describe("tasks", () => {
  test("are never more at a time than said, however many wait to begin", async () => {
    const tasks = new Tasks(new Progress(), 3);
    let running = 0;
    let most = 0;
    let ended = 0;
    const work = async () => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      ended += 1;
    };
    await Promise.all(Array.from({ length: 40 }, () => tasks.begin(work)));
    await tasks.idle();
    expect([most, ended]).toEqual([3, 40]);
  });

  test("that fail end all waiting", async () => {
    const progress = new Progress();
    const tasks = new Tasks(progress, 1);
    const gate = Promise.withResolvers<void>();
    await tasks.begin(() => gate.promise);
    const waiting = [1, 2].map(() => tasks.begin(async () => {}).catch(String));
    gate.reject(new Error("no more"));
    expect(await Promise.all(waiting)).toEqual(["Error: no more", "Error: no more"]);
    await tasks.idle();
  });
});

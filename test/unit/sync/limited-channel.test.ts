import { expect, test } from "vitest";
import { attempt, ioFailure } from "../../../src/base/failure.ts";
import type { Channel } from "../../../src/sync/channel.ts";
import { limitedChannel } from "../../../src/sync/limited-channel.ts";

/** A channel that takes everything at once, and a clock that only sleeping moves. */
function setUp(bytesPerSecond: number) {
  const taken: { readonly atMs: number; readonly text: string }[] = [];
  let nowMs = 0;
  let closed = false;
  const inner: Channel = {
    read: async () => undefined,
    async write(pieces) {
      if (closed) throw ioFailure(["pipe"], "write", "EPIPE");
      taken.push({ atMs: nowMs, text: Buffer.concat(pieces).toString() });
    },
    close: () => void (closed = true),
  };
  const sleeps: (() => void)[] = [];
  const clock = {
    now: () => nowMs,
    sleep: (ms: number) =>
      new Promise<void>((resolve) =>
        sleeps.push(() => {
          nowMs += ms;
          resolve();
        }),
      ),
  };
  const channel = limitedChannel({ channel: inner, bytesPerSecond, clock });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { channel, taken, sleeps, turn, now: () => nowMs };
}

const text = (length: number, letter: string) => Buffer.from(letter.repeat(length));

test("sends in order, in slices, at no more than the rate", async () => {
  const { channel, taken, sleeps, turn, now } = setUp(10_000);
  const all = ["a", "b"].map((letter) => channel.write([text(9, letter), text(2500, letter)]));
  // Six slices, and turns to spare.
  for (let i = 0; i < 20; i++) {
    await turn();
    sleeps.shift()?.();
  }
  await Promise.all(all);
  expect(taken.map((one) => one.text).join("")).toBe("a".repeat(2509) + "b".repeat(2509));
  let sent = 0;
  for (const { atMs, text: part } of taken) {
    // The first slice is free, all others have waited for what was before them.
    expect(sent / 10_000).toBeLessThanOrEqual(atMs / 1000 + 1e-9);
    expect(part.length).toBeLessThanOrEqual(1000);
    sent += part.length;
  }
  expect(now()).toBeGreaterThan(400);
  expect(now()).toBeLessThan(502);
});

test("what was written before it is closed still goes out, and nothing after", async () => {
  const { channel, taken, turn } = setUp(10_000);
  const first = attempt(() => channel.write([text(5000, "a")]));
  await turn();
  const last = attempt(() => channel.write([text(10, "z")]));
  expect(taken.length).toBe(1);
  channel.close();
  expect(await first).toMatchObject({ ok: true });
  expect(await last).toMatchObject({ ok: true });
  expect(taken.map((one) => one.text).join("")).toBe("a".repeat(5000) + "z".repeat(10));
  expect(await attempt(() => channel.write([text(1, "x")]))).toMatchObject({ ok: false });
});

test("what the pipe refuses fails, and so does what comes after it", async () => {
  const inner: Channel = {
    read: async () => undefined,
    write: async () => {
      throw ioFailure(["pipe"], "write", "EPIPE");
    },
    close() {},
  };
  const channel = limitedChannel({ channel: inner, bytesPerSecond: 1_000_000_000 });
  for (let i = 0; i < 2; i++)
    expect(await attempt(() => channel.write([text(9, "a")]))).toMatchObject({
      failure: { errno: "EPIPE" },
    });
});

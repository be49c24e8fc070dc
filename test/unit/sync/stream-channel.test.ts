import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { streamChannel } from "../../../src/sync/stream-channel.ts";

const where = ["far"];
const bytes = (text: string) => new TextEncoder().encode(text);

describe("a channel over streams", () => {
  test("reads what comes, and the end", async () => {
    const input = new PassThrough();
    const channel = streamChannel({ input, output: new PassThrough(), where });
    input.write("one");
    expect(await channel.read()).toEqual(Buffer.from("one"));
    const late = channel.read();
    input.end("two");
    expect(await late).toEqual(Buffer.from("two"));
    expect(await channel.read()).toBe(undefined);
  });

  test("writes in order, and waits until it has been taken", async () => {
    const taken: string[] = [];
    const pending: (() => void)[] = [];
    const output = new Writable({
      write(chunk, _encoding, done) {
        taken.push(String(chunk));
        pending.push(done);
      },
    });
    const channel = streamChannel({ input: new PassThrough(), output, where });
    const states: string[] = [];
    const first = channel.write([bytes("a"), bytes("b")]).then(() => states.push("first"));
    const second = channel.write([bytes("c")]).then(() => states.push("second"));
    for (let i = 0; i < 3; i++) {
      expect(states.length).toBeLessThanOrEqual(Math.max(0, i - 1));
      await new Promise((resolve) => setImmediate(resolve));
      pending.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([first, second]);
    expect(taken).toEqual(["a", "b", "c"]);
    expect(states).toEqual(["first", "second"]);
  });

  test("fails where nobody reads any more, with the reason", async () => {
    const output = new Writable({
      write: (_chunk, _encoding, done) =>
        done(Object.assign(new Error("broken"), { code: "EPIPE" })),
    });
    const channel = streamChannel({ input: new PassThrough(), output, where });
    for (let i = 0; i < 2; i++)
      expect(await attempt(() => channel.write([bytes("x")]))).toMatchObject({
        failure: { kind: "io", errno: "EPIPE", where },
      });
  });

  test("a failed read is a failure", async () => {
    const input = new PassThrough();
    const channel = streamChannel({ input, output: new PassThrough(), where });
    const reading = attempt(() => channel.read());
    input.destroy(Object.assign(new Error("gone"), { code: "ECONNRESET" }));
    expect(await reading).toMatchObject({ failure: { kind: "io", errno: "ECONNRESET" } });
  });

  test("closing ends whatever waits, and still sends what was written", async () => {
    const input = new PassThrough();
    const output = new PassThrough({ highWaterMark: 1 });
    const channel = streamChannel({ input, output, where });
    const reading = channel.read();
    const writing = attempt(() => channel.write([bytes("last "), bytes("words")]));
    channel.close();
    channel.close();
    expect(await writing).toMatchObject({ ok: false });
    expect(await reading).toBe(undefined);
    let heard = "";
    for await (const chunk of output) heard += String(chunk);
    expect(heard).toBe("last words");
    expect(await attempt(() => channel.write([bytes("more")]))).toMatchObject({ ok: false });
  });
});

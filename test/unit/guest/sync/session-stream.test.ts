import { describe, expect, test } from "vitest";
import { attempt, FailureError } from "../../../../src/base/failure.ts";
import {
  MAX_BANNER_BYTES,
  MAX_MESSAGE_BYTES,
  SessionStream,
} from "../../../../src/guest/sync/session-stream.ts";
import type { Channel } from "../../../../src/sync/channel.ts";
import { randomSource } from "../../../support/mutate.ts";
import { memoryConnection } from "../../sync/memory-pipe.ts";

const OPENING = { "domus-sync": { min: 1, max: 1 } };

/** Gives `bytes` in chunks of that size, in one array that is used again and again. */
function reading(bytes: Uint8Array, chunkBytes: number): Channel {
  const chunk = new Uint8Array(chunkBytes);
  let at = 0;
  return {
    async read() {
      if (at >= bytes.length) return undefined;
      const part = bytes.subarray(at, at + chunkBytes);
      at += part.length;
      chunk.fill(0xee).set(part);
      return chunk.subarray(0, part.length);
    },
    async write() {},
    close() {},
  };
}

function encoded(...messages: object[]): Uint8Array {
  return Buffer.from(messages.map((one) => `\u001e${JSON.stringify(one)}\n`).join(""));
}

describe("messages", () => {
  test("come behind a banner, in chunks of any size", async () => {
    const banner = Buffer.from("Welcome to hostb\r\n\u001e{not this}\nLast login: today\n");
    const bytes = Buffer.concat([banner, encoded(OPENING, { answer: "ä" }, { last: 1 })]);
    for (const size of [1, 2, 7, 64, 100_000]) {
      const stream = new SessionStream(reading(bytes, size), ["hostb"]);
      expect(await stream.receiveFirst()).toEqual(OPENING);
      expect(await stream.receive()).toEqual({ answer: "ä" });
      expect(await stream.receiveOrEnd()).toEqual({ last: 1 });
      expect(await stream.receiveOrEnd()).toBeUndefined();
    }
  });

  test.each([
    ["nothing", "", "io"],
    ["a banner and no session", "No such user here\n", "corrupt"],
    ["a banner without end", "x".repeat(MAX_BANNER_BYTES + 1000), "corrupt"],
  ])("%s is no session", async (_, text, kind) => {
    const stream = new SessionStream(reading(Buffer.from(text), 1000), ["hostb"]);
    const got = await attempt(() => stream.receiveFirst());
    expect(got).toMatchObject({ ok: false, failure: { kind, where: ["hostb"] } });
    if (kind === "corrupt" && text.length < 100)
      expect(JSON.stringify(got)).toContain("No such user");
  });

  test.each([
    ["text", "hello\n", "corrupt"],
    ["no JSON", "\u001e{\n", "corrupt"],
    ["a list", "\u001e[1]\n", "corrupt"],
    ["a message without end", `\u001e${"x".repeat(MAX_MESSAGE_BYTES)}`, "limit"],
    ["half a message", '\u001e{"a"', "io"],
  ])("%s is refused", async (_, text, kind) => {
    const stream = new SessionStream(reading(Buffer.from(text), 4096), ["hostb"]);
    expect(await attempt(() => stream.receive())).toMatchObject({ ok: false, failure: { kind } });
  });
});

describe("records", () => {
  test("carry any bytes, end, and messages follow", async () => {
    const random = randomSource(7);
    const connection = memoryConnection({ chunkBytes: () => 1 + random(3000) });
    const near = new SessionStream(connection.source, ["near"]);
    const far = new SessionStream(connection.destination, ["far"]);
    await near.send({ before: true });
    expect(await far.receive()).toEqual({ before: true });
    const sent = Array.from({ length: 40 }, () =>
      new Uint8Array(1 + random(9000)).fill(random(256)),
    );
    const [out, into] = [near.records(), far.records()];
    const writing = (async () => {
      for (const piece of sent) await out.write([piece.subarray(0, 1), piece.subarray(1)]);
      await near.endRecords();
    })();
    const got: Buffer[] = [];
    const wanted = sent.reduce((sum, { length }) => sum + length, 0);
    for (let length = 0; length < wanted;) {
      const chunk = (await into.read())!;
      got.push(Buffer.from(chunk));
      length += chunk.length;
    }
    expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
    // Nobody wants what still comes; the other side ends too.
    await Promise.all([far.endRecords(), writing]);
    await far.send({ after: 1 });
    expect(await near.receive()).toEqual({ after: 1 });
  });

  test("what waits ends when they are closed, and the session goes on", async () => {
    const connection = memoryConnection();
    const near = new SessionStream(connection.source, ["near"]);
    const far = new SessionStream(connection.destination, ["far"]);
    const records = near.records();
    const other = far.records();
    const waiting = records.read();
    records.close();
    expect(await waiting).toBeUndefined();
    await expect(records.write([new Uint8Array(3)])).rejects.toBeInstanceOf(FailureError);
    await other.write([new Uint8Array(100)]);
    await Promise.all([far.endRecords(), near.endRecords()]);
    await near.send({ still: "here" });
    expect(await far.receive()).toEqual({ still: "here" });
  });

  test("a record that is too long is refused before it is waited for", async () => {
    const stream = new SessionStream(reading(Uint8Array.of(1, 0, 0, 0x80, 9, 9), 6), ["hostb"]);
    const got = await attempt(() => stream.records().read());
    expect(got).toMatchObject({ ok: false, failure: { kind: "limit", where: ["hostb"] } });
  });
});

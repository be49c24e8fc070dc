/** The table "What a side must refuse" of docs/design/sync-protocol.md, rule by rule, by a peer that says what the test wants. */
import { describe, expect, test } from "vitest";
import { attempt, FailureError } from "../../../src/base/failure.ts";
import { Digester, RunDigest } from "../../../src/sync/digests.ts";
import type { Frame, Hello } from "../../../src/sync/frames.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { Peer } from "../../../src/sync/peer.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { memoryConnection } from "./memory-pipe.ts";
import { memoryDevice } from "./memory-device.ts";
import { REPLAY_KEY } from "./replay.ts";

const SEGMENTS = 3;
const SIZE = SEGMENTS * SEGMENT_BYTES;
const identity = new Uint8Array(32);
const digester = new Digester(REPLAY_KEY);
const ones = new Uint8Array(SEGMENT_BYTES).fill(1);
const twos = new Uint8Array(SEGMENT_BYTES).fill(2);

/** The rest of a conversation after the greeting, frames to and fro. */
type Talk = (peer: Peer) => Promise<void>;

async function until<T extends Frame["type"]>(peer: Peer, type: T): Promise<Frame & { type: T }> {
  for (;;) {
    const frame = await peer.receive();
    if (frame.type === type) return frame as Frame & { type: T };
  }
}

/** A destination that holds ones, and a source that says `talk`. */
async function destinationHears(talk: Talk, sizeBytes = SIZE) {
  const { source, destination } = memoryConnection();
  const target = memoryDevice(new Uint8Array(SIZE).fill(1));
  const peer = new Peer(source, ["test"]);
  const talking = attempt(async () => {
    await peer.greet("source", "test");
    await peer.send({ type: "offer", sizeBytes, identity });
    await until(peer, "accept");
    await talk(peer);
    // What it says to that.
    for (;;) await peer.receive();
  });
  const received = await attempt(() =>
    receive({ target, channel: destination, program: "test", key: REPLAY_KEY }),
  );
  const said = await talking;
  return { received, said, writes: target.writes };
}

/** A source that holds twos, and a destination that says `talk`. */
async function sourceHears(talk: Talk) {
  const { source, destination } = memoryConnection();
  const peer = new Peer(destination, ["test"]);
  const talking = attempt(async () => {
    await peer.greet("destination", "test");
    await until(peer, "offer");
    await peer.send({ type: "accept", sizeBytes: SIZE, key: REPLAY_KEY });
    await talk(peer);
    for (;;) await peer.receive();
  });
  const device = memoryDevice(new Uint8Array(SIZE).fill(2));
  const sent = await attempt(() =>
    send({ source: device, channel: source, identity, program: "test" }),
  );
  await talking;
  return sent;
}

/** Both sides fail, and the one under test says `rule`. */
function expectRefusal(result: Awaited<ReturnType<typeof attempt>>, rule: string | RegExp): void {
  expect(result.ok).toBe(false);
  expect(JSON.stringify(result)).toMatch(rule);
}

const look = { type: "look", first: 0, count: SEGMENTS } as const;
const whole = (segment: number, bytes = twos): Frame => ({
  type: "patch",
  segment,
  tag: digester.tag(bytes),
  packing: "none",
  rawBytes: bytes.length,
  runs: [{ first: 0, count: 256, zero: false }],
  blocks: bytes,
});

describe("a destination refuses", () => {
  const rules: Record<string, { says: readonly Frame[]; afterTags?: boolean; rule: RegExp }> = {
    "segments outside the offer": {
      says: [{ type: "look", first: 1, count: SEGMENTS }],
      rule: /3 segments from segment 1/,
    },
    "runs that do not ascend": {
      says: [
        { type: "look", first: 1, count: 1 },
        { type: "look", first: 0, count: 1 },
      ],
      rule: /from segment 0.*ascending runs from segment 2/,
    },
    "runs that overlap": {
      says: [
        { type: "look", first: 0, count: 2 },
        { type: "look", first: 1, count: 1 },
      ],
      rule: /ascending runs from segment 2/,
    },
    "ask of what it has not tagged": {
      says: [{ type: "ask", segment: 0 }],
      rule: /ask of segment 0 \(not open\)/,
    },
    "ask twice": {
      says: [look, { type: "ask", segment: 1 }, { type: "ask", segment: 1 }],
      afterTags: true,
      rule: /ask of segment 1/,
    },
    "ask of what is settled": {
      says: [
        look,
        { type: "ask", segment: 0 },
        { type: "settled", segment: 2 },
        { type: "ask", segment: 1 },
      ],
      afterTags: true,
      rule: /ask of segment 1/,
    },
    "a patch of what it has not tagged": {
      says: [whole(0)],
      rule: /write of segment 0 \(not open\)/,
    },
    "a patch outside the device": {
      says: [look, whole(SEGMENTS)],
      afterTags: true,
      rule: /write of segment 3 \(not open\)/,
    },
    "a second patch": {
      says: [look, whole(1), whole(1)],
      afterTags: true,
      rule: /write of segment 1 \(writ/,
    },
    "a patch of what is settled": {
      // Segment 0 is under way, so that neither of them leaves.
      says: [look, whole(0), { type: "settled", segment: 2 }, whole(1)],
      afterTags: true,
      rule: /write of segment 1/,
    },
    "zeroes beyond the device": {
      says: [look, { type: "zero", first: 2, count: 2 ** 40 }],
      afterTags: true,
      rule: /write of segment 3/,
    },
    "settled beyond its tags": {
      says: [look, { type: "settled", segment: SEGMENTS + 1 }],
      afterTags: true,
      rule: /settled up to segment 4/,
    },
    "settled that goes back": {
      says: [look, { type: "settled", segment: 2 }, { type: "settled", segment: 2 }],
      afterTags: true,
      rule: /settled up to segment 2/,
    },
    "the end with segments open": {
      says: [look, { type: "end", digest: identity, looked: 0 }],
      afterTags: true,
      rule: /the end with 3 segments open/,
    },
    "the end before it has looked": {
      says: [look, { type: "end", digest: identity, looked: 0 }],
      rule: /the end/,
    },
    "another digest": {
      says: [look, { type: "settled", segment: 3 }, { type: "end", digest: identity, looked: 3 }],
      afterTags: true,
      rule: /another digest/,
    },
    "another count": {
      says: [look, { type: "settled", segment: 3 }, { type: "end", digest: identity, looked: 2 }],
      afterTags: true,
      rule: /the end of 2 segments/,
    },
    "frames of its own role": {
      says: [{ type: "verified", segment: 0 }],
      rule: /type verified/,
    },
    "a second offer": {
      says: [{ type: "offer", sizeBytes: 1, identity }],
      rule: /type offer/,
    },
  };
  for (const [name, { says, afterTags, rule }] of Object.entries(rules))
    test(name, async () => {
      const { received, said } = await destinationHears(async (peer) => {
        for (const frame of says) {
          await peer.send(frame);
          if (frame === look && afterTags) await until(peer, "tags");
        }
      });
      expectRefusal(received, rule);
      // The other side is told the same.
      expectRefusal(said, rule);
    });

  test("over 256 runs that wait", async () => {
    const { source, destination } = memoryConnection();
    const device = memoryDevice(new Uint8Array(0));
    // It reads for ever, and what it is told waits.
    const reading = Promise.withResolvers<never>();
    const target = { ...device, size: 1000 * SEGMENT_BYTES, read: () => reading.promise };
    const peer = new Peer(source, ["test"]);
    const talking = attempt(async () => {
      await peer.greet("source", "test");
      await peer.send({ type: "offer", sizeBytes: target.size, identity });
      for (let run = 0; run < 258; run++)
        await peer.send({ type: "look", first: 2 * run, count: 1 });
      // The first one is worked on.
      expectRefusal(await attempt(() => until(peer, "done")), /the runs that wait/);
      reading.reject(new FailureError({ kind: "missing", where: [], what: "disk" }));
    });
    const received = await attempt(() =>
      receive({ target, channel: destination, program: "test", key: REPLAY_KEY }),
    );
    expect(received).toMatchObject({ failure: { kind: "limit", limit: "256" } });
    expect(await talking).toMatchObject({ ok: true });
  });

  test("a patch whose bytes are not what its tag says, and writes only that segment", async () => {
    const { received, writes } = await destinationHears(async (peer) => {
      await peer.send(look);
      await until(peer, "tags");
      for (let i = 0; i < 4; i++) {
        await peer.send({ ...whole(1), tag: digester.tag(ones) } as Frame);
        await until(peer, "bad");
      }
    });
    expectRefusal(received, /other bytes than were written, 4 times/);
    expect(
      writes.every(({ offset, length }) => offset >= 1 << 20 && offset + length <= 2 << 20),
    ).toBe(true);
  });
});

describe("a source refuses", () => {
  const tags = (first: number, count: number): Frame => ({
    type: "tags",
    first,
    tags: Buffer.concat(Array.from({ length: count }, () => digester.tag(ones))),
  });
  const rules: Record<string, { says: readonly Frame[]; rule: RegExp }> = {
    "tags out of order": { says: [tags(1, 1)], rule: /1 tags from segment 1/ },
    "tags of what it does not look at": { says: [tags(0, 4)], rule: /4 tags from segment 0/ },
    "tags twice": { says: [tags(0, 3), tags(0, 1)], rule: /1 tags from segment 0/ },
    "digests that it did not ask for": {
      says: [{ type: "blocks", segment: 0, digests: new Uint8Array(16 * 256) }],
      rule: /type blocks/,
    },
    "verified beyond settled": { says: [{ type: "verified", segment: 1 }], rule: /verified 1/ },
    "bad of what it did not send": {
      says: [tags(0, 1), { type: "bad", segment: 2 }],
      rule: /segment 2 as bad/,
    },
    "done before the end": {
      says: [{ type: "done", digest: identity, writtenBytes: 0, zeroedBytes: 0 }],
      rule: /type done/,
    },
    "frames of its own role": { says: [{ type: "ask", segment: 0 }], rule: /type ask/ },
  };
  for (const [name, { says, rule }] of Object.entries(rules))
    test(name, async () => {
      const sent = await sourceHears(async (peer) => {
        await until(peer, "look");
        for (const frame of says) await peer.send(frame);
      });
      expectRefusal(sent, rule);
    });

  test("digests of another number of blocks", async () => {
    const sent = await sourceHears(async (peer) => {
      await peer.send(tags(0, 3));
      const { segment } = await until(peer, "ask");
      await peer.send({ type: "blocks", segment, digests: new Uint8Array(16 * 255) });
    });
    expectRefusal(sent, /digests of 255 blocks/);
  });

  test("the same segment bad for the fourth time", async () => {
    const sent = await sourceHears(async (peer) => {
      const zero = digester.zeroTag(SEGMENT_BYTES);
      await peer.send({ type: "tags", first: 0, tags: Buffer.concat([zero, zero, zero]) });
      for (let i = 0; i < 4; i++) {
        while ((await until(peer, "patch")).segment !== 0);
        await peer.send({ type: "bad", segment: 0 });
      }
    });
    expectRefusal(sent, /how often segment 0 was bad is over the limit of 3|"limit":"3"/);
  });

  test("another digest in done", async () => {
    const sent = await sourceHears(async (peer) => {
      const tag = digester.tag(twos);
      await peer.send({ type: "tags", first: 0, tags: Buffer.concat([tag, tag, tag]) });
      await until(peer, "settled");
      await peer.send({ type: "verified", segment: 3 });
      const { digest } = await until(peer, "end");
      const run = new RunDigest();
      for (let segment = 0; segment < 3; segment++) run.add(segment, tag);
      expect(Buffer.compare(digest, run.end())).toBe(0);
      await peer.send({ type: "done", digest: identity, writtenBytes: 0, zeroedBytes: 0 });
    });
    expectRefusal(sent, /another digest/);
  });
});

test("a source that changes between two sendings sends the tag of what it is now", async () => {
  const { source, destination } = memoryConnection();
  const device = memoryDevice(new Uint8Array(SEGMENT_BYTES).fill(2));
  const peer = new Peer(destination, ["test"]);
  const talking = attempt(async () => {
    await peer.greet("destination", "test");
    await peer.send({ type: "accept", sizeBytes: SEGMENT_BYTES, key: REPLAY_KEY });
    await peer.send({ type: "tags", first: 0, tags: digester.tag(ones) });
    await until(peer, "ask");
    await peer.send({ type: "blocks", segment: 0, digests: new Uint8Array(16 * 256) });
    const first = await until(peer, "patch");
    expect(Buffer.compare(first.tag, digester.tag(twos))).toBe(0);
    device.bytes.fill(3);
    await peer.send({ type: "bad", segment: 0 });
    const second = await until(peer, "patch");
    expect(Buffer.compare(second.tag, digester.tag(device.bytes))).toBe(0);
    expect(second.runs).toEqual([{ first: 0, count: 256, zero: false }]);
  });
  const sending = attempt(() =>
    send({ source: device, channel: source, identity, program: "test" }),
  );
  expect(await talking).toMatchObject({ ok: true });
  peer.close();
  await sending;
});

test("a source asks for what differs in all segments of a batch before it has an answer", async () => {
  const { source, destination } = memoryConnection();
  const count = 8;
  const device = memoryDevice(new Uint8Array(count * SEGMENT_BYTES).fill(2));
  const peer = new Peer(destination, ["test"]);
  const sending = attempt(() =>
    send({ source: device, channel: source, identity, program: "test" }),
  );
  await peer.greet("destination", "test");
  await peer.send({ type: "accept", sizeBytes: device.size, key: REPLAY_KEY });
  const tags = Buffer.concat(Array.from({ length: count }, () => digester.tag(ones)));
  await peer.send({ type: "tags", first: 0, tags });
  const asked: number[] = [];
  while (asked.length < count) asked.push((await until(peer, "ask")).segment);
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  peer.close();
  await sending;
});

describe("other versions", () => {
  const hello: Hello = {
    type: "hello",
    versionMin: 1,
    versionMax: 1,
    role: "source",
    segmentBits: 20,
    blockBits: 12,
    features: 0,
    program: "test",
  };
  async function greeted(theirs: Hello) {
    const { source, destination } = memoryConnection();
    const { encodeFrame, MAGIC } = await import("../../../src/sync/frame-stream.ts");
    await source.write([MAGIC, ...encodeFrame(theirs)]);
    const result = attempt(() => new Peer(destination, ["far"]).greet("destination", "test"));
    return result;
  }

  test("that speak ours as well are taken, and features that we do not know are ignored", async () => {
    expect(await greeted({ ...hello, versionMax: 9, features: 0xffff_ffff })).toEqual({
      ok: true,
      value: undefined,
    });
  });

  test("that do not are named, with the one that is older", async () => {
    expectRefusal(
      await greeted({ ...hello, versionMin: 2, versionMax: 9 }),
      /this side is the older/,
    );
    expectRefusal(
      await greeted({ ...hello, versionMin: 0, versionMax: 0 }),
      /far side is the older/,
    );
  });

  test("with other sizes are refused", async () => {
    expectRefusal(await greeted({ ...hello, blockBits: 16 }), /a block of 2\^16/);
  });
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import {
  encodeMessage,
  encodeStrings,
  errorFailure,
  MAX_PAYLOAD_BYTES,
  parseDirectoryPart,
  parseError,
  parseStrings,
  parseWatchEvent,
  takeMessage,
  XS,
} from "../../../src/xen/xenstore-wire.ts";
import { survivesMutation } from "../../support/mutate.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

describe("messages", () => {
  test("are a header of four numbers and what is behind it", () => {
    const message = { type: XS.read, requestId: 0x01020304, payload: bytes("/a\0") };
    const wire = encodeMessage(message);
    expect([...wire]).toEqual([
      ...[2, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 3, 0, 0, 0],
      ...[0x2f, 0x61, 0],
    ]);
    expect(takeMessage(wire)).toEqual({ message, length: 19 });
  });

  test("are taken one after the other from whatever came", () => {
    const many = fc.array(
      fc.record({
        type: fc.nat(30),
        requestId: fc.nat(),
        payload: fc.uint8Array({ maxLength: 60 }),
      }),
    );
    fc.assert(
      fc.property(many, fc.nat(40), (messages, more) => {
        let wire = new Uint8Array(Buffer.concat(messages.map(encodeMessage)));
        wire = new Uint8Array([...wire, ...new Uint8Array(Math.min(more, 15))]);
        const taken = [];
        for (let one = takeMessage(wire); one; one = takeMessage(wire)) {
          taken.push(one.message);
          wire = wire.slice(one.length);
        }
        expect(taken).toEqual(messages);
        expect(wire.length).toBe(Math.min(more, 15));
      }),
    );
  });

  test("longer than any are refused, before their bytes have come and before they are sent", () => {
    const header = encodeMessage({ type: 1, requestId: 1, payload: new Uint8Array(0) });
    new DataView(header.buffer).setUint32(12, MAX_PAYLOAD_BYTES + 1, true);
    expect(attemptSync(() => takeMessage(header))).toMatchObject({ failure: { kind: "corrupt" } });
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES + 1);
    const sent = attemptSync(() => encodeMessage({ type: 1, requestId: 1, payload }));
    expect(sent).toMatchObject({ failure: { kind: "limit" } });
  });
});

describe("texts", () => {
  test("of an answer end with a NUL each; bytes of any kind are characters", () => {
    expect(parseStrings(new Uint8Array(0))).toEqual([]);
    expect(parseStrings(bytes("a\0b\u001b\u00ff\0"))).toEqual(["a", "b\u001b\u00ff"]);
    expect(attemptSync(() => parseStrings(bytes("a\0b")))).toMatchObject({
      failure: { kind: "corrupt" },
    });
  });

  test("of a request are paths", () => {
    expect([...encodeStrings("@x", "t")]).toEqual([...bytes("@x\0t\0")]);
    for (const path of ["/a b", "/a\0b", "/ä", "", "/a\n"])
      expect(attemptSync(() => encodeStrings(path))).toMatchObject({
        failure: { kind: "corrupt" },
      });
    expect(attemptSync(() => encodeStrings("x".repeat(3073)))).toMatchObject({
      failure: { kind: "limit" },
    });
  });

  test("of a watch event are a path and a token, and of newer servers more", () => {
    expect(parseWatchEvent(bytes("/a\0t\0"))).toEqual({ path: "/a", token: "t" });
    expect(parseWatchEvent(bytes("/a\0t\x001\0"))).toEqual({ path: "/a", token: "t" });
    expect(attemptSync(() => parseWatchEvent(bytes("/a\0")))).toMatchObject({
      failure: { kind: "corrupt" },
    });
  });

  test("of an error are its name", () => {
    expect(parseError(bytes("ENOENT\0"))).toBe("ENOENT");
    expect(attemptSync(() => parseError(bytes("no\0")))).toMatchObject({
      failure: { kind: "corrupt" },
    });
    expect(errorFailure("ENOENT", "/x").failure.kind).toBe("missing");
    expect(errorFailure("EACCES", "/x").failure).toMatchObject({ kind: "io", errno: "EACCES" });
  });
});

describe("parts of a directory", () => {
  test("have the number of their state, and the last one an end", () => {
    expect(parseDirectoryPart(bytes("17\0a\0bc\0"))).toEqual({
      generation: "17",
      names: ["a", "bc"],
      bytes: 5,
      last: false,
    });
    expect(parseDirectoryPart(bytes("17\0d\0\0"))).toMatchObject({ names: ["d"], last: true });
    expect(parseDirectoryPart(bytes("17\0\0"))).toMatchObject({ names: [], bytes: 0, last: true });
  });

  test.each(["", "x\0a\0", "17\0", "17\0a\0\0b\0", "17\0a"])("are nothing else: %j", (text) => {
    expect(attemptSync(() => parseDirectoryPart(bytes(text)))).toMatchObject({
      failure: { kind: "corrupt" },
    });
  });
});

test("damage of any kind is a failure", async () => {
  const events = encodeMessage({ type: 15, requestId: 0, payload: bytes("/local/x\0domus\0") });
  const parts = encodeMessage({ type: 22, requestId: 7, payload: bytes("12\0one\0two\0\0") });
  await survivesMutation([events, parts], (wire) => {
    const taken = takeMessage(wire);
    if (!taken) return;
    const { payload } = taken.message;
    for (const parse of [parseWatchEvent, parseDirectoryPart, parseStrings, parseError])
      attemptSync(() => parse(payload));
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import type { FailureError } from "../../../../src/base/failure.ts";
import { openXenstore } from "../../../../src/host/local/xenstore.ts";
import type { Xenstore } from "../../../../src/host/local/xenstore.ts";
import { watchXenstore } from "../../../../src/host/local/xenstore-watches.ts";
import { encodeMessage, XS } from "../../../../src/xen/xenstore-wire.ts";
import { FakeXenstored } from "../../../support/xenstored.ts";

let server: FakeXenstored;
beforeEach(async () => {
  server = new FakeXenstored();
  await server.start();
});
afterEach(() => server[Symbol.asyncDispose]());

const POLL = { timeout: 30_000, interval: 5 };

type Client = {
  readonly store: Xenstore;
  readonly events: string[];
  readonly ends: FailureError[];
};

async function open(answerTimeoutMs?: number): Promise<Client> {
  const events: string[] = [];
  const ends: FailureError[] = [];
  const store = await openXenstore({
    sockets: ["/nowhere/at/all", server.path],
    onEvent: ({ path }) => events.push(path),
    onEnd: (failure) => ends.push(failure),
    ...(answerTimeoutMs !== undefined && { answerTimeoutMs }),
  });
  return { store, events, ends };
}

describe("a connection", () => {
  test("reads values and directories", async () => {
    server.nodes.set("/local/domain/3/name", "web\u001b");
    server.nodes.set("/local/domain/4/name", "db");
    const { store } = await open();
    using _ = store;
    expect(Buffer.from(await store.read("/local/domain/3/name")).toString()).toBe("web\u001b");
    expect(await store.directory("/local/domain")).toEqual(["3", "4"]);
    expect(await attempt(() => store.read("/nothing"))).toMatchObject({
      failure: { kind: "missing" },
    });
    expect(await attempt(() => store.read("/a b"))).toMatchObject({
      failure: { kind: "corrupt" },
    });
  });

  test("reads a directory that does not fit into one answer, also while it changes", async () => {
    for (let id = 0; id < 3000; id++) server.nodes.set(`/d/${id}`, "");
    const { store } = await open();
    using _ = store;
    let parts = 0;
    server.answer = (type) => {
      // A change between the second and the third part, once.
      if (type === XS.directoryPart && ++parts === 3) {
        server.generation++;
        server.nodes.set("/d/new", "");
      }
      return undefined;
    };
    const names = await store.directory("/d");
    expect(names).toHaveLength(3001);
    expect(new Set(names).size).toBe(3001);
    server.answer = (type) => {
      if (type === XS.directoryPart) server.generation++;
      return undefined;
    };
    expect(await attempt(() => store.directory("/d"))).toMatchObject({
      failure: { kind: "limit" },
    });
  });

  test("hears of changes below what it watches, thousands of them", async () => {
    const { store, events } = await open();
    using _ = store;
    await store.watch("/a", "t");
    for (let i = 0; i < 5000; i++) server.write(`/a/${i % 7}`, "x");
    server.write("/b", "x");
    await expect.poll(() => events.length, POLL).toBe(5001);
    expect(events[0]).toBe("/a");
    await store.unwatch("/a", "t");
    server.write("/a/1", "x");
    expect(await attempt(() => store.read("/b"))).toMatchObject({ ok: true });
    expect(events).toHaveLength(5001);
  });

  test.each([
    ["an answer to nothing", encodeMessage({ type: 2, requestId: 99, payload: new Uint8Array(0) })],
    [
      "an answer of another type",
      encodeMessage({ type: 1, requestId: 1, payload: new Uint8Array(0) }),
    ],
    [
      "an error without a name",
      encodeMessage({ type: XS.error, requestId: 1, payload: new Uint8Array(3) }),
    ],
    ["a length that cannot be", new Uint8Array(16).fill(0xff)],
  ])("ends at %s", async (_, wire) => {
    const { store, ends } = await open();
    server.answer = () => wire;
    expect(await attempt(() => store.read("/a"))).toMatchObject({ failure: { kind: "corrupt" } });
    expect(ends).toHaveLength(1);
    expect(await attempt(() => store.read("/a"))).toMatchObject({ failure: { kind: "corrupt" } });
  });

  test("ends when the server does, and when it does not answer", async () => {
    const { store, ends } = await open();
    server.answer = () => "silence";
    const asked = attempt(() => store.read("/a"));
    await expect.poll(() => server.asked.length, POLL).toBe(1);
    await server.stop();
    expect(await asked).toMatchObject({ failure: { kind: "io" } });
    expect(ends).toHaveLength(1);
    await server.start();
    const second = await open(20);
    expect(await attempt(() => second.store.read("/a"))).toMatchObject({
      failure: { kind: "io", errno: "ETIMEDOUT" },
    });
    expect(second.ends).toHaveLength(1);
    await server.stop();
    expect(await attempt(() => open())).toMatchObject({ failure: { kind: "io" } });
  });
});

describe("watches", () => {
  test("are set again when xenstored comes back, and follow what is wanted", async () => {
    const changes: string[] = [];
    const states: string[] = [];
    using source = watchXenstore({
      sockets: [server.path],
      retryMs: 5,
      onChange: (path) => changes.push(path),
      onState: (failure) => states.push(failure ? "lost" : "there"),
    });
    source.want(new Set(["/a", "/b"]));
    await expect.poll(() => server.watched, POLL).toEqual(["/a", "/b"]);
    await server.stop();
    await expect.poll(() => source.connected, POLL).toBe(false);
    source.want(new Set(["/b", "/c"]));
    await server.start();
    await expect.poll(() => server.watched, POLL).toEqual(["/b", "/c"]);
    source.want(new Set(["/c"]));
    await expect.poll(() => server.watched, POLL).toEqual(["/c"]);
    changes.length = 0;
    server.write("/c/x");
    await expect.poll(() => changes, POLL).toContain("/c/x");
    expect(states[0]).toBe("there");
    expect(states.at(-1)).toBe("there");
    expect(states).toContain("lost");
  });

  test("that the server refuses do not keep the others from being set", async () => {
    server.answer = (type, payload) =>
      type === XS.watch && payload.startsWith("/bad") ? refusal() : undefined;
    let asked = 0;
    const refusal = () =>
      encodeMessage({
        type: XS.error,
        requestId: ++asked,
        payload: Uint8Array.from("EINVAL\0", (char) => char.charCodeAt(0)),
      });
    using source = watchXenstore({
      sockets: [server.path],
      onChange: () => {},
      onState: () => {},
    });
    source.want(new Set(["/bad", "/good"]));
    await expect.poll(() => server.watched, POLL).toEqual(["/good"]);
    expect(source.connected).toBe(true);
  });

  test("end with who wanted them", async () => {
    const source = watchXenstore({ sockets: [server.path], onChange: () => {}, onState: () => {} });
    await expect.poll(() => server.clients, POLL).toBe(1);
    source[Symbol.dispose]();
    await expect.poll(() => server.clients, POLL).toBe(0);
  });
});

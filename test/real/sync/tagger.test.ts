/** The thread that reads and hashes: the same tags as the engine's own, on files of odd sizes. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { openSegmentTagger } from "../../../src/host/local/segment-tagger.ts";
import { Digester, newKey } from "../../../src/sync/digests.ts";
import { SEGMENT_BYTES, segmentCount, segmentExtent } from "../../../src/sync/geometry.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { memoryConnection } from "../../unit/sync/memory-pipe.ts";
import { changedBytes, diskBytes, memoryDevice, sha256 } from "../../unit/sync/memory-device.ts";

const dir = mkdtempSync(join(tmpdir(), "domus-tagger-"));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(name: string, bytes: Uint8Array): { readonly path: string; readonly fd: number } {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return { path, fd: openSync(path, "r+") };
}

describe("a tagger", () => {
  test("gives the tags that the engine gives", async () => {
    const digester = new Digester(newKey());
    for (const size of [1, 262_144, 262_145, SEGMENT_BYTES, 3 * SEGMENT_BYTES - 7]) {
      const bytes = diskBytes(size, size);
      const { fd } = fileOf("same", bytes);
      const tagger = openSegmentTagger({ fd, key: digester.tagKey, where: ["file"] });
      const extents = Array.from({ length: segmentCount(size) }, (_, i) => segmentExtent(size, i));
      const expected = extents.map(({ offset, length }) =>
        digester.tag(bytes.subarray(offset, offset + length)),
      );
      const [tags, again] = await Promise.all([tagger.tags(extents), tagger.tags(extents)]);
      expect(Buffer.compare(tags, Buffer.concat(expected))).toBe(0);
      expect(Buffer.compare(again, tags)).toBe(0);
      await tagger.close();
      closeSync(fd);
    }
  });

  test("takes for zero what it is told to", async () => {
    const digester = new Digester(newKey());
    const size = 2 * SEGMENT_BYTES + 5001;
    const bytes = diskBytes(size, 77).map((byte) => byte | 1);
    const { fd } = fileOf("zeroes", bytes);
    const tagger = openSegmentTagger({ fd, key: digester.tagKey, where: ["file"] });
    const zeroes = [
      { offset: 0, length: 1 },
      { offset: 262_143, length: 3 },
      { offset: 300_001, length: 500_000 }, // with a whole piece of reading in it
      { offset: SEGMENT_BYTES - 4096, length: 4096 },
      { offset: 2 * SEGMENT_BYTES, length: 5001 },
    ];
    const masked = Uint8Array.from(bytes);
    for (const { offset, length } of zeroes) masked.fill(0, offset, offset + length);
    const extents = Array.from({ length: segmentCount(size) }, (_, i) => segmentExtent(size, i));
    const inside = (extent: { offset: number; length: number }) =>
      zeroes.filter(
        ({ offset }) => offset >= extent.offset && offset < extent.offset + extent.length,
      );
    const asked = extents.map((extent) => ({ ...extent, zeroes: inside(extent) }));
    const expected = extents.map(({ offset, length }) =>
      digester.tag(masked.subarray(offset, offset + length)),
    );
    expect(Buffer.compare(await tagger.tags(asked), Buffer.concat(expected))).toBe(0);
    // What counts as zero as a whole is not read: the file may even end before it.
    truncateSync(join(dir, "zeroes"), 2 * SEGMENT_BYTES);
    expect(Buffer.compare(await tagger.tags(asked), Buffer.concat(expected))).toBe(0);
    await tagger.close();
    closeSync(fd);
  });

  test("of a file that has become shorter, or that cannot be read, says so; the next question is answered", async () => {
    const { path, fd } = fileOf("shorter", new Uint8Array(100));
    const tagger = openSegmentTagger({ fd, key: new Uint8Array(16), where: [path] });
    truncateSync(path, 50);
    const short = await attempt(() => tagger.tags([{ offset: 0, length: 100 }]));
    expect(short).toMatchObject({
      failure: { kind: "io", errno: "unexpected end", where: [path] },
    });
    expect(await tagger.tags([{ offset: 0, length: 50 }])).toHaveLength(16);
    closeSync(fd);
    const closed = await attempt(() => tagger.tags([{ offset: 0, length: 50 }]));
    expect(closed).toMatchObject({ failure: { kind: "io", errno: "EBADF" } });
    const late = attempt(() => tagger.tags([{ offset: 0, length: 50 }]));
    await tagger.close();
    expect(await late).toMatchObject({ ok: false });
    expect(await attempt(() => tagger.tags([]))).toMatchObject({ ok: false });
  });

  test("serves both sides of a run", async () => {
    const old = diskBytes(20 * SEGMENT_BYTES + 99, 31);
    const wanted = changedBytes(old, 20, 32);
    const from = fileOf("wanted", wanted);
    const to = fileOf("old", old);
    const source = memoryDevice(wanted);
    const target = memoryDevice(old);
    const connection = memoryConnection();
    const tagger = (fd: number) => (key: Uint8Array) =>
      openSegmentTagger({ fd, key, where: ["file"] });
    const [sent, received] = await Promise.all([
      send({
        source: { ...source, openTagger: tagger(from.fd) },
        channel: connection.source,
        identity: new Uint8Array(32),
        program: "test",
      }),
      receive({
        target: {
          ...target,
          openTagger: tagger(to.fd),
          // What is written is read back by the tagger.
          async write(offset, bytes) {
            writeSync(to.fd, bytes, 0, bytes.length, offset);
            await target.write(offset, bytes);
          },
          async zero(offset, length) {
            writeSync(to.fd, new Uint8Array(length), 0, length, offset);
            await target.zero(offset, length);
          },
        },
        channel: connection.destination,
        program: "test",
      }),
    ]);
    expect(received.digest).toEqual(sent.digest);
    expect(sha256(target.bytes)).toBe(sha256(wanted));
    expect(sent.equalSegments).toBeGreaterThan(0);
    closeSync(from.fd);
    closeSync(to.fd);
  });
});

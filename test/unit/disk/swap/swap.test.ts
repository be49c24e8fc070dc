import { expect, test } from "vitest";
import { memorySource } from "../../../../src/disk/source.ts";
import { swapProber } from "../../../../src/disk/swap/swap.ts";
import { survivesMutation } from "../../../support/mutate.ts";

function swapArea(pageSize: number, signature = "SWAPSPACE2", version = 1): Uint8Array {
  const area = new Uint8Array(10 * pageSize);
  const view = new DataView(area.buffer);
  view.setUint32(1024, version, true);
  view.setUint32(1028, 9, true);
  for (let i = 0; i < 16; i++) area[1036 + i] = 0xa0 + i;
  area.set(Buffer.from("swäp"), 1052);
  area.set(Buffer.from(signature), pageSize - 10);
  return area;
}

const probe = (bytes: Uint8Array) => swapProber.probe(memorySource(bytes, ["xvda"]), {});

test.each([4096, 8192, 16384, 32768, 65536])("pages of %i bytes", async (pageSize) => {
  expect(await probe(swapArea(pageSize))).toEqual({
    kind: "swap",
    uuid: "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf",
    label: "swäp",
    sizeBytes: 10 * pageSize,
  });
});

test("the old format has neither uuid nor label", async () => {
  const area = swapArea(4096, "SWAP-SPACE");
  expect(await probe(area)).toEqual({ kind: "swap", uuid: "", label: "", sizeBytes: 40960 });
});

test("no uuid is none", async () => {
  expect(await probe(swapArea(4096).fill(0, 1036, 1052))).toMatchObject({ uuid: "" });
});

test.each(["S1SUSPEND\0", "ULSUSPEND\0"])("a hibernated guest is said: %j", async (signature) => {
  const content = await probe(swapArea(4096, signature));
  expect(content).toMatchObject({ kind: "named", why: expect.stringContaining("hibernated") });
});

test("another version, or byte order, is not supported", async () => {
  await expect(probe(swapArea(4096, "SWAPSPACE2", 0x01000000))).rejects.toThrow("not supported");
});

test("no signature, no swap", async () => {
  expect(await probe(swapArea(4096, "SWAPSPACE3"))).toBe(undefined);
  expect(await probe(new Uint8Array(100))).toBe(undefined);
});

test("damaged areas", async () => {
  await survivesMutation([swapArea(4096).slice(1020, 4096)], (bytes) => {
    const area = swapArea(4096);
    area.set(bytes.subarray(0, 3076), 1020);
    return probe(area);
  });
});

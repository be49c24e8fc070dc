import { expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { formatWaitingList, parseWaitingList } from "../../../src/xen/waiting-list.ts";
import type { WaitingImage } from "../../../src/xen/waiting-list.ts";
import { survivesMutation } from "../../support/mutate.ts";

const IMAGES: readonly WaitingImage[] = [
  {
    guest: "pandora",
    uuid: "00000000-1111-2222-3333-444444444444",
    image: "/var/lib/domus/images/pandora-1.xl",
    savedAtMs: 1_795_000_000_000,
    disks: [{ path: "/dev/vg0/p" }, { path: "/srv/p\n\u001b[31m.img" }],
  },
  { guest: "b", uuid: "u", image: "/b", savedAtMs: 0, disks: [] },
];

test("what was written is read", () => {
  expect(parseWaitingList(formatWaitingList(IMAGES))).toEqual(IMAGES);
  expect(parseWaitingList(formatWaitingList([]))).toEqual([]);
});

test("only what belongs to the list is written", () => {
  const more = [{ ...IMAGES[1]!, configText: "secret", disks: [{ path: "/d", readonly: false }] }];
  expect(JSON.parse(formatWaitingList(more))).toEqual({
    domus: 1,
    waiting: [{ ...IMAGES[1], disks: [{ path: "/d" }] }],
  });
});

test.each([
  ["", "corrupt"],
  ["null", "corrupt"],
  ["[]", "corrupt"],
  [`{"domus":2,"waiting":[]}`, "corrupt"],
  [`{"domus":1}`, "corrupt"],
  [`{"domus":1,"waiting":[null]}`, "corrupt"],
  [
    `{"domus":1,"waiting":[{"guest":"a","uuid":"u","image":"/i","savedAtMs":1e99,"disks":[]}]}`,
    "corrupt",
  ],
  [
    `{"domus":1,"waiting":[{"guest":"a","uuid":"u","image":"/i","savedAtMs":1,"disks":["/d"]}]}`,
    "corrupt",
  ],
  [
    `{"domus":1,"waiting":[{"guest":5,"uuid":"u","image":"/i","savedAtMs":1,"disks":[]}]}`,
    "corrupt",
  ],
  [" ".repeat((1 << 20) + 1), "limit"],
])("%.40s is no list", (text, kind) => {
  expect(attemptSync(() => parseWaitingList(text))).toMatchObject({ failure: { kind } });
});

test("more than can be read again is not written", () => {
  const endless = [{ ...IMAGES[1]!, guest: "x".repeat(5000) }];
  expect(attemptSync(() => formatWaitingList(endless))).toMatchObject({
    failure: { kind: "limit", where: ["waiting.json", "image 1"] },
  });
  const many = Array.from({ length: 20_000 }, () => IMAGES[1]!);
  expect(attemptSync(() => formatWaitingList(many))).toMatchObject({ failure: { kind: "limit" } });
});

test("damaged lists", async () => {
  const text = new TextEncoder().encode(formatWaitingList(IMAGES));
  const parse = (bytes: Uint8Array) => parseWaitingList(new TextDecoder().decode(bytes));
  const { values, failures } = await survivesMutation([text], parse, { count: 2000 });
  expect(values).toBeGreaterThan(0);
  expect(failures).toBeGreaterThan(0);
});

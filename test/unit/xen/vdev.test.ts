import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseVdev } from "../../../src/xen/vdev.ts";

test.each([
  ["xvda", { kind: "xvd", disk: 0, partition: 0, number: 51712, guestName: "xvda" }],
  ["xvda1", { kind: "xvd", disk: 0, partition: 1, number: 51713, guestName: "xvda1" }],
  [
    "xvdq",
    { kind: "xvd", disk: 16, partition: 0, number: (1 << 28) | (16 << 8), guestName: "xvdq" },
  ],
  [
    "xvdtq37",
    {
      kind: "xvd",
      disk: 536,
      partition: 37,
      number: (1 << 28) | (536 << 8) | 37,
      guestName: "xvdtq37",
    },
  ],
  ["hda", { kind: "hd", disk: 0, partition: 0, number: 768, guestName: "xvda" }],
  ["hdc2", { kind: "hd", disk: 2, partition: 2, number: 5634, guestName: "xvdc2" }],
  ["sdb3", { kind: "sd", disk: 1, partition: 3, number: 2067, guestName: "xvdb3" }],
  ["d1p2", { kind: "xvd", disk: 1, partition: 2, number: 51730, guestName: "xvdb2" }],
  ["0xca00", { kind: "number", disk: 0, partition: 0, number: 51712, guestName: "xvda" }],
  ["5634", { kind: "number", disk: 2, partition: 2, number: 5634, guestName: "xvdc2" }],
])("%s", (text, expected) => {
  expect(parseVdev(text)).toEqual(expected);
});

test.each([
  "",
  "xvd",
  "xvd1",
  "xvda01",
  "xvda256",
  "hde",
  "sda16",
  "d0",
  "d0p256",
  "vda",
  "XVDA",
  "xvdzzzzz",
  "4294967296",
  "-1",
])("libxl has no %j", (text) => expect(parseVdev(text)).toBeUndefined());

test("the guest's name for a number is the name that has the number", () => {
  fc.assert(
    fc.property(fc.nat((1 << 20) - 1), fc.nat(255), (disk, partition) => {
      const vdev = parseVdev(`d${disk}p${partition}`)!;
      expect(vdev).toMatchObject({ disk, partition });
      expect(parseVdev(vdev.guestName)).toEqual(vdev);
      expect(parseVdev(String(vdev.number))).toMatchObject({ disk, partition });
    }),
  );
});

import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { parseReply } from "../../../src/pygrub/unprivileged.ts";

const reply = {
  ok: true,
  lines: ["starts"],
  args: "ro",
  hasRamdisk: true,
  kernelPath: "/boot/vmlinuz",
  ramdiskPaths: ["/boot/initrd"],
  listing: "",
};

describe("the reply of the unprivileged process", () => {
  test("is taken when it is one", () => {
    expect(parseReply(JSON.stringify(reply))).toEqual(reply);
    expect(parseReply('{"ok":false,"lines":["no"]}')).toEqual({ ok: false, lines: ["no"] });
  });

  test("brings nothing that was not asked for", () => {
    const more = { ...reply, kernel: "/etc/shadow", __proto__: { x: 1 } };
    expect(parseReply(JSON.stringify(more))).toEqual(reply);
  });

  test.each([
    "",
    "null",
    "[]",
    "1",
    '{"ok":true}',
    '{"ok":false}',
    JSON.stringify({ ...reply, lines: "x" }),
    JSON.stringify({ ...reply, args: null }),
    JSON.stringify({ ...reply, ok: "yes" }),
    JSON.stringify({ ...reply, ramdiskPaths: [1] }),
    JSON.stringify(reply).slice(0, -1),
  ])("%s is none", (text) => {
    expect(attemptSync(() => parseReply(text))).toMatchObject({
      ok: false,
      failure: { kind: "corrupt" },
    });
  });
});

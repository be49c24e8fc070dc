/** The readers by themselves; that they are like pygrub's is tested against the real one in test/real. */
import { expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { parseExtlinuxAsPygrub } from "../../../../src/boot/pygrub/extlinux-config.ts";
import { parseGrub2AsPygrub } from "../../../../src/boot/pygrub/grub2-config.ts";
import { parseLegacyAsPygrub } from "../../../../src/boot/pygrub/legacy-config.ts";
import { decodeText, encodeText } from "../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const LEGACY =
  "default 1\nsplashimage=(hd0,0)/s\ntitle a\nroot (hd0,0)\nkernel (hd0,0)/k a\ninitrd /i\ntitle b\nkernel /k2\n";
const EXTLINUX =
  'default b\nlabel a\nkernel mboot.c32\nappend x --- /k a --- /i\nlabel b\nkernel /k2\nappend "initrd=/i ro"\n';

test("an entry each", () => {
  expect(parseLegacyAsPygrub(LEGACY)).toEqual({
    chosen: { title: "b", index: 1, kernelPath: "/k2", args: "" },
    entries: [
      { title: "a", index: 0, kernelPath: "/k", ramdiskPath: "/i", args: "a" },
      { title: "b", index: 1, kernelPath: "/k2", args: "" },
    ],
  });
  expect(parseExtlinuxAsPygrub(EXTLINUX)).toMatchObject({
    chosen: { title: "b", index: 1, kernelPath: "/k2" },
  });
});

test("damage", async () => {
  for (const [text, parse] of [
    [LEGACY, parseLegacyAsPygrub],
    [EXTLINUX, parseExtlinuxAsPygrub],
    ["set default=1\nmenuentry 'a' {\nlinux /k a\ninitrd /i\n}\n", parseGrub2AsPygrub],
  ] as const) {
    await survivesMutation([encodeText(text)], (bytes) => parse(decodeText(bytes)), { count: 800 });
  }
});

test("long lines end soon", () => {
  const words = Array.from({ length: 60_000 }, (_, i) => `initrd=/${i}`).join(" ");
  const took = cpuTime();
  parseExtlinuxAsPygrub(`label a\nkernel /k\nappend ${words}\n`);
  parseExtlinuxAsPygrub(`label a\nkernel mboot.c32\nappend ${"---".repeat(300_000)}\n`);
  parseLegacyAsPygrub(`title a\nkernel /k${" ".repeat(900_000)}x\n`);
  parseLegacyAsPygrub("title a\n".repeat(100_000));
  expect(took()).toBeLessThan(1500);
});

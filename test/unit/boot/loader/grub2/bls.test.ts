import { expect, test } from "vitest";
import {
  blsBody,
  blsField,
  blsFields,
  compareBlsIds,
  compareRpmVersions,
  isBlsRestricted,
  parseBlsEntry,
  readBlsEntries,
} from "../../../../../src/boot/loader/grub2/bls.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { decodeText, encodeText } from "../../../../../src/bytes/text.ts";
import { memoryFs } from "../../../../support/memory-fs.ts";

const TEXT = `# comment
title Fedora Linux (6.5.6) 38
linux\t /vmlinuz-6.5.6
initrd /initramfs-6.5.6.img
initrd /extra.img

options root=UUID=1 ro $kernelopts rhgb
grub_users $grub_users
`;

test("fields, in order and repeated", () => {
  const entry = parseBlsEntry(TEXT, "a");
  expect(entry.fields.map(([key]) => key)).toEqual(
    "title linux initrd initrd options grub_users".split(" "),
  );
  expect(blsField(entry, "linux")).toBe("/vmlinuz-6.5.6");
  expect(blsFields(entry, "initrd")).toEqual(["/initramfs-6.5.6.img", "/extra.img"]);
});

test("GRUB stops at an empty line, and takes the first blank for the separator", () => {
  const entry = parseBlsEntry(TEXT, "a", { grub: true });
  expect(entry.fields.map(([key]) => key)).toEqual(["title", "linux\t", "initrd", "initrd"]);
});

test("the entry as script", () => {
  const entry = parseBlsEntry(TEXT, "a");
  const variables: Record<string, string> = { kernelopts: "quiet", early_initrd: "ucode.img" };
  expect(blsBody(entry, (name) => variables[name])).toBe(
    "load_video\nset gfxpayload=keep\ninsmod gzio\n" +
      "linux ($root)/vmlinuz-6.5.6 root=UUID=1 ro quiet rhgb\n" +
      "initrd ($root)/ucode.img ($root)/initramfs-6.5.6.img ($root)/extra.img",
  );
  expect(isBlsRestricted(entry, () => undefined)).toBe(false);
  expect(isBlsRestricted(entry, () => "root")).toBe(true);
  expect(blsBody(parseBlsEntry("title a\n", "a"), () => undefined)).toBeUndefined();
});

test.each([
  ["5.14.0", "5.14.0", 0],
  ["5.14.0-70.13.1.el9", "5.14.0-427.el9", -1],
  ["6.5.6", "6.10.1", -1],
  ["6.5.6-300.fc39", "6.5.6-200.fc38", 1],
  ["1.0", "1.0a", -1],
  ["1.0", "1.0.1", -1],
  ["1.0~rc1", "1.0", -1],
  ["1.0~rc1", "1.0~rc2", -1],
  ["1.0+git1", "1.0", 1],
  ["1.0+git1", "1.0.1", -1],
  ["1.007", "1.7", 0],
  ["a", "1", -1],
  ["rescue", "70.13.1", -1],
])("%s against %s", (a, b, order) => {
  expect(Math.sign(compareRpmVersions(a, b))).toBe(order);
  expect(Math.sign(compareRpmVersions(b, a)) + order).toBe(0);
});

test("newest first, the rescue entry last", async () => {
  const ids = ["m1d-0-rescue", "m1d-5.14.0-70.el9.x86_64", "m1d-5.14.0-427.el9.x86_64"];
  const fs = memoryFs({
    loader: {
      entries: Object.fromEntries([
        ...ids.map((id) => [`${id}.conf`, "title x\n"]),
        ["note.txt", "x"],
        [".conf", "x"],
        [".hidden.conf", "x"],
        ["directory.conf", {}],
      ]),
    },
  });
  const entries = await readBlsEntries(fs, "/loader/entries", { spend() {} });
  expect(entries?.map((one) => one.id)).toEqual(ids.toReversed());
  expect(compareBlsIds(ids[1]!, ids[2]!)).toBeLessThan(0);
  expect(await readBlsEntries(fs, "/nope", { spend() {} })).toBeUndefined();
});

test("damaged entries", async () => {
  await survivesMutation([encodeText(TEXT)], (bytes) => {
    const entry = parseBlsEntry(decodeText(bytes), "a", { grub: true });
    return blsBody(entry, () => "x");
  });
});

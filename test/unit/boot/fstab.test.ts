import { expect, test } from "vitest";
import { FailureError } from "../../../src/base/failure.ts";
import { parseFstab, rootEntry } from "../../../src/boot/fstab.ts";
import { decodeText } from "../../../src/bytes/text.ts";
import { survivesMutation } from "../../support/mutate.ts";

const TEXT = `# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
UUID=11-22 /               ext4    errors=remount-ro 0       1
  /dev/vg-0/home	/home\\040dir	xfs	defaults,noatime
LABEL="data\\040disk" /srv\\303\\251 ext4 ro # why
/dev/xvdb none swap sw 0 0
UUID=33-44 / btrfs subvol=@ 0 0
tmpfs /tmp
/dev/xvdc /x ext4 defaults zero 0
`;

test("fields, escapes, comments, and lines that libmount would skip", () => {
  const fstab = parseFstab(TEXT);
  expect(fstab.badLines).toEqual([9, 10]);
  expect(fstab.entries).toMatchObject([
    { line: 4, mountPoint: "/", options: ["errors=remount-ro"], pass: 1, device: { kind: "uuid" } },
    {
      line: 5,
      mountPoint: "/home dir",
      options: ["defaults", "noatime"],
      device: { value: "/dev/mapper/vg--0-home" },
    },
    {
      line: 6,
      mountPoint: "/srvé",
      device: { kind: "label", value: "data disk" },
      options: ["ro"],
    },
    { line: 7, mountPoint: "none", type: "swap" },
    { line: 8, mountPoint: "/" },
  ]);
  expect(rootEntry(fstab)?.line).toBe(4);
  expect(rootEntry(parseFstab(""))).toBeUndefined();
});

test("damage gives entries or a failure", async () => {
  const run = await survivesMutation([Buffer.from(TEXT)], (bytes) => parseFstab(decodeText(bytes)));
  expect(run.values).toBeGreaterThan(0);
  expect(() => parseFstab("\n".repeat(20_000))).toThrow(FailureError);
});

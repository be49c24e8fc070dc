/** HVM guests whose disks domus cannot follow further than their firmware does: Windows, other systems. */
import { expect, test } from "vitest";
import { missing } from "../../../../src/base/failure.ts";
import { encodeText } from "../../../../src/bytes/text.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { checkGuest } from "../../../../src/guest/check/check-guest.ts";
import type { Host } from "../../../../src/host/host.ts";
import { goodHost } from "../../../support/facts.ts";
import { mbrSector } from "../../../support/tables.ts";

const nothing = () => Promise.reject(missing(["host"], "such thing"));

/** Checks a guest with this config, whose only disk is `bytes`. */
async function check(config: string, bytes: Uint8Array) {
  const host: Host = {
    name: "test",
    live: false,
    run: nothing,
    async openBlock(path) {
      return {
        ...memorySource(bytes, [path]),
        blockSize: 512,
        async *extents() {
          yield { offset: 0, length: bytes.length };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
    readFile: () => Promise.resolve(encodeText(config)),
    list: nothing,
    kind: nothing,
    realPath: nothing,
  };
  return checkGuest({ host, xen: goodHost(), configPath: "/etc/xen/win.cfg" });
}

const CONFIG = 'name="win"\ntype="hvm"\nmemory=2048\ndisk=["phy:/dev/vg/win,hda,w"]\n';

/** A disk with one NTFS partition, and a first sector with or without code. */
function disk(code: string): Uint8Array {
  const bytes = new Uint8Array(4 * 1048576);
  bytes.set(mbrSector([{ slot: 1, type: 0x07, start: 2048, sectors: 4096 }]));
  bytes.set(encodeText(code));
  bytes.set(encodeText("\u00ebR\u0090NTFS    ").slice(0, 11), 2048 * 512);
  return bytes;
}

test("Windows is not broken because domus cannot read its loader's configuration", async () => {
  const report = await check(CONFIG, disk("3\u00c0 Invalid partition table"));
  expect(report.verdict).toBe("boots");
  expect(report.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
  expect(report.facts?.boot).toMatchObject({
    loader: "hvm-disk",
    because: "the firmware starts Windows' boot code",
  });
});

test("a disk without boot code", async () => {
  const report = await check(CONFIG, disk(""));
  expect(report.verdict).toBe("unknown");
  expect(report.findings.map(({ code }) => code)).toContain("hvm-no-boot-code");
  expect(report.findings.map(({ code }) => code)).not.toContain("no-boot-entry");
});

test("UEFI without an EFI system partition", async () => {
  const report = await check(`${CONFIG}firmware="ovmf"\n`, disk("x"));
  expect(report.verdict).toBe("unknown");
  expect(report.findings.map(({ code }) => code)).toContain("hvm-no-efi-loader");
});

import { expect, test } from "vitest";
import { judge } from "../../../../src/check/judge.ts";
import { grubCannotLoad } from "../../../../src/check/rules/grub-cannot-load.ts";
import type { GuestChange } from "../../../support/facts.ts";
import { goodBoot, goodKernel, guestWith } from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const path = "/usr/lib/grub-xen/grub-x86_64-xen.bin";

function chained(change: GuestChange = {}, grub: object = {}, itself: object = {}) {
  const kernel = {
    ...goodKernel(),
    path,
    packing: "none" as const,
    format: "elf" as const,
    ...itself,
  };
  const chain = {
    path,
    platform: "xen" as const,
    bits: 64 as const,
    unpacks: ["gzip", "xz", "lzo"] as const,
    boot: { ...goodBoot(), loader: "direct" as const, kernel, initramfs: [], files: [] },
    ...grub,
  };
  const config = { bootloader: undefined, kernel: path, ...change.config };
  return guestWith({ ...change, config, guest: { pygrub: undefined }, boot: { chain } });
}

testRule(grubCannotLoad, {
  fires: {
    zstd: [chained({ kernel: { packing: "zstd" } }), "error"],
    "no PV kernel": [
      chained({
        kernel: {
          pv: false,
          pvh: false,
          pvRefusal: { reason: "no-notes", detail: "it has no notes" },
        },
      }),
      "error",
    ],
    "32 bits under a 64-bit GRUB": [chained({ kernel: { bits: 32 } }), "error"],
    "a 32-bit kernel without PV": [
      chained({ kernel: { bits: 32, pv: false, version: "5.10.0-8-686-pae" } }),
      "error",
    ],
    "a unified image": [chained({ kernel: { format: "pe", pv: false } }), "error"],
  },
  silent: {
    "a kernel that it takes": chained(),
    "zstd in PVH": chained({ kernel: { packing: "zstd" } }, { platform: "xen_pvh" }),
    "a raw ELF": chained({ kernel: { format: "elf", packing: "none" } }),
  },
});

const codes = (facts: ReturnType<typeof chained>) => judge(facts).findings.map(({ code }) => code);

test("what Xen cannot unpack does not matter when GRUB does", () => {
  const xz = chained({ kernel: { packing: "xz" }, host: { kernelPackings: ["gzip"] } });
  expect(codes(xz)).toEqual([]);
  const direct = guestWith({ kernel: { packing: "xz" }, host: { kernelPackings: ["gzip"] } });
  expect(judge(direct).findings.map(({ code }) => code)).toEqual(["kernel-packing"]);
});

test("Xen has to be able to start GRUB itself", () => {
  expect(codes(chained({}, {}, { pv: false }))).toEqual(["kernel-not-pv"]);
  expect(codes(chained({ host: { caps: ["hvm-3.0-x86_32"] } }))).toEqual(["kernel-width"]);
  expect(codes(chained({ config: { memory: 24, maxmem: 24 } }))).toContain("memory-too-small");
});

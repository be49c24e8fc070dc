import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { parseDiskSpec } from "../../../src/xen/disk-spec.ts";
import { parseVdev } from "../../../src/xen/vdev.ts";
import type { DiskAnswer } from "../../support/xl.ts";
import { xlDisks, xlVdevs } from "../../support/xl.ts";

const TARGETS = ["/dev/vg/a", "vg/a", "", "/srv/a b.img", "/x:y", "nfs://h/x", "1:2"];

/** One question each: positions, names, flags, prefixes, and what happens when they meet. */
const CASES: readonly string[] = [
  ...TARGETS.map((target) => `${target},raw,xvda,w`),
  ...TARGETS.map((target) => `phy:${target},xvda,w`),
  ...TARGETS.map((target) => `vdev=xvda,target=${target}`),
  ...["", "raw", "qcow", "qcow2", "vhd", "qed", "empty", "aio", "RAW"].map((f) => `/a,${f},xvda,w`),
  ...["", "raw", "qcow", "qcow2", "vhd", "qed", "empty", "aio"].map(
    (f) => `format=${f},vdev=xvda,/a`,
  ),
  ...["", "r", "ro", "w", "rw", "w!", "rw!", "R", "x"].map((access) => `/a,raw,xvda,${access}`),
  ...["", "r", "ro", "w", "rw", "w!"].map((access) => `/a,raw,xvda,access=${access}`),
  ...["phy", "qdisk", "tap", "standalone", "", "file"].map((b) => `/a,,xvda,backendtype=${b}`),
  ..."raw qcow qcow2 vhd iscsi nbd enbd drbd tap tap2 tapdisk aio ioemu file phy http x"
    .split(" ")
    .map((p) => `${p}:/a,xvda,w`),
  "tap:aio:/a,xvda,w",
  "tap:qcow2:/a,xvda,w",
  "tap:tapdisk:aio:/a,xvda",
  "qcow2:raw:/a,xvda",
  "iscsi:nbd:/a,xvda",
  "file:,xvda",
  "phy:a:b,xvda",
  "/a,hdc:cdrom,r",
  ",hdc:cdrom,r",
  ",,hdc:cdrom,r",
  ",raw,hdc:cdrom,r",
  "file:/a,hdc:cdrom,r",
  "phy:/a,xvda:disk",
  "/a,raw,hdc:floppy",
  ",hdc:disk",
  "/a,raw,hdc,cdrom",
  "cdrom,vdev=hdc",
  "vdev=hdc,cdrom",
  "vdev=hdc,devtype=cdrom",
  "vdev=hdc,devtype=disk",
  "vdev=hdc,devtype=x",
  "/a,,hdc,w,cdrom",
  "/a,,hdc,cdrom2",
  "/a",
  "/a,raw",
  "/a,raw,",
  "/a,,,",
  "xvda",
  "vdev=xvda",
  ",,xvda",
  ",",
  "",
  " ",
  "target=/a",
  "raw,xvda,w",
  "/a,raw,xvda,w,x",
  "/a,raw,xvda,w,",
  "/a,raw,xvda,w,,",
  "/a,raw,xvda,w,discard",
  "/a,raw,xvda,discard,w",
  "discard,/a,raw,xvda,w",
  "/a,raw,xvda,no-discard",
  "/a,raw,xvda,discard,no-discard",
  "/a,raw,xvda,direct-io-safe",
  "/a,raw,xvda,directiosafe",
  "/a,raw,xvda,foo=1",
  "/a,raw,xvda,foo=bar",
  "/a,raw,xvda,foo=",
  "/a=b,raw,xvda",
  "foo=/a,raw,xvda",
  "=,raw,xvda",
  "/a,raw,xvda,=",
  "target=/a=b",
  "vdev=xvda,vdev=xvdb,/a",
  "vdev=,vdev=xvdb,/a",
  "format=raw,format=qcow2,vdev=xvda,/a",
  "format=raw,format=raw,vdev=xvda,/a",
  "script=a,script=b,vdev=xvda,/a",
  "/a,target=/b,vdev=xvda",
  "vdev=xvda,target=/a,vdev=xvdb",
  "vdev=xvda,target=/a,",
  "vdev=xvda,target=,",
  "iscsi:/a,xvda,script=x",
  "vdev=xvda, target=/a b, c ",
  " /a , raw , xvda , w ",
  "\t/a,\traw,\txvda",
  "/a, raw, xvda, w",
  "  vdev=xvda,  /a",
  "/a ,raw,xvda,w",
  "/a,raw,xvda,w ",
  "backend=d1,/a,raw,xvda",
  "/a,raw,xvda,backend=",
  "script=block-iscsi,vdev=xvda,target=iqn.2001-05.x:y",
  "/a,raw,xvda,specification=xen",
  "/a,raw,xvda,specification=usb",
  "/a,raw,xvda,colo,colo-host=h,colo-port=1,colo-export=e,active-disk=a,hidden-disk=b",
  "/a,raw,xvda,no-colo",
];

const WORDS = [
  ...TARGETS,
  ..."raw qcow2 empty xvda hdc hdc:cdrom xvda:disk w r rw w! cdrom cdrom2 discard no-discard direct-io-safe colo".split(
    " ",
  ),
  ..."format=raw format=qcow2 format= vdev=xvda vdev= target= target=/a,b, access=ro access= script=x backend=d".split(
    " ",
  ),
  ..."backendtype=phy backendtype=x devtype=cdrom devtype=disk devtype=x foo=1 foo=bar foo= a=b".split(
    " ",
  ),
  ..."phy: file: raw: qcow: tap: aio: iscsi: drbd: foo: foo:/ http://x : :: , , ,".split(" "),
  " ",
  "  ",
  "\t",
];

function ours(text: string): Omit<DiskAnswer, "rc" | "report"> {
  const read = attemptSync(() => parseDiskSpec(text));
  if (!read.ok) return {};
  const { target, vdev, format, readonly, cdrom, directIoSafe, ...rest } = read.value;
  const { backendtype = "unknown", backend = null, script = null, discard = null } = rest;
  return {
    disk: {
      target,
      vdev,
      format,
      backendtype,
      backend,
      script,
      readonly,
      cdrom,
      directIoSafe,
      discard,
    },
  };
}

function theirs({ disk }: DiskAnswer): Omit<DiskAnswer, "rc" | "report"> {
  return disk ? { disk: { ...disk, target: disk.target ?? "" } } : {};
}

describe("domus reads disk specifications as libxlutil does", () => {
  test("cases written by hand", () => {
    expect(CASES.length).toBeGreaterThan(120);
    const answers = xlDisks(CASES);
    for (const [i, text] of CASES.entries()) {
      expect(ours(text), JSON.stringify(text)).toEqual(theirs(answers[i]!));
    }
    expect(answers.filter(({ disk }) => disk).length).toBeGreaterThan(50);
  });

  test("random pieces", () => {
    const piece = fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(",", ",", ",", "", " , "));
    const texts = fc.sample(
      fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.flat().join("")),
      { numRuns: 30_000, seed: 3 },
    );
    const answers = xlDisks(texts);
    for (const [i, text] of texts.entries()) {
      expect(ours(text), JSON.stringify(text)).toEqual(theirs(answers[i]!));
    }
    expect(answers.filter(({ disk }) => disk).length).toBeGreaterThan(1000);
  });
});

describe("domus names virtual disks as libxl does", () => {
  const letters = fc.string({
    unit: fc.constantFrom(..."a b d h p s t w z".split(" ")),
    minLength: 1,
    maxLength: 4,
  });
  const number = fc.oneof(
    fc.nat(300).map(String),
    fc.constantFrom("", "0", "00", "01", "0x1", "010", "09"),
  );
  const names = fc.oneof(
    fc
      .tuple(fc.constantFrom("xvd", "hd", "sd", "vd", "ubd"), letters, number)
      .map((parts) => parts.join("")),
    fc.tuple(number, number).map(([disk, partition]) => `d${disk}p${partition}`),
    fc.nat(0x7fffffff).map(String),
    fc.nat(70_000).map((value) => `0x${value.toString(16)}`),
  );

  test("fixed and random names", () => {
    const fixed =
      "xvda xvda1 xvdz xvdaa xvdp15 xvdp16 xvdq xvdbhmsx xvdnwtp hda hdd63 hdd64 hde sda sdp15 sdp16 sdq d0 d0p0 d1048575p255 d1048576p0 d0p256 51712 0xca00 0144000 2147483648 x".split(
        " ",
      );
    const texts = [...fixed, ...fc.sample(names, { numRuns: 5000, seed: 5 })];
    const answers = xlVdevs(texts);
    for (const [i, text] of texts.entries()) {
      const read = parseVdev(text);
      const { number: expected, disk, partition } = answers[i]!;
      expect(read?.number ?? -1, text).toBe(expected);
      if (disk >= 0) expect([read?.disk, read?.partition], text).toEqual([disk, partition]);
    }
  });
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync, FailureError } from "../../../src/base/failure.ts";
import { decodeText } from "../../../src/bytes/text.ts";
import { parseDiskSpec } from "../../../src/xen/disk-spec.ts";
import { survivesMutation } from "../../support/mutate.ts";

const PLAIN = { format: "raw", readonly: false, cdrom: false, directIoSafe: false, deprecated: [] };

describe("specs in use", () => {
  test.each([
    ["/dev/vg/a,raw,xvda,w", { target: "/dev/vg/a", vdev: "xvda" }],
    ["/dev/vg/a,,xvda", { target: "/dev/vg/a", vdev: "xvda" }],
    [
      "phy:/dev/vg/a,xvda,r",
      { target: "/dev/vg/a", vdev: "xvda", readonly: true, deprecated: ["phy:"] },
    ],
    ["tap:aio:/a.img,sda1,w", { target: "/a.img", vdev: "sda1", deprecated: ["tap:", "aio:"] }],
    [
      "tap:qcow2:/a,xvda",
      { target: "/a", vdev: "xvda", format: "qcow2", deprecated: ["tap:", "qcow2:"] },
    ],
    [
      "iscsi:iqn.x,xvda,w",
      { target: "iqn.x", vdev: "xvda", script: "block-iscsi", deprecated: ["iscsi:"] },
    ],
    [
      ",hdc:cdrom,r",
      {
        target: "",
        vdev: "hdc",
        format: "empty",
        readonly: true,
        cdrom: true,
        deprecated: [":cdrom"],
      },
    ],
    ["vdev=hdc,cdrom", { target: "", vdev: "hdc", format: "empty", readonly: true, cdrom: true }],
    [
      "format=qcow2, vdev=xvda, access=ro, discard, target=/a,b = c",
      { target: "/a,b = c", vdev: "xvda", format: "qcow2", readonly: true, discard: true },
    ],
    [
      "/a,raw,xvda,backendtype=qdisk,backend=storage,direct-io-safe,no-discard",
      {
        target: "/a",
        vdev: "xvda",
        backendtype: "qdisk",
        backend: "storage",
        directIoSafe: true,
        discard: false,
      },
    ],
    [
      "/a,raw,xvda,specification=virtio,untrusted,grant_usage=1",
      { target: "/a", vdev: "xvda", specification: "virtio", trusted: false },
    ],
  ])("%s", (text, expected) => {
    expect(parseDiskSpec(text)).toEqual({ text, ...PLAIN, ...expected });
  });
});

describe("specs that xl refuses", () => {
  test.each([
    ["/a,raw,xvda,w!", "13: found w!, expected an access mode: r, ro, w or rw"],
    ["/a,aio,xvda,w", "4: found aio, expected a format: one of raw, qcow, qcow2, vhd, qed, empty"],
    ["/a", "3: found nothing, expected a vdev, the disk's name in the guest, such as xvda"],
    ["vdev=xvda", "10: found nothing, expected a target, the disk in dom0"],
    [
      "/a,raw,xvda,w,more",
      "15: found more, expected no more than target, format, vdev and access without a key",
    ],
    [
      "http://x,xvda",
      "1: found http://x,xvda, expected a prefix that xl knows, such as phy: or file: (or none at all)",
    ],
    [
      "/a,raw,xvda,foo=1",
      "13: found foo=1, expected a parameter that xl knows, such as vdev=, format= or target=",
    ],
    [
      "/a=b,raw,xvda",
      "3: found =b,raw,xvda, expected a comma, or key=value with a key that xl knows",
    ],
    [
      "format=raw,format=vhd,/a,xvda",
      "12: found vhd, expected format only once (it is raw already)",
    ],
  ])("%s", (text, expected) => {
    expect(() => parseDiskSpec(text, ["spec"])).toThrow(FailureError);
    expect(() => parseDiskSpec(text, ["spec"])).toThrow(`spec:1:${expected}`);
  });
});

test("a target after target= comes out as it went in", () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !/[\n\r\u2028\u2029]|,$/.test(text)),
      (target) => {
        expect(parseDiskSpec(`vdev=xvda,target=${target}`).target).toBe(target);
      },
    ),
  );
});

test("any text is a spec or a failure", async () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const read = attemptSync(() => parseDiskSpec(text));
      expect(read.ok || read.failure.kind === "syntax").toBe(true);
    }),
  );
  await survivesMutation(
    [new TextEncoder().encode("tap:qcow2:/dev/vg/a,xvda,w,discard,script=x,backendtype=phy")],
    (bytes) => parseDiskSpec(decodeText(bytes)),
    { count: 1000, maxMs: 100 },
  );
});

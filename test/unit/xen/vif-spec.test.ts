import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { parseVifSpec } from "../../../src/xen/vif-spec.ts";

describe("specs in use", () => {
  test.each([
    ["", {}],
    ["mac=00:16:3E:1:2:3, bridge=xenbr0", { mac: "00:16:3e:01:02:03", bridge: "xenbr0" }],
    ["type=ioemu,model=e1000,vifname=v0", { type: "ioemu", model: "e1000", vifname: "v0" }],
    [
      "ip=10.0.0.1 10.0.0.2,script=vif-route,gatewaydev=eth0",
      { ip: "10.0.0.1 10.0.0.2", script: "vif-route", gatewaydev: "eth0" },
    ],
    [
      "backend=net,devid=3,mtu=9000,vlan=7,untrusted",
      { backend: "net", devid: 3, mtu: 9000, vlan: "7", trusted: false },
    ],
    ["rate=10Mb/s@20ms", { rate: "10Mb/s@20ms" }],
    ["colo_checkpoint_host=h,forwarddev=e", {}],
    [",,bridge=a,,bridge=b,", { bridge: "b" }],
  ])("%j", (text, expected) => {
    expect(parseVifSpec(text)).toEqual({ text, ...expected });
  });
});

test.each([
  ["brige=x", "brige=x (no such key)"],
  ["bridge", "bridge (no such key)"],
  ["mac=00:16:3e", "mac=00:16:3e (a mac is six bytes in hexadecimal)"],
  ["type=vbd", "type=vbd (a type is vif or ioemu)"],
  ["netdev=eth0", "netdev=eth0 (deprecated: write gatewaydev)"],
])("xl only complains about %j", (text, expected) => {
  expect(parseVifSpec(text).ignored).toEqual([expected]);
});

test.each([
  ["bridge=a, rate=fast", 16],
  ["rate=0Mb/s", 6],
  ["rate=1MB/s@0ms", 6],
  ["devid=x", 7],
  ["mtu=", 5],
])("xl refuses %j", (text, after) => {
  const read = attemptSync(() => parseVifSpec(text));
  expect(read).toMatchObject({ ok: false, failure: { kind: "syntax", line: 1 } });
  expect(!read.ok && read.failure.kind === "syntax" && read.failure.column).toBeLessThanOrEqual(
    after,
  );
});

test("any text is a spec or a failure", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom("mac=", "rate=", "@", "B/s", ",", "devid=", "mtu=9"),
  );
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join("")),
      (text) => {
        const read = attemptSync(() => parseVifSpec(text));
        expect(read.ok || read.failure.kind === "syntax").toBe(true);
      },
    ),
  );
});

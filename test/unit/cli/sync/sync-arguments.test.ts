import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../../src/base/failure.ts";
import {
  parseEnd,
  parseRate,
  parseSize,
  parseTimeout,
  splitCommand,
} from "../../../../src/cli/sync/sync-arguments.ts";

test.each([
  ["/dev/vg0/web1", { path: "/dev/vg0/web1" }],
  ["vg0/web1", { path: "vg0/web1" }],
  ["hostb:vg0/web1", { host: "hostb", path: "vg0/web1" }],
  ["root@hostb:/srv/a:b", { host: "root@hostb", path: "/srv/a:b" }],
  ["[fe80::1%eth0]:/a", { host: "fe80::1%eth0", path: "/a" }],
  ["root@[::1]:a", { host: "root@::1", path: "a" }],
  ["./a:b", { path: "./a:b" }],
  ["/srv/a:b", { path: "/srv/a:b" }],
  ["-", { path: "-" }],
])("%s", (text, end) => {
  expect(parseEnd(text)).toEqual(end);
});

test.each(["", "hostb:", "-oProxyCommand=x:/a"])("%j is refused", (text) => {
  expect(attemptSync(() => parseEnd(text))).toMatchObject({ failure: { kind: "misuse" } });
});

describe("numbers", () => {
  test.each([
    [undefined, 0],
    ["500K", 512_000],
    ["10M", 10_485_760],
    ["1.5g", 1_610_612_736],
    ["10MiB/s", 10_485_760],
  ])("a rate of %s", (text, bytes) => {
    expect(parseRate(text)).toBe(bytes);
  });

  test.each([
    [undefined, undefined],
    ["8G", 8_589_934_592],
    ["9437185", 9_437_185],
    ["1TiB", 1_099_511_627_776],
  ])("a size of %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test("a timeout", () => {
    expect([parseTimeout(undefined), parseTimeout("5")]).toEqual([60, 5]);
  });

  test.each(["", "0", "1000", "0.0001K", "-1M", "fast", "1e9M", "99999999M"])(
    "no rate: %j",
    (text) => {
      expect(attemptSync(() => parseRate(text))).toMatchObject({ failure: { kind: "misuse" } });
    },
  );

  test.each(["", "0", "-1", "8X", "1.5G", "999999999999999T"])("no size: %j", (text) => {
    expect(attemptSync(() => parseSize(text))).toMatchObject({ failure: { kind: "misuse" } });
  });

  test.each(["", "0", "-5", "1.5", "x", "9999999"])("no timeout: %j", (text) => {
    expect(attemptSync(() => parseTimeout(text))).toMatchObject({ failure: { kind: "misuse" } });
  });
});

test.each([
  ["ssh -p 2222", ["ssh", "-p", "2222"]],
  ["  ssh  -i 'my key'  ", ["ssh", "-i", "my key"]],
  ['ssh -o "ProxyCommand nc \\"%h\\" %p"', ["ssh", "-o", 'ProxyCommand nc "%h" %p']],
  ["ssh my\\ key''x", ["ssh", "my keyx"]],
])("the command %s", (text, words) => {
  expect(splitCommand(text)).toEqual(words);
});

test.each(["", "  ", "ssh 'x", 'ssh "x', "ssh \\"])("no command: %j", (text) => {
  expect(attemptSync(() => splitCommand(text))).toMatchObject({ failure: { kind: "misuse" } });
});

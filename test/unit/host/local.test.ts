import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { scratch } from "../../support/need.ts";

const host = localHost();

describe("run", () => {
  test("gives output and exit code; a non-zero exit is the caller's to judge", async () => {
    const ran = await host.run(["sh", "-c", "cat; echo oops >&2; exit 3"], { stdin: "in" });
    expect(ran).toMatchObject({ exitCode: 3, stdout: "in", stderr: "oops\n" });
  });

  test("a program that is not there is missing", async () => {
    const ran = await attempt(() => host.run(["no-such-program-here"]));
    expect(ran).toMatchObject({ ok: false, failure: { kind: "missing" } });
  });

  test("too much output is a failure, not a surprise in memory", async () => {
    const ran = await attempt(() => host.run(["cat", "/dev/zero"], { maxOutputBytes: 1_000_000 }));
    expect(ran).toMatchObject({ ok: false, failure: { kind: "io" } });
  });

  test("no shell: an argument is one word", async () => {
    const ran = await host.run(["printf", "%s|", "a b", "$HOME", "`id`"]);
    expect(ran.stdout).toBe("a b|$HOME|`id`|");
  });
});

describe("openBlock", () => {
  test("reads exact ranges and fails outside", async () => {
    const path = join(scratch(), "disk");
    writeFileSync(
      path,
      Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff),
    );
    await using device = await host.openBlock(path);
    expect(device.size).toBe(1000);
    expect([...(await device.read(254, 4))]).toEqual([254, 255, 0, 1]);
    expect(await attempt(() => device.read(999, 2))).toMatchObject({
      failure: { kind: "corrupt" },
    });
  });

  test("a file that shrinks under the reader is an io failure", async () => {
    const path = join(scratch(), "disk");
    writeFileSync(path, new Uint8Array(1000));
    await using device = await host.openBlock(path);
    writeFileSync(path, new Uint8Array(10));
    expect(await attempt(() => device.read(0, 1000))).toMatchObject({ failure: { kind: "io" } });
  });

  test("a directory and a device that is none are declined", async () => {
    expect(await attempt(() => host.openBlock(scratch()))).toMatchObject({
      failure: { kind: "unsupported" },
    });
    expect(await attempt(() => host.openBlock("/dev/null"))).toMatchObject({
      failure: { kind: "unsupported" },
    });
  });
});

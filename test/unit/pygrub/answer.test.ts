import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { formatAnswer, pythonRepr } from "../../../src/pygrub/answer.ts";

const answer = {
  kernel: "/d/boot_kernel.abc",
  ramdisk: "/d/boot_ramdisk.def",
  args: "root=/dev/xvda1 ro",
};

/** Half of it control characters and what is next to them. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0x40 }), { maxLength: 30 })
  .map((codes) => String.fromCharCode(...codes));

describe("answer", () => {
  test("simple0, simple and sxp", () => {
    expect(formatAnswer(answer, "simple0")).toBe(
      "kernel /d/boot_kernel.abc\0ramdisk /d/boot_ramdisk.def\0args root=/dev/xvda1 ro\0\0",
    );
    expect(formatAnswer(answer, "simple")).toBe(
      "kernel /d/boot_kernel.abc\nramdisk /d/boot_ramdisk.def\nargs root=/dev/xvda1 ro\n\n",
    );
    expect(formatAnswer(answer, "sxp")).toBe(
      "linux (kernel '/d/boot_kernel.abc')(ramdisk '/d/boot_ramdisk.def')(args 'root=/dev/xvda1 ro')",
    );
  });

  test("what is not there is left out", () => {
    expect(formatAnswer({ kernel: "/k", args: "" }, "simple0")).toBe("kernel /k\0\0");
    expect(formatAnswer({ kernel: "/k", args: "" }, "sxp")).toBe("linux (kernel '/k')");
  });

  // XSA-198: with these libxl would hand a file of dom0 to the guest, or delete it.
  test("a separator in a value is refused", () => {
    const evil = { kernel: "/k", args: "ro\0kernel /etc/shadow" };
    expect(attemptSync(() => formatAnswer(evil, "simple0"))).toMatchObject({
      ok: false,
      failure: { kind: "corrupt" },
    });
    const lines = { kernel: "/k", args: "ro\nramdisk /etc/shadow" };
    expect(attemptSync(() => formatAnswer(lines, "simple"))).toMatchObject({ ok: false });
    expect(attemptSync(() => formatAnswer(lines, "simple0"))).toMatchObject({ ok: true });
  });

  test("libxl's reader gets back what was said, whatever the arguments are", () => {
    fc.assert(
      fc.property(anyText, (args) => {
        const text = attemptSync(() => formatAnswer({ kernel: "/k", args }, "simple0"));
        if (!text.ok) return args.includes("\0");
        const items = text.value.split("\0").filter((item) => item !== "");
        return items.length === (args === "" ? 1 : 2) && (items[1] ?? "args ").slice(5) === args;
      }),
    );
  });

  test("repr as Python has it", () => {
    const samples = [
      "",
      "a",
      "it's",
      'say "x"',
      `it's "x"`,
      "a\\b",
      "tab\tline\nreturn\r",
      "\x00\x1b\x7f\x9f",
      "é\u00a0\u3000",
      "日本\u{1f600}\u{e0001}",
    ];
    const script =
      "import json,sys\nprint(json.dumps([repr(s) for s in json.loads(sys.stdin.read())]))";
    const python = execFileSync("python3", ["-c", script], {
      input: JSON.stringify(samples),
      encoding: "utf8",
    });
    expect(samples.map(pythonRepr)).toEqual(JSON.parse(python));
  });
});

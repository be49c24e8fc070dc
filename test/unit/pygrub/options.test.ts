import { describe, expect, test } from "vitest";
import { parseOptions } from "../../../src/pygrub/options.ts";
import type { Options } from "../../../src/pygrub/options.ts";

function options(...argv: string[]): Options {
  const parsed = parseOptions(argv);
  if (parsed.kind !== "run") throw new Error(JSON.stringify(parsed));
  return parsed.options;
}

describe("options", () => {
  test("what libxl gives, with bootloader_args in between", () => {
    expect(
      options(
        "--kernel=/vmlinuz",
        "--args=root=/dev/xvda1 ro",
        "--output=/var/lib/xen/bootloader.3.out",
        "--output-format=simple0",
        "--output-directory=/var/lib/xen/bootloader.3.d",
        "-q",
        "/dev/vg0/disk",
      ),
    ).toEqual({
      disk: "/dev/vg0/disk",
      interactive: false,
      listEntries: false,
      notReally: false,
      isConfig: false,
      debug: false,
      output: "/var/lib/xen/bootloader.3.out",
      format: "simple0",
      directory: "/var/lib/xen/bootloader.3.d",
      directoryGiven: true,
      kernel: "/vmlinuz",
      args: "root=/dev/xvda1 ro",
      repair: true,
    });
  });

  test("as getopt reads them: any order, beginnings of names, values apart, bundled letters, --", () => {
    expect(options("disk", "--output-f", "sxp", "--output", "/o").output).toBe("/o");
    expect(options("-ql", "disk")).toMatchObject({ listEntries: true, interactive: false });
    expect(options("--kernel", "--args", "disk").kernel).toBe("--args");
    expect(options("--", "-q")).toMatchObject({ disk: "-q", interactive: true });
    expect(options("a", "b").disk).toBe("a");
    expect(options("--args=", "d").args).toBe("");
    expect(options("--output=-", "d").output).toBeUndefined();
  });

  test("later options win, --entry implies -q", () => {
    expect(options("-q", "-i", "d").interactive).toBe(true);
    expect(options("-i", "--entry=2", "d")).toMatchObject({ interactive: false, entry: "2" });
  });

  test.each([
    [["--outp"], "beginning of several"],
    [["--nonsense", "d"], "no option --nonsense"],
    [["-x", "d"], "no option -x"],
    [["--quiet=1", "d"], "takes no value"],
    [["d", "--args"], "needs a value"],
    [[], "disk is missing"],
    [["--output-format=json", "d"], "unknown output format json"],
    [["--offset=1M", "d"], "offset value must be an integer"],
    [["-q", "--runas=nobody", "d"], "runas value must be an integer user id"],
    [["--runas=1000", "d"], "must also set --entry or -q"],
  ] as const)("%j is refused", (argv, message) => {
    expect(parseOptions(argv)).toMatchObject({
      kind: "wrong",
      message: expect.stringContaining(message),
    });
  });

  test("help goes before everything but wrong words", () => {
    expect(parseOptions(["-h"])).toEqual({ kind: "help" });
    expect(parseOptions(["--help", "--runas=1", "d"])).toEqual({ kind: "help" });
    expect(parseOptions(["--version"])).toEqual({ kind: "version" });
  });

  test("--runas=0 asks for nothing", () => {
    expect(options("--runas=0", "-q", "d").runAs).toBeUndefined();
    expect(options("--runas=65534", "-q", "d").runAs).toBe(65534);
  });

  test("a name that every object has is no option", () => {
    expect(parseOptions(["--constructor", "d"])).toMatchObject({ kind: "wrong" });
    expect(parseOptions(["--__proto__=1", "d"])).toMatchObject({ kind: "wrong" });
  });
});

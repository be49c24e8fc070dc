/** Words on the command line that cannot be meant: said as everything else, as JSON, too. */
import { describe, expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { fakeDom0 } from "../../support/dom0.ts";

const host = fakeDom0({ files: {} });

test.each([
  [["stop"], "GUEST is missing.", "domus stop --help"],
  [["stop", "a", "b"], '"b" is an argument too many: the command takes 1 at most.', "domus stop"],
  [["list", "web1"], '"web1" is an argument too many: the command takes none.', "domus list"],
  [["stop", "--jsn", "a"], "There is no flag --jsn. Did you mean --json?", "domus stop --help"],
  [["check", "--nocache"], "Did you mean --no-cache?", "domus check --help"],
  [["stop", "-q", "a"], "There is no flag -q.", "domus stop --help"],
  [["stop", "a", "--wait"], "--wait needs a value.", "domus stop --help"],
  [
    ["stop", "--wait", "soon", "a"],
    '"soon" is no value for --wait: it takes a whole number of seconds, such as 120.',
    "domus stop --help",
  ],
  [["history", "--last", "x", "a"], '"x" is no value for --last: it takes a number.', "history"],
  [["disk", "ls"], "TARGET is missing.", "domus disk ls --help"],
  [["sotp"], 'There is no command "sotp". Did you mean stop?', "domus --help"],
  [["--xen", "list"], "The command comes first", "domus --help"],
  [["stop", "a", "\x1b[31m"], '"\\x1b[31m" is an argument too many', "domus stop --help"],
])("%j", async (argv, what, next) => {
  const { code, stdout, stderr } = await cli(argv, { host, columns: 200 });
  expect(code).toBe(2);
  expect(stderr).toContain(what);
  expect(stderr).toMatch(/^domus: .* \(usage\)\n  next /);
  expect(stderr).toContain(next);
  expect(stdout).toBe("");
});

describe("with --json", () => {
  test("one document on stdout", async () => {
    const { code, stdout } = await cli(["stop", "--json", "--wait", "x"], { host });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      domus: 1,
      error: { code: "usage", next: "domus stop --help says what it takes." },
    });
  });

  test("a document a line where that is what the command writes", async () => {
    const { stdout } = await cli(["watch", "--json", "--what"], { host });
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ domus: 1, error: { code: "usage" } });
  });

  test("behind -- it is an argument", async () => {
    const { code, stdout } = await cli(["list", "--", "--json"], { host });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("Ctrl-C is a document, too", async () => {
    const { code, stdout, stderr } = await cli(["list", "--json"], {
      host: { ...host, list: () => Promise.reject(new Error("aborted")) },
      signal: AbortSignal.abort(),
    });
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ domus: 1, error: { code: "interrupted" } });
    expect(stderr).toBe("Interrupted.\n");
  });
});

test("a directory of --also that is not there is said", async () => {
  const { code, stderr } = await cli(["list", "--also", "/srv/none"], { host });
  expect(code).toBe(0);
  expect(stderr).toContain("Not read: /srv/none: no such directory\n");
});

test.each(["xvdb", "/dev/vg0/data,raw,xvdb,rw", "00:16:3e:00:00:01"])(
  "a device where the guest belongs: %s",
  async (device) => {
    const { code, stderr } = await cli(["show", device], { host });
    expect(code).toBe(1);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain("The guest comes first");
  },
);

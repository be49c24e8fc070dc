import { expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { noProgram, programEnv } from "../../../../src/host/local/programs.ts";
import { runLocal } from "../../../../src/host/local/run.ts";

test("root's programs are looked for where cron's PATH does not lead", () => {
  expect(programEnv({ PATH: "/usr/bin:/bin", HOME: "/root" })).toEqual({
    ...{ PATH: "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", HOME: "/root", LC_ALL: "C" },
  });
  expect(programEnv({})["PATH"]).toBe("/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
  expect(programEnv({ PATH: "/usr/sbin:/x" })["PATH"]).toBe("/usr/sbin:/x:/usr/local/sbin:/sbin");
});

test.each([{}, { survives: true }])(
  "a program that is not there: where it comes from %j",
  async (options) => {
    const ran = await attempt(() => runLocal(["domus-no-such-program"], options));
    expect(ran).toMatchObject({
      failure: {
        kind: "missing",
        what: "program domus-no-such-program",
        next: expect.stringContaining("PATH"),
      },
    });
    expect(noProgram("xl").failure).toMatchObject({ next: expect.stringContaining("xen-utils") });
  },
);

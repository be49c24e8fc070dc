import { expect, test } from "vitest";
import { explainFailure } from "../../../src/base/explain.ts";
import { noAnswer, xlSaid } from "../../../src/xen/xl-messages.ts";

test("what xl says of every save is no reason", () => {
  const said =
    "Saving to /a/b new xl format (info 0x3/0x0/1326)\nxc: info: Saving domain 2, type x86 PV\nxc: error: Failed to write page data (28 = No space left on device)\n";
  expect(xlSaid(said)).toBe("Failed to write page data (28 = No space left on device)");
});

test("what xl says is bounded", () => {
  expect(xlSaid("")).toBe("");
  expect(xlSaid(`${"x".repeat(100_000)}\n`).length).toBeLessThan(500);
  expect(
    xlSaid(
      "libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain 20:Non-existant domain\n",
    ),
  ).toBe("Non-existant domain");
});

test.each([
  ["Permission denied", "only root may ask Xen"],
  ["No such file or directory", "systemctl status xenstored"],
])("an xl that cannot ask Xen (%s): what it says, and what next", (errno, next) => {
  const stderr = `xencall: error: Could not obtain handle on privileged command interface: ${errno}\nlibxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: ${errno}\ncannot init xl context\n`;
  const { failure } = noAnswer({ argv: ["xl", "list", "-v"], exitCode: 1, stderr });
  const told = explainFailure(failure);
  expect(told).toMatchObject({
    code: "command-failed",
    what: "xl list -v got no answer from Xen.",
    why: `xl says: Could not obtain handle on privileged command interface: ${errno}; cannot open libxc handle: ${errno}; cannot init xl context`,
  });
  expect(told.next).toContain(next);
});

test("an xl that fails without a word", () => {
  const { failure } = noAnswer({ argv: ["xl", "list", "-l"], exitCode: 3, stderr: "" });
  expect(explainFailure(failure).why).toBe("xl says: nothing; it ended with exit code 3");
});

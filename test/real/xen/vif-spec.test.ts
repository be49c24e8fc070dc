import * as fc from "fast-check";
import { expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { parseVifSpec } from "../../../src/xen/vif-spec.ts";
import { xlRates } from "../../support/xl.ts";

/** Of the rest of a vif, `xl create` itself is asked, in domain-config.test.ts. */
test("domus takes the rates that libxlutil takes", () => {
  const amount = fc.oneof(
    fc.nat(2000).map(String),
    fc.constantFrom("", "0", "00", "010", "08", "4294967295", "4294967296"),
  );
  const unit = fc.constantFrom("Mb/s", "MB/s", "Gb/s", "KB/s", "b/s", "B/s", "mb/s", "M", "");
  const interval = fc
    .tuple(amount, fc.constantFrom("", "s", "ms", "us", "m", "u", "ns", "@1"))
    .map((parts) => `@${parts.join("")}`);
  const rate = fc
    .tuple(amount, unit, fc.oneof(fc.constant(""), interval))
    .map((parts) => parts.join(""));
  const rates = fc.sample(rate, { numRuns: 5000, seed: 9 });
  const answers = xlRates(rates);
  for (const [i, text] of rates.entries()) {
    const taken = attemptSync(() => parseVifSpec(`rate=${text}`)).ok;
    expect(taken, text).toBe(answers[i]!.rc === 0);
  }
  expect(answers.filter(({ rc }) => rc === 0).length).toBeGreaterThan(300);
});

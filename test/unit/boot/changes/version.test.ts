import { expect, test } from "vitest";
import { comparePackageVersions } from "../../../../src/boot/changes/version.ts";
import { randomSource } from "../../../support/mutate.ts";

/** Oldest first; checked with `dpkg --compare-versions`. */
const RISING = [
  "~",
  "~a",
  "",
  "0.1~~",
  "0.1~~a",
  "0.1~",
  "0.1",
  "0.1a",
  "0.1+b1",
  "0.1.1",
  "0.9",
  "0.10",
  "6.1.25-1",
  "6.1.27-1~deb11u1",
  "6.1.27-1",
  "6.1.27-1+deb12u1",
  "6.1.27-2",
  "6.1.27-10",
  "99999999999999999999998",
  "99999999999999999999999",
  "1:0.1",
  "2:0",
];

test("the order of Debian policy 5.6.12", () => {
  for (const [i, a] of RISING.entries()) {
    for (const [j, b] of RISING.entries()) {
      expect(Math.sign(comparePackageVersions(a, b)), `${a} and ${b}`).toBe(Math.sign(i - j));
    }
  }
  expect(comparePackageVersions("1.002", "1.2")).toBe(0);
  expect(comparePackageVersions("0:1-0", "1")).toBe(0);
});

test("any text is compared, both ways alike", () => {
  const random = randomSource(5);
  const alphabet = "0199.-+~:aZ é";
  function word() {
    return Array.from({ length: random(8) }, () => alphabet[random(alphabet.length)]).join("");
  }
  for (let run = 0; run < 5000; run++) {
    const [a, b] = [word(), word()];
    expect(Math.sign(comparePackageVersions(a, b)) + Math.sign(comparePackageVersions(b, a))).toBe(
      0,
    );
    expect(comparePackageVersions(a, a)).toBe(0);
  }
});

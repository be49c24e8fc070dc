/** The order of versions in boot loader entries, as systemd itself has it. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { compareUapiVersions } from "../../../src/boot/loader/systemd-boot/version.ts";
import { randomSource } from "../../support/mutate.ts";
import { need } from "../../support/need.ts";

const PARTS = ["0", "1", "9", "10", "010", "a", "A", "ab", "rc", "~", "-", "^", ".", "_", "+"];

test("made-up versions compare as systemd-analyze says", () => {
  need("systemd-analyze");
  const random = randomSource(7);
  const version = () =>
    `v${Array.from({ length: 1 + random(5) }, () => PARTS[random(PARTS.length)]).join("")}`;
  for (let i = 0; i < 150; i++) {
    const [a, b] = [version(), version()];
    const ran = spawnSync("systemd-analyze", ["compare-versions", "--", a, b], {
      encoding: "utf8",
    });
    const sign = { "<": -1, "==": 0, ">": 1 }[ran.stdout.trim().split(" ")[1] ?? ""];
    expect(Math.sign(compareUapiVersions(a, b)), ran.stdout + ran.stderr).toBe(sign);
  }
});

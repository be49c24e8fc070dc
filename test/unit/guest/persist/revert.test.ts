import { describe, expect, test } from "vitest";
import type { GuardPorts } from "../../../../src/guest/guard/disk-guard.ts";
import type { DomainFact } from "../../../../src/guest/inventory/facts.ts";
import { runRevert } from "../../../../src/guest/persist/persist.ts";
import type { RevertStep } from "../../../../src/guest/persist/plan-revert.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import { PANDORA_UUID } from "../../../support/save-image.ts";

const DOMAIN: DomainFact = {
  domid: 3,
  name: "pandora",
  uuid: PANDORA_UUID,
  state: "running",
  memoryMib: 128,
  vcpus: 1,
};
const FREE: GuardPorts = { findUsers: async () => [], copyState: async () => undefined };
const steps: RevertStep[] = [
  { difference: { of: "vcpus", config: 2, live: 1 }, argv: ["xl", "vcpu-set", "3", "2"] },
  {
    difference: { of: "disk" },
    argv: ["xl", "block-attach", "3", "/dev/vg0/a,raw,xvdb,rw"],
    attaches: { path: "/dev/vg0/a", writes: true },
  },
  { difference: { of: "name", config: "a", live: "b" }, argv: ["xl", "rename", "3", "a"] },
];

function host(uuid: string, said: Record<string, string | { stderr: string; exitCode: number }>) {
  const programs = { ...xlList([{ domid: 3, name: "pandora", uuid }]), ...said };
  return fakeDom0({ files: {}, programs });
}

const DONE = { "xl vcpu-set 3 2": "", "xl rename 3 a": "" };
const ATTACH = "xl block-attach 3 /dev/vg0/a,raw,xvdb,rw";
const survey = { guest: "pandora", domain: DOMAIN, steps, left: [] };

describe("a revert", () => {
  test("runs all steps in their order", async () => {
    const all = host(PANDORA_UUID, { ...DONE, [ATTACH]: "" });
    expect(await runRevert(all, survey, { ports: FREE })).toEqual({ done: steps });
  });

  test("stops at the first that fails, and says what xl said", async () => {
    const failing = host(PANDORA_UUID, {
      ...DONE,
      [ATTACH]: { stderr: "libxl: error: a\nlibxl: error: no such device\n", exitCode: 1 },
    });
    expect(await runRevert(failing, survey, { ports: FREE })).toMatchObject({
      done: [steps[0]],
      failed: { step: steps[1], failure: { kind: "io", errno: "libxl: error: no such device" } },
    });
  });

  test("gives no disk that somebody else has", async () => {
    const ports: GuardPorts = {
      ...FREE,
      findUsers: async () => [{ kind: "mount", what: "mounted at /srv", writes: true }],
    };
    // Without an answer to the attaching: it is not asked for.
    expect(await runRevert(host(PANDORA_UUID, DONE), survey, { ports })).toMatchObject({
      done: [steps[0]],
      failed: { step: steps[1], failure: { kind: "refused" } },
    });
  });

  test("is refused when the domain is another one by now", async () => {
    const other = host("99999999-2222-3333-4444-555555555555", DONE);
    await expect(runRevert(other, survey, { ports: FREE })).rejects.toThrow("not there any more");
  });
});

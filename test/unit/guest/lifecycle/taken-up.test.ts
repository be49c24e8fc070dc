import { expect, test } from "vitest";
import type { DevicePlan } from "../../../../src/guest/lifecycle/attach.ts";
import { notTakenUp } from "../../../../src/guest/lifecycle/taken-up.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";

const MAC = "00:16:3e:00:00:07";
const PLAN = {
  verb: "attach",
  words: [],
  isSo: false,
  domain: { domid: 3, uuid: WEB1_UUID, name: "web1" },
} as const;
const DISK: DevicePlan = {
  ...PLAN,
  device: {
    kind: "disk",
    disk: {
      ...{ vdev: "xvdb", target: "/dev/vg0/data", format: "raw" },
      ...{ readonly: false, cdrom: false, elsewhere: false },
    },
  },
};
const NIC: DevicePlan = { ...PLAN, device: { kind: "nic", nic: { mac: MAC } } };

/** The first one is a disk that the guest has had from its start. */
const disks = (state: number) => `Vdev  BE  handle state evt-ch ring-ref BE-path
768   0   3      1     -1     -1       /local/domain/0/backend/vbd/3/768
51728 0   3      ${state}     -1     -1       /local/domain/0/backend/vbd/3/51728
`;
const nics = (
  state: number,
) => `Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path
1   0  ${MAC}     1     ${state}     -1    -1/-1          /local/domain/0/backend/vif/3/1
`;

/** What `list` says at each look; the last one stays. */
async function told(plan: DevicePlan, ...list: readonly string[]): Promise<string | undefined> {
  let at = 0;
  const next = () => ({ stdout: list[Math.min(at++, list.length - 1)] ?? "" });
  const verbs = { "block-list": next, "network-list": next };
  return notTakenUp(commandedXen([], { verbs }).ports, plan);
}

test("one that takes it up after a moment needs no word", async () => {
  expect(await told(DISK, disks(1), disks(3), disks(4))).toBe(undefined);
  expect(await told(NIC, nics(1), nics(4))).toBe(undefined);
});

test.each([
  ["disk", DISK, disks(1)],
  ["interface", NIC, nics(1)],
] as const)("a %s that it does not take up is said", async (_, plan, list) => {
  expect(await told(plan, list)).toMatch(
    /^web1 does not use it so far: .* PV drivers .* domus persist web1\.$/,
  );
});

test("what xl does not tell is not guessed", async () => {
  expect(await told(DISK, "")).toBe(undefined);
  expect(await told(DISK, "51728 0 3 ? -1\n")).toBe(undefined);
  const verbs = { "block-list": () => ({ exitCode: 1, stderr: "no such domain\n" }) };
  expect(await notTakenUp(commandedXen([], { verbs }).ports, DISK)).toBe(undefined);
});

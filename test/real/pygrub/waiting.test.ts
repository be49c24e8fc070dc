/** A guest for which a save image waits is not started, whoever runs the bootloader; how it is known is tested in test/unit. */
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatWaitingList } from "../../../src/xen/waiting-list.ts";
import { domusPygrub } from "../../support/domus-pygrub.ts";
import { needRoot, scratch } from "../../support/need.ts";
import { ext4, THREE, tree } from "../../support/pygrub-images.ts";

function stateWith(disk: string): string {
  const state = join(scratch(), "state");
  mkdirSync(state);
  const image = { guest: "pandora", uuid: "u", image: "/i", savedAtMs: 0, disks: [{ path: disk }] };
  writeFileSync(join(state, "waiting.json"), formatWaitingList([image]));
  return state;
}

test("nothing is handed over, and the reason is said", () => {
  const disk = ext4(tree({ "/boot/grub/grub.cfg": THREE }));
  const dir = scratch();
  symlinkSync(disk, join(dir, "link"));
  linkSync(disk, `${disk}.other`);
  const env = { DOMUS_STATE_DIR: stateWith(`${disk}.other`) };
  for (const path of [disk, join(dir, "link")]) {
    const ran = domusPygrub(path, [], env);
    expect(ran).toMatchObject({ exitCode: 1, answer: "", stdout: "", left: [] });
    expect(ran.stderr).toMatch(
      /^domus-pygrub: not started: pandora was saved on 1970-01-01 00:00 UTC/,
    );
    expect(ran.stderr).toContain("domus start --discard-image pandora\n");
  }
  expect(domusPygrub(disk, [], { DOMUS_STATE_DIR: scratch() }).exitCode).toBe(0);
  const listed = domusPygrub(disk, ["-l"], env);
  expect([listed.exitCode, listed.stderr], "only looking").toEqual([0, ""]);
});

test("also before rights are given up, when the list is for root alone", () => {
  needRoot("the bootloader changes to another user");
  const disk = ext4(tree({ "/boot/grub/grub.cfg": THREE }));
  const env = { DOMUS_STATE_DIR: stateWith(disk) };
  const ran = domusPygrub(disk, ["--runas=65534"], env);
  expect(ran).toMatchObject({ exitCode: 1, answer: "", left: [] });
  expect(ran.stderr).toContain("not started: pandora was saved");
});

test("what cannot be told keeps nobody down", () => {
  const disk = ext4(tree({ "/boot/grub/grub.cfg": THREE }));
  const state = scratch();
  writeFileSync(join(state, "waiting.json"), "{");
  const ran = domusPygrub(disk, [], { DOMUS_STATE_DIR: state });
  expect(ran.exitCode, ran.stderr).toBe(0);
  expect(ran.stderr).toContain("cannot tell whether a save image waits for this guest");
});

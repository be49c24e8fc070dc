/** The other Xen releases that the lab has: their hosts boot, run domus, and start a guest; 4.20 with a restricted bootloader, too. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { makeExt4Guest } from "../../lab/guest.ts";
import { RELEASES } from "../../lab/releases.ts";
import { testHost } from "../support/lab.ts";

const RESTRICTED = {
  name: "restricted",
  config: ['bootloader = "domus-pygrub"', "bootloader_restrict = 1", 'bootloader_user = "nobody"'],
} as const;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

// Debian's own pairs: 4.14 with an xz kernel, 4.20 with a zstd one
test.each([
  ["bullseye", "5.10"],
  ["trixie", "6.12"],
] as const)("%s: its own Xen starts its own kernel", async (release, kernel) => {
  const image = join(dir, `${release}.img`);
  makeExt4Guest(image, { kernel });
  const host = await testHost({ name: `test-${release}`, release });
  onTestFinished(() => host.remove());
  expect(/xen_version\s*:\s*(\S+)/.exec(await host.output("xl info"))?.[1]).toMatch(
    new RegExp(`^${RELEASES[release].xen.replace(".", "\\.")}\\.`),
  );
  expect(await host.output("domus --version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  const guest = { name: "stock", disks: [{ image }], config: ['bootloader = "pygrub"'] };
  const config = await host.writeGuest({ ...guest, memoryMib: 256 });
  await host.output(`xl create ${config}`);
  await host.waitForConsole("stock", /userland reached \(root=\/dev\/xvda, /);
  if (release === "bullseye") return;
  // Xen 4.18 and later: the bootloader reads the guest's disk as another user
  await host.output("xl destroy stock");
  const restricted = await host.writeGuest({ ...guest, ...RESTRICTED, memoryMib: 256 });
  const said = await host.output(`xl -vvv create ${restricted} 2>&1`);
  expect(said).toContain("bootloader arg: --runas=65534");
  await host.waitForConsole("restricted", /userland reached \(root=\/dev\/xvda, /);
});

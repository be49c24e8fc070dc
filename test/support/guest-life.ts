/** A guest that counts, from its start to its end, with everything between that domus does to one; and what domus says of it. */
import { expect } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import { lastTick, nextTick, readCountingDisk, wrongTicks } from "./counting-guest.ts";
import { labDomus, PATIENT } from "./lab-domus.ts";

/** Of `domus show --json`, as far as it is read here. */
export type ShownGuest = {
  readonly state: string;
  readonly type: string;
  readonly vcpus: number;
  readonly domains: readonly { readonly domid: number; readonly watched: boolean | null }[];
  readonly disks: readonly {
    readonly vdev: string;
    readonly target: string;
    readonly format: string;
    readonly cdrom: boolean;
    readonly backing: string;
  }[];
  readonly nics: readonly { readonly mac: string | null; readonly bridge: string | null }[];
  readonly images: readonly {
    readonly path: string;
    readonly end: string;
    readonly deviceModel: boolean | null;
    readonly savedBytes: number | null;
    readonly proof: { readonly verdict: string } | null;
  }[];
  readonly findings: readonly {
    readonly code: string;
    readonly severity: string;
    readonly what: string;
    readonly why: string;
  }[];
};

export async function showGuest(host: LabHost, name: string): Promise<ShownGuest> {
  const { stdout, stderr } = await host.run(`domus show --json ${name}`, PATIENT);
  const { domains, guests } = JSON.parse(stdout) as { domains: string; guests: ShownGuest[] };
  expect([domains, guests.length], stderr).toEqual(["listed", 1]);
  return guests[0]!;
}

/** An emulated guest on a busy machine boots for minutes. */
const BOOT_MS = 600_000;
const LIMIT = "--limit 1800";

export type Life = {
  readonly name: string;
  readonly type: "pv" | "pvh" | "hvm";
  /** The logical volume that it counts on. */
  readonly disk: string;
  /** Done while it runs for the first time. */
  readonly meanwhile?: () => Promise<void>;
  /** Codes of what is said of it from then on, while it runs: none. */
  readonly findings?: readonly string[];
};

/** Ends with the guest stopped. Its memory is saved and restored once, and it reboots once. */
export async function livesThrough(host: LabHost, life: Life): Promise<void> {
  const { name, type, disk, meanwhile, findings: said = [] } = life;
  const domus = labDomus(host);
  expect(await domus.done(`start ${LIMIT} ${name}`)).toContain(`${name} is up, as domain`);
  await nextTick(host, name, { boot: 1, tick: 3 }, BOOT_MS);
  expect(await showGuest(host, name)).toMatchObject({
    ...{ state: "running", type, findings: [] },
    domains: [{ watched: true }],
  });
  await meanwhile?.();

  await domus.done(`save ${name}`);
  const saved = await lastTick(host, name);
  const { state, images, findings } = await showGuest(host, name);
  expect([state, findings.map(({ code }) => code)]).toEqual(["saved", ["image-waiting"]]);
  expect(images).toMatchObject([
    { end: "complete", deviceModel: type === "hvm", proof: { verdict: "unchanged" } },
  ]);
  // How QEMU's state begins (qemu: migration/savevm.c, QEMU_VM_FILE_MAGIC).
  const magics = await host.output(`grep -acm1 QEVM ${images[0]!.path} || true`, PATIENT);
  expect(magics).toBe(type === "hvm" ? "1\n" : "0\n");

  await domus.done(`restore ${name}`);
  // With the memory that it had: it counts on, and has not booted.
  expect((await nextTick(host, name, saved, BOOT_MS)).boot).toBe(1);
  expect(await domus.done(`reboot --anyway ${LIMIT} ${name}`)).toContain(`${name} is up again`);
  await nextTick(host, name, { boot: 2, tick: 3 }, BOOT_MS);
  const again = await showGuest(host, name);
  expect(again).toMatchObject({ state: "running", type });
  expect(again.findings.map(({ code }) => code)).toEqual(said);

  expect(await domus.done(`stop --wait 1800 ${name}`)).toContain(`${name} has shut down`);
  expect((await showGuest(host, name)).state).toBe("stopped");
  const { fsckCode, fsck, ticks } = await readCountingDisk(host, disk);
  expect(fsckCode, fsck).toBe(0);
  expect(wrongTicks(ticks, await host.console(name))).toBe(undefined);
}

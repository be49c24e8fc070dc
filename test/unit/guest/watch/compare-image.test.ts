/** What is said of the disks of a guest that somebody is just restoring. */
import { expect, test } from "vitest";
import { fingerprintDisks } from "../../../../src/guest/fingerprint/fingerprint.ts";
import { compareImage } from "../../../../src/guest/watch/compare-image.ts";
import type { GuestEvent, ImageRecord } from "../../../../src/host/records.ts";
import { DISK, FakeXen, GUEST, UUID } from "../../../support/fake-xen.ts";

const SAVED_AT_MS = 1000;
const IMAGE = "/save/pandora";

type Scene = {
  readonly isWritten: boolean;
  readonly domain?: { readonly state: "running" | "paused"; readonly cpu: number };
  readonly events?: readonly (Pick<GuestEvent, "kind" | "atMs"> & Partial<GuestEvent>)[];
};

const ANY_EVENT = { id: 1, guest: GUEST, uuid: UUID, domid: 1, by: "watcher", detail: {} } as const;

async function verdictOf({ isWritten, domain, events = [] }: Scene): Promise<string> {
  const world = new FakeXen();
  world.boot();
  const { value } = await world.process(async ({ host }) => {
    const [fingerprint] = await fingerprintDisks(host, [{ path: DISK }]);
    const disk = { vdev: "xvda", path: DISK, readonly: false, fingerprint };
    const record: ImageRecord = {
      ...{ id: 1, guest: GUEST, uuid: UUID, path: IMAGE, state: "waiting" },
      ...{ savedAtMs: SAVED_AT_MS, disks: [JSON.parse(JSON.stringify(disk)) as typeof disk] },
    };
    if (isWritten) world.disk.content += 1;
    Object.assign(world.domains[0]!, domain);
    if (!domain) world.domains = [];
    const now = {
      domid: 1,
      events: events.map((event): GuestEvent => ({ ...ANY_EVENT, ...event })),
    };
    return (await compareImage(host, record, now)).verdict;
  });
  return value!;
}

const BUILT = { state: "paused", cpu: 0 } as const;
const RUNS = { state: "running", cpu: 3 } as const;

test("the disks are compared with those of the save", async () => {
  expect(await verdictOf({ isWritten: false, domain: BUILT })).toBe("unchanged");
  expect(await verdictOf({ isWritten: true, domain: BUILT })).toBe("changed");
  expect(await verdictOf({ isWritten: false, domain: RUNS })).toBe("unchanged");
});

test("what a guest that runs by now has written itself is no change since the save", async () => {
  for (const domain of [RUNS, { ...BUILT, cpu: 1 }, undefined])
    expect(await verdictOf({ isWritten: true, ...(domain && { domain }) })).toBe("perhaps changed");
  const before = [{ kind: "started", atMs: SAVED_AT_MS - 1 } as const];
  expect(await verdictOf({ isWritten: true, domain: RUNS, events: before })).toBe(
    "perhaps changed",
  );
});

test("one that was started since the save has changed them", async () => {
  const events = [{ kind: "started", atMs: SAVED_AT_MS + 1 } as const];
  expect(await verdictOf({ isWritten: true, domain: RUNS, events })).toBe("changed");
});

test("one whose start was caught up with may have been started before the save", async () => {
  const verdictOfStart = (notBeforeMs: number) =>
    verdictOf({
      isWritten: true,
      domain: RUNS,
      events: [{ kind: "rebooted", atMs: SAVED_AT_MS + 9, detail: { notBeforeMs } }],
    });
  expect(await verdictOfStart(SAVED_AT_MS - 1)).toBe("perhaps changed");
  expect(await verdictOfStart(SAVED_AT_MS + 1)).toBe("changed");
});

test("so has one that the watcher found running beside its image when it began to watch", async () => {
  const verdictAfter = (code: string, path: string) =>
    verdictOf({
      isWritten: true,
      domain: RUNS,
      events: [{ kind: "alarm", atMs: SAVED_AT_MS + 1, detail: { code, where: [path] } }],
    });
  expect(await verdictAfter("image-bypassed", IMAGE)).toBe("changed");
  expect(await verdictAfter("image-bypassed", "/save/older")).toBe("perhaps changed");
  expect(await verdictAfter("domain-unwatched", IMAGE)).toBe("perhaps changed");
});

import { describe, expect, test } from "vitest";
import { attempt, attemptSync } from "../../../../src/base/failure.ts";
import type { DomainFact, ImageFact } from "../../../../src/guest/inventory/facts.ts";
import {
  planPause,
  planResume,
  runPause,
  runResume,
} from "../../../../src/guest/lifecycle/pause.ts";
import type { EventKind, GuestEvent, ImageState } from "../../../../src/host/records.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";

const WEB1 = { domid: 3, name: "web1", uuid: WEB1_UUID };
const FACT: DomainFact = { ...WEB1, state: "paused", memoryMib: 128, vcpus: 1 };
const AT = Date.parse("2026-11-21T12:00:00Z");

function image(end: "complete" | "cut-off", state?: ImageState): ImageFact {
  const path = "/root/web1.img";
  const ends = {
    complete: { kind: "complete", trailingBytes: 0 },
    "cut-off": { kind: "cut-off", atBytes: 7, what: "a page" },
  } as const;
  return {
    ...{ path, sizeBytes: 7, modifiedMs: AT, restoredAtBoot: false },
    image: { where: [path], sizeBytes: 7, format: "xl", end: ends[end] },
    ...(state && {
      record: { id: 1, guest: "web1", uuid: WEB1_UUID, path, state, savedAtMs: AT, disks: [] },
    }),
  };
}

const event = (kind: EventKind, atMs: number, domid = 3): GuestEvent => ({
  ...{ id: 1, atMs, guest: "web1", uuid: WEB1_UUID, domid, kind, by: "domus", detail: {} },
});

const resume = (images: readonly ImageFact[], events: readonly GuestEvent[] = [], anyway = false) =>
  attemptSync(() => planResume({ domain: FACT, images, events }, { anyway }));

describe("whether a paused guest goes on", () => {
  test("it does where there is no image of it", () => {
    expect(resume([])).toEqual({ ok: true, value: { domain: WEB1, isSo: false } });
    expect(resume([image("cut-off")]).ok).toBe(true);
    expect(resume([image("complete", "restored")]).ok).toBe(true);
  });

  test.each([
    ["that xl made", image("complete")],
    ["that domus made", image("complete", "waiting")],
    ["that is being made", image("cut-off", "saving")],
  ])("it does not beside one %s", (_, one) => {
    expect(resume([one])).toMatchObject({
      failure: { kind: "refused", what: expect.stringContaining("/root/web1.img") as string },
    });
    expect(resume([one], [], true).ok).toBe(true);
  });

  test("an image from before the pause, or before the domain, is not of this pause", () => {
    const old = [image("complete")];
    expect(resume(old, [event("paused", AT + 1000)]).ok).toBe(true);
    expect(resume(old, [event("restored", AT + 1000)]).ok).toBe(true);
    expect(resume(old, [event("paused", AT - 1000)]).ok).toBe(false);
    expect(resume(old, [event("paused", AT + 1000, 2)]).ok).toBe(false);
    expect(resume(old, [event("attached", AT + 1000)]).ok).toBe(false);
  });

  test("one that is suspended, or ended, is neither paused nor resumed", () => {
    for (const state of ["suspended", "crashed", "shut-down", "dying"] as const) {
      const domain = { ...FACT, state };
      expect(attemptSync(() => planPause(domain))).toMatchObject({ failure: { kind: "refused" } });
      const survey = { domain, images: [], events: [] };
      const resumed = attemptSync(() => planResume(survey, { anyway: true }));
      expect(resumed).toMatchObject({ failure: { kind: "refused" } });
    }
  });
});

describe("pausing and resuming", () => {
  const paused = { ...WEB1, flags: "--p---" };

  test("is looked at after it, as xl does not say when it fails", async () => {
    const deaf = commandedXen([WEB1]);
    const plan = planPause({ ...FACT, state: "running" });
    expect(await attempt(() => runPause(deaf.ports, plan))).toMatchObject({
      failure: { kind: "failed", what: "web1 (domain 3) is running, not paused." },
    });
    expect(deaf.events()).toEqual([]);
    const stuck = commandedXen([paused]);
    const resumed = await attempt(() => runResume(stuck.ports, planned()));
    expect(resumed).toMatchObject({ failure: { kind: "failed" } });
    expect(stuck.events()).toEqual([]);
  });

  const planned = () => planResume({ domain: FACT, images: [], events: [] }, { anyway: false });

  test("is written down", async () => {
    const xen = commandedXen([WEB1], {
      verbs: {
        pause: (one) => void (one.domains = [paused]),
        unpause: (one) => void (one.domains = [WEB1]),
      },
    });
    await runPause(xen.ports, planPause({ ...FACT, state: "running" }));
    await runResume(xen.ports, planned());
    expect(xen.calls).toEqual(["pause 3", "unpause 3"]);
    expect(xen.events().map(({ kind }) => kind)).toEqual(["paused", "resumed"]);
  });

  test("what is so already is left alone", async () => {
    const xen = commandedXen([WEB1]);
    await runPause(xen.ports, planPause(FACT));
    expect(xen.calls).toEqual([]);
  });
});

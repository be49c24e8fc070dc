/** What domus has written down, joined with what is there. */
import { describe, expect, test } from "vitest";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import type { Inventory } from "../../../../src/guest/inventory/inventory.ts";
import { fingerprintDisk } from "../../../../src/guest/fingerprint/fingerprint.ts";
import { ioFailure } from "../../../../src/base/failure.ts";
import type { Host } from "../../../../src/host/host.ts";
import type { DiskObservation } from "../../../../src/host/disk-observation.ts";
import type { ImageRecord, Operation } from "../../../../src/host/records.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0File, Dom0Options } from "../../../support/dom0.ts";
import {
  domainJson,
  libxcContext,
  libxcStream,
  libxlStream,
  PANDORA_UUID,
  saveImage,
} from "../../../support/save-image.ts";

const SAVED = "2026-02-01T00:00:00Z";
const DISK = "/srv/p.img";
const IMAGE = "/var/lib/domus/images/pandora.xl";
const CONFIG = `name = "pandora"\nuuid = "${PANDORA_UUID}"\nmemory = 128\ndisk = ['${DISK},raw,xvda,rw']\n`;

const small = libxlStream({ records: [libxcContext(libxcStream({ records: [] }))] });
const disks = [{ pdev_path: DISK, vdev: "xvda", format: "raw", readwrite: 1 }];
const BYTES = saveImage({ config: { ...domainJson(), disks }, stream: small });
const image = (modified = SAVED): Dom0File => ({ content: BYTES, modified });

const record = (change: Partial<ImageRecord> = {}): ImageRecord => ({
  ...{ id: 1, guest: "pandora", uuid: PANDORA_UUID, path: IMAGE, state: "waiting" },
  ...{ savedAtMs: Date.parse(SAVED), sizeBytes: BYTES.length },
  disks: [{ vdev: "xvda", path: DISK, readonly: false }],
  ...change,
});

type Known = {
  readonly images?: readonly ImageRecord[];
  readonly operations?: readonly Operation[];
};

const recordsOf = ({ images = [], operations = [] }: Known) => ({
  images: () => images,
  operations: () => operations,
});

const FILES: Dom0Options["files"] = {
  "/etc/xen/pandora.cfg": CONFIG,
  [DISK]: { content: "disk", modified: "2026-01-01T00:00:00Z" },
};

async function read(known: Known, options: Partial<Dom0Options> = {}, prove = false) {
  const host = fakeDom0({ files: FILES, ...options });
  const records = recordsOf(known);
  return readInventory(host, { records, ...(prove && { prove: () => true }) });
}

/** Of the only guest. */
function said({ guests }: Inventory) {
  expect(guests.map(({ name }) => name)).toEqual(["pandora"]);
  const [{ state, images, findings }] = guests as [(typeof guests)[number]];
  return {
    state,
    images: images.map(({ fact }) => fact.path),
    codes: findings.map(({ code }) => code),
  };
}

describe("an image that is recorded", () => {
  test("is found wherever it lies", async () => {
    const path = "/var/tmp/pandora.xl";
    const files = { ...FILES, [path]: image() };
    expect(said(await read({ images: [record({ path })] }, { files }))).toEqual({
      ...{ state: "saved", images: [path], codes: ["image-waiting"] },
    });
    expect(said(await read({}, { files })).state).toBe("stopped");
  });

  test("is told by its size, its time and its uuid where it was moved", async () => {
    const moved = (file: Dom0File) => ({ ...FILES, "/srv/moved": file });
    const { images } = (await read({ images: [record()] }, { files: moved(image()) })).guests[0]!;
    expect(images[0]!.fact).toMatchObject({ path: "/srv/moved", record: { id: 1 } });
    for (const other of [image("2026-02-01T00:20:00Z"), { ...image(), sizeBytes: 9000 }])
      expect(said(await read({ images: [record()] }, { files: moved(other) })).codes).toContain(
        "image-missing",
      );
  });

  test("is missed when it is gone, or when another file has its place", async () => {
    const gone = await read({ images: [record()] });
    expect(said(gone)).toEqual({ state: "stopped", images: [], codes: ["image-missing"] });
    const files = { ...FILES, [IMAGE]: { ...image(), sizeBytes: 9000 } };
    // What is not in a usual place is not looked for.
    const replaced = await read({ images: [record()] }, { files });
    expect(replaced.guests[0]!.findings.map(({ what }) => what)).toEqual([
      expect.stringContaining("where another file is now"),
      expect.anything(),
    ]);
    const nobody = await read({ images: [record({ guest: "gone", uuid: "x" })] }, { files: {} });
    expect(nobody.guests).toMatchObject([{ name: "gone", state: "stopped" }]);
  });

  test("does not speak of a later one that has its name and its size", async () => {
    const path = "/srv/pandora.xl";
    for (const state of ["restored", "aside"] as const) {
      const rows = { images: [record({ path, state })] };
      const same = await read(rows, { files: { ...FILES, [path]: image() } });
      expect(said(same).state).toBe("stopped");
      const files = { ...FILES, [path]: image("2026-02-03T00:00:00Z") };
      const { state: now, codes } = said(await read(rows, { files }));
      expect([now, codes.includes("image-waiting"), codes.includes("image-stale")]).toEqual([
        ...["saved", true, false],
      ]);
    }
  });

  test("in domus's own directory is found without a row, too: the records may be lost", async () => {
    const own = "/var/lib/domus/images/pandora-20260101-000000.xl";
    const files = { ...FILES, [own]: image(), "/var/lib/domus/images/.x.xl.saving": image() };
    const lost = await read({}, { files });
    expect(lost.guests[0]!.images.map(({ fact }) => fact.path)).toEqual([own]);
    expect(lost.guests[0]!.state).toBe("saved");
    // Of those with a row that does not wait any more nothing is to be said.
    const known = await read({ images: [record({ path: own, state: "restored" })] }, { files });
    expect(known.guests[0]!).toMatchObject({ images: [], state: "stopped" });
  });

  test("is believed to be there where it may not be looked at", async () => {
    const host = fakeDom0({ files: FILES });
    const closed: Host = {
      ...host,
      kind: (path) =>
        path === IMAGE ? Promise.reject(ioFailure([path], "look at", "EACCES")) : host.kind(path),
    };
    const inventory = await readInventory(closed, { records: recordsOf({ images: [record()] }) });
    expect(said(inventory)).toEqual({ state: "saved", images: [IMAGE], codes: ["image-waiting"] });
  });

  test.each<[ImageRecord["state"], string, string[]]>([
    ["aside", "stopped", []],
    ["restored", "stopped", ["image-stale"]],
    ["missing", "saved", ["image-waiting"]],
  ])("as %s makes its guest %s", async (state, guest, codes) => {
    const path = "/var/lib/xen/save/pandora";
    const files = { ...FILES, [path]: image() };
    const inventory = await read({ images: [record({ state, path })] }, { files });
    expect(said(inventory)).toEqual({ state: guest, images: [path], codes });
  });
});

test("an image that domus has put away is no error, and none that is offered", async () => {
  for (const state of ["restored", "aside"] as const) {
    const path = `/var/lib/xen/pandora.${state}`;
    const files = { ...FILES, [path]: image() };
    const inventory = await read({ images: [record({ state, path })] }, { files });
    expect(said(inventory)).toEqual({ state: "stopped", images: [path], codes: [] });
  }
});

describe("the disks of a saved guest", () => {
  const observation = (mtimeNs: string): DiskObservation => ({
    identity: "a".repeat(64),
    writes: {
      ...{ bootId: "", counters: [] },
      file: { inode: "7", sizeBytes: "4", mtimeNs, ctimeNs: "1" },
    },
  });
  const files = { ...FILES, [IMAGE]: image() };

  async function recorded(): Promise<ImageRecord> {
    const host = fakeDom0({ files, observe: () => observation("1000") });
    const fingerprint = await fingerprintDisk(host, { path: DISK });
    return record({ disks: [{ vdev: "xvda", path: DISK, readonly: false, fingerprint }] });
  }

  test("that were written to make the image stale, seen without flushing or reading them", async () => {
    const images = [await recorded()];
    const settled: boolean[] = [];
    const observe = (at: string) => (_: string, settle: boolean) => {
      settled.push(settle);
      return observation(at);
    };
    expect(said(await read({ images }, { files, observe: observe("1000") })).codes).toEqual([
      "image-waiting",
    ]);
    const { guests } = await read({ images }, { files, observe: observe("2000") });
    expect(guests[0]!.findings).toMatchObject([{ code: "image-stale", severity: "error" }]);
    expect(guests[0]!.findings[0]!.what).toContain("The file was last written at");
    expect(settled).not.toContain(true);
  });

  test("are proven to be what they were, or not, when that is asked for", async () => {
    const images = [await recorded()];
    const observe = () => observation("1000");
    const proofOf = ({ guests }: Inventory) => guests[0]!.images[0]!.fact.proof;
    // A file that is younger than the image, by times that are not compared: the fingerprint knows better.
    const touched = { ...files, [DISK]: { content: "disk", modified: "2026-03-01T00:00:00Z" } };
    const good = await read({ images }, { files: touched, observe }, true);
    expect(proofOf(good)).toMatchObject({ verdict: "unchanged", disks: [{ same: true }] });
    expect(said(good).codes).toEqual(["image-waiting"]);
    const changed = { ...files, [DISK]: { content: "disc", modified: "2026-01-01T00:00:00Z" } };
    const bad = await read({ images }, { files: changed, observe }, true);
    expect(proofOf(bad)?.verdict).toBe("changed");
    expect(said(bad).codes).toEqual(["image-stale"]);
    expect(proofOf(await read({ images: [record()] }, { files, observe }, true))).toMatchObject({
      ...{ verdict: "unknown", disks: [{ proof: "none" }] },
    });
    const without = { "/etc/xen/pandora.cfg": CONFIG, [IMAGE]: image() };
    expect(proofOf(await read({ images }, { files: without }, true))?.verdict).toBe("unknown");
  });

  test("are not read while the guest has a domain", async () => {
    const programs = xlList([{ domid: 3, name: "pandora", uuid: PANDORA_UUID, flags: "--p---" }]);
    const inventory = await read({ images: [await recorded()] }, { files, programs }, true);
    expect(inventory.guests[0]!.images[0]!.fact.proof).toBeUndefined();
  });
});

describe("an operation", () => {
  const operation = (change: Partial<Operation> = {}): Operation => ({
    ...{ id: 1, kind: "save", guest: "pandora", step: "writing", data: {}, startedAtMs: 0 },
    ...{ pid: 77, pidStarted: "4711", bootId: "boot-1", ...change },
  });
  const stat = (state: string) =>
    `77 (a b) c) ${state} ${Array.from({ length: 18 }, () => "0").join(" ")} 4711 0\n`;
  const files = {
    ...FILES,
    "/proc/sys/kernel/random/boot_id": "boot-1\n",
    "/proc/77/stat": stat("S"),
  };

  test("is under way while its process is there, and cut off otherwise", async () => {
    const codes = async (change: Partial<Operation>, more: Dom0Options["files"] = {}) =>
      said(await read({ operations: [operation(change)] }, { files: { ...files, ...more } })).codes;
    expect(await codes({})).toEqual(["operation-under-way"]);
    expect(await codes({ pidStarted: "4712" })).toEqual(["operation-cut-off"]);
    expect(await codes({ bootId: "boot-0" })).toEqual(["operation-cut-off"]);
    expect(await codes({ pid: 78 })).toEqual(["operation-cut-off"]);
    expect(await codes({}, { "/proc/77/stat": stat("Z") })).toEqual(["operation-cut-off"]);
  });

  test("of a guest that is not there any more belongs to nobody", async () => {
    const { findings } = await read({ operations: [operation({ guest: "gone" })] }, { files });
    expect(findings).toMatchObject([{ code: "operation-under-way", where: ["gone"] }]);
  });
});

import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { readHostAround, surroundingsOf } from "../../../../src/guest/check/host-around.ts";
import { readCopyState } from "../../../../src/guest/sync/copy-state.ts";
import { recordName } from "../../../../src/host/local/copy-record-place.ts";
import { treeHost } from "../../../../src/host/local/tree-host.ts";
import {
  encodeRecordHead,
  encodeRecordMark,
  MARK_OFFSET,
} from "../../../../src/sync/record-format.ts";
import { scratch } from "../../../support/need.ts";

const runId = new Uint8Array(16).fill(1);

/** A record of a copy to `path`. */
function record(path: string, ended?: "stopped" | "finished"): Uint8Array {
  const bytes = encodeRecordHead({
    sizeBytes: 1,
    runId,
    source: new Uint8Array(32),
    target: new Uint8Array(32),
    key: new Uint8Array(48),
    begunMs: 1_780_000_000_000,
    sourceName: "hosta:/dev/vg0/a",
    path,
    pid: 1,
  });
  const mark = { endedMs: 0, taggedSegments: 0, witness: "" };
  if (ended) bytes.set(encodeRecordMark(runId, { ...mark, state: ended }), MARK_OFFSET);
  return bytes;
}

/** A dom0's tree with these files. */
function tree(files: Readonly<Record<string, string | Uint8Array>>) {
  const root = scratch();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return { root, host: treeHost(root) };
}

describe("the state of a copy", () => {
  test("to a file, by the record beside it, also through a symlink", async () => {
    const unfinished = { state: "unfinished", source: "hosta:/dev/vg0/a" };
    for (const [ended, state] of [
      [undefined, "unfinished"],
      ["stopped", "unfinished"],
      ["finished", "finished"],
    ] as const) {
      const { host } = tree({
        "/srv/a.img": "",
        "/srv/a.img.domus-sync": record("/srv/a.img", ended),
      });
      expect(await readCopyState(host, "/srv/a.img")).toMatchObject({ ...unfinished, state });
    }
    const { host, root } = tree({
      "/srv/a.img": "",
      "/srv/a.img.domus-sync": record("/srv/a.img"),
    });
    symlinkSync("a.img", join(root, "/srv/link.img"));
    expect(await readCopyState(host, "/srv/link.img")).toMatchObject(unfinished);
    expect(await readCopyState(host, "/srv/b.img")).toBeUndefined();
  });

  test("that cannot be read is unfinished", async () => {
    const path = "/srv/a.img.domus-sync";
    for (const content of ["", "x".repeat(20_000), record("/srv/a.img").subarray(0, 5000)]) {
      const { host } = tree({ "/srv/a.img": "", [path]: content });
      expect(await readCopyState(host, "/srv/a.img")).toEqual({
        state: "unfinished",
        record: path,
      });
    }
  });

  test("to a volume, by either of its names, and the unfinished one counts", async () => {
    const directory = "/var/lib/domus/sync";
    const [one, other] = ["/dev/vg0/web-1", "/dev/mapper/vg0-web--1"];
    const { host, root } = tree({
      [`${directory}/${recordName(one)}`]: record(one, "finished"),
      [`${directory}/junk.domus-sync`]: "junk",
      [`${directory}/${recordName("/dev/vg0/b")}.new`]: record("/dev/vg0/b"),
    });
    for (const name of [one, other])
      expect(await readCopyState(host, name)).toMatchObject({ state: "finished" });
    expect(await readCopyState(host, "/dev/vg0/b")).toBeUndefined();
    writeFileSync(join(root, directory, recordName(other)), record(other));
    expect(await readCopyState(host, one)).toMatchObject({ state: "unfinished" });
    truncateSync(join(root, directory, recordName(other)), 10);
    expect(await readCopyState(host, one)).toMatchObject({ state: "finished" });
  });
});

test("what is known of copies goes to the guests whose disks they are", async () => {
  const { host } = tree({
    "/srv/a.img": "",
    "/srv/a.img.domus-sync": record("/srv/a.img"),
    "/srv/b.img": "",
    "/srv/b.img.domus-sync": record("/srv/b.img", "finished"),
    [`/var/lib/domus/sync/${recordName("/dev/vg0/c")}`]: record("/dev/vg0/c"),
    [`/var/lib/domus/sync/${recordName("/dev/vg0/d")}`]: record("/dev/vg0/d", "finished"),
    "/etc/xen/web.cfg": `name = "web"
bootloader = "pygrub"
memory = 64
disk = ['/srv/a.img,raw,xvda,w', '/srv/b.img,raw,xvdb,w', '/dev/mapper/vg0-c,raw,xvdc,w', '/dev/vg0/d,raw,xvdd,w']
`,
  });
  const around = await readHostAround(host);
  expect(around.unfinishedDevices?.map(({ key }) => key)).toEqual(["/dev/mapper/vg0-c"]);
  const { unfinished } = await surroundingsOf(host, around, around.guests[0]!);
  expect(unfinished?.map(({ key }) => key)).toEqual(["/srv/a.img", "/dev/mapper/vg0-c"]);
});

import { describe, expect, test } from "vitest";
import { missing } from "../../../../src/base/failure.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { backingOpener } from "../../../../src/guest/disks/open-backing.ts";
import type { Host } from "../../../../src/host/host.ts";
import { qcow2Image } from "../../../support/qcow2.ts";

const absent = (path: string) => Promise.reject(missing([path], "such file or directory"));

/** Opens what it is asked for, and keeps a list. */
function hostOf(
  files: Readonly<Record<string, Uint8Array>>,
  links: Readonly<Record<string, string>> = {},
) {
  const opened: string[] = [];
  const host: Host = {
    name: "dom0",
    live: true,
    run: () => absent("run"),
    openBlock: async (path) => {
      opened.push(path);
      const bytes = files[path];
      if (!bytes) return absent(path);
      return {
        ...memorySource(bytes, [path]),
        blockSize: 512,
        async *extents() {},
        async [Symbol.asyncDispose]() {},
      };
    },
    readFile: absent,
    list: absent,
    kind: absent,
    realPath: async (path) => {
      const parts: string[] = [];
      for (const part of path.split("/")) {
        if (part === "..") parts.pop();
        else if (part !== "" && part !== ".") parts.push(part);
      }
      const clean = `/${parts.join("/")}`;
      return links[clean] ?? clean;
    },
  };
  return { host, opened };
}

const disk = new Uint8Array(4096).fill(7);
const FILES = { "/srv/base.img": disk, "/etc/shadow": disk, "/srv2/x.img": disk };

async function open(name: string, format = "raw", links: Readonly<Record<string, string>> = {}) {
  const { host, opened } = hostOf(FILES, links);
  await using devices = new AsyncDisposableStack();
  const opener = backingOpener({
    host,
    devices,
    allowed: ["/srv"],
    imagePath: "/srv/guest.qcow2",
    where: ["xvda"],
  });
  const result = await opener(name, format).then(
    (source) => source.size,
    (error: Error) => error.message,
  );
  return { result, opened };
}

describe("a backing file", () => {
  test.each([
    ["by its path", "/srv/base.img"],
    ["beside the image", "base.img"],
    ["with file: before it", "file:base.img"],
    ["by way of another directory", "../srv/./base.img"],
  ])("%s", async (_, name) => {
    expect(await open(name)).toEqual({ result: 4096, opened: ["/srv/base.img"] });
  });

  test.each([
    ["another directory", "/etc/shadow"],
    ["out of the directory", "../etc/shadow"],
    ["a directory that begins alike", "/srv2/x.img"],
    ["the directory itself", "/srv"],
    ["a way out and in", "/srv/../etc/shadow"],
  ])("%s is not opened", async (_, name) => {
    const { result, opened } = await open(name);
    expect(result).toContain("outside of the directories given with --backing");
    expect(opened).toEqual([]);
  });

  test("a symlink that leads out is not opened, one that leads in is", async () => {
    const out = await open("link.img", "raw", { "/srv/link.img": "/etc/shadow" });
    expect(out.result).toContain("outside");
    expect(out.opened).toEqual([]);
    const inside = await open("/var/x", "raw", { "/var/x": "/srv/base.img" });
    expect(inside).toEqual({ result: 4096, opened: ["/srv/base.img"] });
  });

  test.each(['json:{"driver":"file"}', "nbd://host/x", "rbd:pool/x", "", "a\0b"])(
    "%j is no plain path",
    async (name) => {
      const { result, opened } = await open(name);
      expect(result).toContain("no plain path");
      expect(opened).toEqual([]);
    },
  );

  test("formats: looked at where the image says none", async () => {
    expect((await open("base.img", "")).result).toBe(4096);
    expect((await open("base.img", "qed")).result).toContain("qed");
    expect((await open("base.img", "qcow2")).result).toContain("/srv/base.img");
  });

  test("a chain that leads back to itself ends", async () => {
    const loop = qcow2Image({ backing: { name: "loop.qcow2", format: "qcow2" } });
    const { host, opened } = hostOf({ "/srv/loop.qcow2": loop });
    await using devices = new AsyncDisposableStack();
    const opener = backingOpener({
      host,
      devices,
      allowed: ["/srv/"],
      imagePath: "/srv/a",
      where: ["xvda"],
    });
    await expect(opener("loop.qcow2", "")).rejects.toThrow("chain of backing files");
    expect(opened).toHaveLength(32);
  });
});

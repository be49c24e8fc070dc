/** `domus disk tree` and `usage` beside find, du and df on the kernel's own mount of the same image. */
import { expect, test } from "vitest";
import { decodeText } from "../../../src/bytes/text.ts";
import { cli } from "../../support/cli.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { makeTree } from "../../support/fs/tree.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

const MIB = 1024 * 1024;

type Variant = {
  readonly type: string;
  readonly mkfs: string;
  /** What the kernel holds back, or counts otherwise, of free space. */
  readonly freeSlack: number;
};

const VARIANTS: readonly Variant[] = [
  { type: "ext4", mkfs: "mkfs.ext4 -q -F -N 20000", freeSlack: 0 },
  { type: "xfs", mkfs: "mkfs.xfs -q -f", freeSlack: MIB },
  { type: "btrfs", mkfs: "mkfs.btrfs -q -f", freeSlack: 16 * MIB },
];

type Found = { kind: string; size: number; mode: string; links: number; link: string };

const KINDS: Readonly<Record<string, string>> = {
  ...{ d: "directory", f: "file", l: "symlink", p: "fifo", s: "socket" },
  ...{ c: "char-device", b: "block-device" },
};

/** What find says of everything below `root`, by path. */
function findAll(root: string): Map<string, Found> {
  const out = sh(`cd '${root}' && find . -mindepth 1 -printf '%P\\0%y\\0%s\\0%m\\0%n\\0%l\\0'`);
  const fields = decodeText(out).split("\0");
  const all = new Map<string, Found>();
  for (let at = 0; at + 5 < fields.length; at += 6) {
    const [path, kind, size, mode, links, link] = fields.slice(at, at + 6);
    all.set(`/${path}`, {
      kind: KINDS[kind!]!,
      // What a directory's own size means is the filesystem's business, and the kernel's view of it is tested there.
      size: kind === "f" || kind === "l" ? Number(size) : 0,
      mode: mode!.padStart(4, "0"),
      links: Number(links),
      link: link!,
    });
  }
  return all;
}

/** `du` in bytes, by path. */
function duAll(root: string, options: string): Map<string, number> {
  const out = sh(`cd '${root}' && du ${options} --null .`);
  const lines = decodeText(out).split("\0").slice(0, -1);
  return new Map(
    lines.map((line) => [line.split("\t")[1]!.slice(1) || "/", Number.parseInt(line)]),
  );
}

type Tree = {
  complete: boolean;
  counts: { failures: number };
  entries: (Found & { path: string })[];
};
type Directory = {
  allocatedBytes: number;
  sizeBytes: number;
  exact: boolean;
  directories: { path: string; allocatedBytes: number }[];
  largest: { path: string; allocatedBytes: number }[];
};
type Space = {
  disks: {
    copyBytes: number;
    volumes: { usedBytes: number; freeBytes: number; inodes?: { used: number } }[];
  }[];
};

async function json<T>(...argv: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli([...argv, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

test.for(VARIANTS)("$type", async ({ type, mkfs, freeSlack }) => {
  need(`mkfs.${type}`, "find", "du");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  sh(`truncate -s 1G '${image}' && ${mkfs} '${image}'`);
  await mountedAs({ image, type }, (root) =>
    makeTree(root, { files: 4000, crowd: 2000, sparseSize: 10_000_000_001 }),
  );
  const kernel = await mountedAs({ image, type, options: "ro" }, (root) => ({
    found: findAll(root),
    blocks: duAll(root, "-B1 -d2"),
    files: duAll(`${root}/contents`, "-B1 -a"),
    apparent: Number(
      sh(
        `find '${root}' \\( -type f -o -type l \\) -printf '%i %s\\n' | sort -u | awk '{ sum += $2 } END { printf "%.0f", sum }'`,
      ).toString(),
    ),
    space: sh(`stat -f -c '%f %S %c %d' '${root}'`).toString().trim().split(" ").map(Number),
  }));

  const tree = await json<Tree>("disk", "tree", image);
  expect(tree).toMatchObject({ complete: true, counts: { failures: 0 } });
  const ours = new Map(
    tree.entries.map(({ path, kind, size, mode, links, link }) => [
      path,
      {
        kind,
        size: kind === "file" || kind === "symlink" ? size : 0,
        mode,
        links,
        link: link ?? "",
      },
    ]),
  );
  expect(ours.size).toBe(tree.entries.length);
  expect(ours).toEqual(kernel.found);
  const shallow = await json<Tree>("disk", "tree", image, "/", "--depth", "2");
  expect(shallow.entries.map((one) => one.path).sort()).toEqual(
    [...kernel.found.keys()].filter((path) => path.split("/").length <= 3).sort(),
  );

  const usage = await json<Directory>(
    "disk",
    "usage",
    image,
    "/",
    "--depth",
    "2",
    "--top",
    "10000",
  );
  expect(usage.sizeBytes).toBe(kernel.apparent);
  const directories = new Map(usage.directories.map((one) => [one.path, one.allocatedBytes]));
  if (usage.exact) {
    expect(usage.allocatedBytes).toBe(kernel.blocks.get("/"));
    kernel.blocks.delete("/");
    expect(directories).toEqual(kernel.blocks);
    for (const [path, bytes] of kernel.files) {
      const found = usage.largest.find((one) => one.path === `/contents${path}`);
      if (found) expect([path, found.allocatedBytes]).toEqual([path, bytes]);
    }
  } else expect([...directories.keys(), "/"].sort()).toEqual([...kernel.blocks.keys()].sort());

  const [free = 0, blockSize = 0, inodes = 0, freeInodes = 0] = kernel.space;
  const { disks } = await json<Space>("disk", "usage", image);
  const { usedBytes, freeBytes, inodes: counted } = disks[0]!.volumes[0]!;
  expect(usedBytes + freeBytes).toBe(2 ** 30);
  expect(Math.abs(freeBytes - free * blockSize)).toBeLessThanOrEqual(freeSlack);
  expect(disks[0]!.copyBytes).toBe(usedBytes);
  if (counted) expect(counted.used).toBe(inodes - freeInodes);
});

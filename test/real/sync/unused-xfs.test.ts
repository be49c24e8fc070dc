/** Copies without unused blocks of XFS in every state that it gets into. */
import { describe, expect, test } from "vitest";
import type { Extent } from "../../../src/disk/source.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../support/fs/tree.ts";
import { kernelView } from "../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { makeXfsForms } from "../disk/fs/xfs/forms.ts";
import { assertSound, makeXfs } from "../disk/fs/xfs/tools.ts";
import {
  makeFew,
  makePieces,
  proveCopy,
  QUIET,
  refusalOf,
  unusedOf,
  useUp,
} from "./unused-copy.ts";

const write = (image: string, work: (root: string) => Promise<void> | void) =>
  mountedAs({ image, type: "xfs", options: "nouuid" }, work);
const look = (image: string) =>
  mountedAs({ image, type: "xfs", options: "nouuid,ro,norecovery" }, (root) => kernelView(root));
const fsck = (image: string) => assertSound(image, { mkfs: "" });

function tools(): void {
  need("mkfs.xfs", "xfs_repair", "xfs_db", "xfs_io", "fallocate");
  needRoot("it mounts images");
}

/** By xfs_db: the free extents of all groups. What each keeps aside for its trees is among them. */
function freeByTools(image: string): Extent[] {
  const field = (name: string) =>
    Number(/= (\d+)/.exec(sh(`xfs_db -r -c 'sb 0' -c 'print ${name}' '${image}'`).toString())![1]);
  const [blockSize, groupBlocks] = [field("blocksize"), field("agblocks")];
  const lines = sh(`xfs_db -r -c 'freesp -d' '${image}'`).toString().split("\n");
  return lines.flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (!found) return [];
    const [group, block, count] = found.slice(1).map(Number);
    return [{ offset: (group! * groupBlocks + block!) * blockSize, length: count! * blockSize }];
  });
}

const fill = (image: string) => write(image, (root) => useUp(root));

const prove = (image: string) => proveCopy({ image, look, fsck, freeByTools, fill });

async function make(mkfs: string, size = "160M"): Promise<string> {
  tools();
  const image = `${scratch()}/image`;
  sh(`truncate -s ${size} '${image}'`);
  makeXfs(image, { mkfs: `-l size=18m ${mkfs}` });
  await write(image, async (root) => {
    await makeTree(root, { files: 1200, crowd: 400, sparseSize: 1_000_000_000 });
    makeUnwritten(root);
  });
  return image;
}

describe("states", () => {
  test("fragmented, then trimmed, then nearly full", async () => {
    const image = await make("-m rmapbt=1");
    await write(image, (root) => {
      makeXfsForms(root, { reflink: true });
      makePieces(root, 1500);
    });
    const { unused, sentBytes, unusedBytes, sizeBytes } = await prove(image);
    expect(unused.length).toBeGreaterThan(100);
    expect(sentBytes).toBeLessThanOrEqual(sizeBytes - unusedBytes + 8192 * unused.length);
    await write(image, (root) => {
      sh(`rm -r pieces; sync -f .; fstrim '${root}'`, { cwd: root });
    });
    await prove(image);
    await write(image, (root) => {
      sh(
        "head -c 1G /dev/urandom > rest 2> /dev/null || true; sync -f .; rm -r d0 grown0 forms/entries-2500",
        {
          cwd: root,
        },
      );
    });
    await prove(image);
  });

  test("grown while mounted; what is behind it is kept", async () => {
    need("xfs_growfs");
    const image = await make("");
    sh(`truncate -s 400M '${image}'`);
    await write(image, (root) => {
      sh(`xfs_growfs -D 80000 '${root}'`);
      makePieces(root);
    });
    const { unused } = await prove(image);
    const last = unused.at(-1)!;
    expect(last.offset + last.length).toBeGreaterThan(300 * 1024 * 1024);
    expect(last.offset + last.length).toBeLessThanOrEqual(80_000 * 4096);
  });

  test("dirty, or mounted by somebody who may come back: nothing is called unused", async () => {
    const image = await make("");
    expect(await refusalOf(image, { ...QUIET, mayResume: true })).toMatch(/goes on where it was/);
    expect((await unusedOf(image)).kind).toBe("view");
    await write(image, (root) => {
      sh(`rm -r d1; sync -f .; cp '${image}' '${image}.cut'`, { cwd: root });
    });
    expect(await refusalOf(`${image}.cut`)).toMatch(
      /all of it is copied: (log replayed|not cleanly unmounted)/,
    );
    await write(image, (root) => void sh(`rm -r d2; xfs_io -x -c 'shutdown -f' .`, { cwd: root }));
    expect(await refusalOf(image)).toMatch(/all of it is copied: log replayed/);
  });
});

describe("where metadata can be: rubbish in place of what is unused, then all of it in use", () => {
  test.for([
    "-b size=1024 -n size=8192",
    "-m rmapbt=1,reflink=1 -i nrext64=1",
    "-m finobt=0,reflink=0,inobtcount=0,bigtime=0 -i sparse=0",
    "-s size=4096 -d agcount=7",
    "-b size=16384 -d agcount=2",
    "-l agnum=2 -d agcount=4",
    "-i size=2048,maxpct=80",
  ])("mkfs.xfs %s", async (mkfs) => {
    tools();
    const image = `${scratch()}/image`;
    sh(`truncate -s 130M '${image}'`);
    makeXfs(image, { mkfs: `-l size=18m ${mkfs}` });
    await write(image, (root) => {
      makeFew(root);
    });
    const { unused } = await prove(image);
    // Blocks that a group keeps aside for its trees: in no tree of free space.
    const blockSize = Number(/size=(\d+)/.exec(mkfs.replace(/-[nsi] size=\d+/g, ""))?.[1] ?? 4096);
    const aside = sh(`xfs_db -r -c 'agfl 0' -c 'print bno' '${image}'`).toString();
    const blocks = [...aside.matchAll(/(?:^| )\d+:(\d+)/g)].map(([, block]) => Number(block));
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      const at = block * blockSize;
      expect(unused.some((e) => e.offset <= at && at < e.offset + e.length)).toBe(false);
    }
  });
});

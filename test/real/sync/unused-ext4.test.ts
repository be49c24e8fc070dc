/** Copies without unused blocks of ext2, ext3 and ext4 in every state that they get into. */
import { describe, expect, test } from "vitest";
import type { Extent } from "../../../src/disk/source.ts";
import { mounted } from "../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../support/fs/tree.ts";
import { kernelView } from "../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import {
  copyWithoutUnused,
  makeFew,
  makePieces,
  overwrite,
  proveCopy,
  refusalOf,
  useUp,
} from "./unused-copy.ts";

const look = (image: string) => mounted(image, "ro", (root) => kernelView(root));
const fsck = (image: string) => void sh(`e2fsck -fn '${image}'`);

function tools(): void {
  need("mkfs.ext4", "e2fsck", "debugfs", "dumpe2fs", "fallocate");
  needRoot("it mounts images");
}

/** By dumpe2fs: the free blocks of every group. */
function freeByTools(image: string): Extent[] {
  const text = sh(`dumpe2fs '${image}' 2>/dev/null`).toString();
  const blockSize = Number(/^Block size:\s+(\d+)/m.exec(text)![1]);
  // It names a free cluster by its first block.
  const clusterSize = Number(/^Cluster size:\s+(\d+)/m.exec(text)?.[1] ?? blockSize);
  const found: Extent[] = [];
  for (const [, list] of text.matchAll(/^ {2}Free blocks: (.+)$/gm)) {
    for (const [, first, last] of list!.matchAll(/(\d+)(?:-(\d+))?/g)) {
      const length = (Number(last ?? first) - Number(first)) * blockSize + clusterSize;
      found.push({ offset: Number(first) * blockSize, length });
    }
  }
  expect(found.length).toBeGreaterThan(0);
  return found;
}

const fill = (image: string) => mounted(image, "", (root) => useUp(root));

const prove = (image: string) => proveCopy({ image, look, fsck, freeByTools, fill });

type Make = { readonly mkfs?: string; readonly size?: string };

async function make({ mkfs = "mkfs.ext4", size = "100M" }: Make): Promise<string> {
  tools();
  const image = `${scratch()}/image`;
  sh(`truncate -s ${size} '${image}' && ${mkfs} -q -F '${image}'`);
  await mounted(image, "", async (root) => {
    await makeTree(root, { files: 1200, crowd: 400, sparseSize: 1_000_000_000 });
    if (mkfs.startsWith("mkfs.ext4")) makeUnwritten(root);
  });
  return image;
}

describe("states", () => {
  test.for(["mkfs.ext4 -b 1024", "mkfs.ext3"])(
    "%s: fragmented, then trimmed, then nearly full",
    async (mkfs) => {
      const image = await make({ mkfs });
      await mounted(image, "", (root) => makePieces(root));
      const { unused, sentBytes, unusedBytes, sizeBytes } = await prove(image);
      expect(unused.length).toBeGreaterThan(40);
      expect(sentBytes).toBeLessThanOrEqual(sizeBytes - unusedBytes + 4096 * 2 * unused.length);
      await mounted(image, "", (root) => {
        sh(`rm -r pieces; sync -f .; fstrim '${root}'`, { cwd: root });
      });
      await prove(image);
      await mounted(image, "", (root) => {
        sh(`head -c 1G /dev/urandom > rest 2> /dev/null || true; sync -f .; rm -r d0 grown0`, {
          cwd: root,
        });
      });
      await prove(image);
    },
  );

  test.for([
    ["as it is made", "mkfs.ext4", "64M"],
    ["without room in the table", "mkfs.ext4 -b 1024 -O ^resize_inode,meta_bg", "64M"],
    ["old", "mkfs.ext3 -b 1024", "64M"],
  ] as const)("resized, %s: grown and shrunk", async ([, mkfs, size]) => {
    need("resize2fs");
    const image = await make({ mkfs, size });
    sh(
      `truncate -s 200M '${image}'; e2fsck -fy '${image}' || [ $? = 1 ]; resize2fs '${image}' 190M`,
    );
    await mounted(image, "", (root) => makePieces(root));
    await prove(image);
    // What is behind the filesystem now is nobody's business: it is copied.
    sh(`e2fsck -fy '${image}' || [ $? = 1 ]; resize2fs '${image}' 120M`);
    const { unused } = await prove(image);
    const last = unused.at(-1)!;
    expect(last.offset + last.length).toBeLessThanOrEqual(120 * 1024 * 1024);
  });

  test("dirty, and with errors: nothing is called unused", async () => {
    const image = await make({});
    await mounted(image, "", (root) => {
      sh(`rm -r d1; sync -f .; cp '${image}' '${image}.cut'`, { cwd: root });
    });
    expect(await refusalOf(`${image}.cut`)).toMatch(
      /all of it is copied: journal replayed in memory/,
    );
    sh(`debugfs -w -R 'ssv error_count 1' '${image}'`);
    expect(await refusalOf(image)).toMatch(/all of it is copied: .*recorded 1 errors/);
    sh(`debugfs -w -R 'ssv state 3' '${image}'`);
    expect(await refusalOf(image)).toMatch(/all of it is copied: errors recorded by the kernel/);
  });
});

describe("where metadata can be: rubbish in place of what is unused, then all of it in use", () => {
  const FEATURES = [
    "mkfs.ext2 -N 8000",
    "mkfs.ext4 -b 1024 -g 1024",
    "mkfs.ext4 -O ^has_journal",
    "mkfs.ext4 -J size=8,location=30000 -b 1024",
    "mkfs.ext4 -O bigalloc -C 65536",
    "mkfs.ext4 -b 1024 -O bigalloc -C 16384",
    "mkfs.ext4 -O meta_bg,^resize_inode -b 1024",
    "mkfs.ext4 -O ^flex_bg -b 1024",
    "mkfs.ext4 -O ^64bit,^metadata_csum,uninit_bg -b 1024",
    "mkfs.ext4 -O ^64bit,^metadata_csum,^uninit_bg",
    "mkfs.ext4 -O sparse_super2,mmp",
    "mkfs.ext4 -O sparse_super2,meta_bg,^resize_inode -b 1024 -E num_backup_sb=2",
    "mkfs.ext4 -O ^sparse_super,^resize_inode -b 1024",
    "mkfs.ext4 -O inline_data -G 4 -b 1024",
    "mkfs.ext4 -O orphan_file,fast_commit,large_dir,ea_inode",
    "mkfs.ext4 -E packed_meta_blocks=1,resize=4G -b 1024 -g 2048",
    "mkfs.ext4 -E lazy_itable_init=1,lazy_journal_init=1 -b 1024 -N 60000",
  ];

  test.for(FEATURES)("%s", async (mkfs) => {
    tools();
    const image = `${scratch()}/image`;
    sh(`truncate -s 50M '${image}' && ${mkfs} -q -F '${image}'`);
    await mounted(image, "", (root) => {
      makeFew(root);
    });
    await prove(image);
  });

  test("bad blocks, quota, project ids", async () => {
    const image = `${scratch()}/image`;
    tools();
    sh(`printf '9000\\n9001\\n20000\\n' > '${image}.bad'; truncate -s 100M '${image}'
      mkfs.ext4 -q -F -b 1024 -l '${image}.bad' '${image}'`);
    await mounted(image, "", (root) => void sh("head -c 3M /dev/urandom > file", { cwd: root }));
    sh(`tune2fs -O quota,project '${image}'`);
    expect(sh(`dumpe2fs -b '${image}' 2>/dev/null`).toString()).toMatch(/^9000$/m);
    const { unused } = await proveCopy({ image, look, fsck, freeByTools });
    for (const block of [9000, 9001, 20_000])
      expect(
        unused.some((e) => e.offset <= block * 1024 && block * 1024 < e.offset + e.length),
      ).toBe(false);
  });

  test("copies of the superblock and of the descriptors: e2fsck can begin with each", async () => {
    for (const mkfs of ["mkfs.ext4 -b 1024 -O sparse_super2"]) {
      const image = await make({ mkfs, size: "60M" });
      const { copy, unused } = await copyWithoutUnused(image);
      for (const byte of [0, 0xa5]) {
        overwrite(copy, unused, byte);
        const text = sh(`dumpe2fs '${copy}' 2>/dev/null`).toString();
        const blocks = [...text.matchAll(/Backup superblock at (\d+)/g)].map(([, at]) => at!);
        expect(blocks.length).toBeGreaterThan(0);
        for (const block of blocks) {
          sh(`cp '${copy}' '${copy}.try'
            dd if=/dev/zero of='${copy}.try' bs=1024 seek=1 count=30 conv=notrunc status=none
            e2fsck -fy -b ${block} -B 1024 '${copy}.try' || [ $? = 1 ]; e2fsck -fn '${copy}.try'`);
        }
      }
    }
  });
});

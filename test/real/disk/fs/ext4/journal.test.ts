/** Dirty journals: what domus shows after its replay in memory, against what the kernel shows after its own. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { findSuperblock } from "../../../../../src/disk/fs/ext4/find-superblock.ts";
import { openJournal, replayJournal } from "../../../../../src/disk/fs/ext4/journal/replay.ts";
import { scanJournal } from "../../../../../src/disk/fs/ext4/journal/scan.ts";
import { ext4Volume } from "../../../../../src/disk/fs/ext4/volume.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { imageSource, mounted } from "../../../../support/fs/mounted.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";

type Variant = {
  readonly name: string;
  readonly mkfs: string;
  readonly mount: string;
  readonly checksums: string;
};

const plain = "mkfs.ext4 -J size=4 -O ^metadata_csum";
const VARIANTS: readonly Variant[] = [
  { name: "as mkfs makes it", mkfs: "mkfs.ext4 -J size=4", mount: "", checksums: "v3" },
  { name: "no checksums", mkfs: plain, mount: "", checksums: "none" },
  { name: "32-bit block numbers", mkfs: `${plain},^64bit`, mount: "", checksums: "none" },
  { name: "v1 checksums", mkfs: plain, mount: "journal_checksum", checksums: "v1" },
  {
    name: "asynchronous commits",
    mkfs: plain,
    mount: "journal_async_commit,data=writeback",
    checksums: "v1",
  },
  { name: "journaled data", mkfs: "mkfs.ext4 -J size=16", mount: "data=journal", checksums: "v3" },
  { name: "ext3", mkfs: "mkfs.ext3 -J size=4", mount: "", checksums: "none" },
  { name: "1 KiB blocks", mkfs: "mkfs.ext4 -b 1024 -J size=4", mount: "", checksums: "v3" },
  {
    name: "bigalloc, inline_data",
    mkfs: "mkfs.ext4 -J size=4 -O bigalloc,inline_data",
    mount: "",
    checksums: "v3",
  },
  {
    name: "orphan_file",
    mkfs: "mkfs.ext4 -J size=4 -O orphan_file",
    mount: "",
    checksums: "v3",
  },
];

/**
 * Changes, with blocks freed and used again (revocations), until the part of the log that is still needed goes over the
 * end of the journal and on from its start; a few rounds in any case.
 */
async function churn(root: string, image: string): Promise<void> {
  for (let round = 0; round < 100; round++) {
    if (round > 5 && (await logFacts(image)).wraps) return;
    mkdirSync(`${root}/r${round}`);
    for (let i = 0; i < 100; i++) {
      const name = `${"n".repeat(i % 100)}-${i}`;
      writeFileSync(`${root}/r${round}/${name}`, `round ${round} file ${i} `.repeat(i));
    }
    sh(`sync -f '${root}'`);
    if (round > 0) {
      rmSync(`${root}/r${round - 1}`, { recursive: true });
      mkdirSync(`${root}/r${round - 1}-again`);
      renameSync(`${root}/r${round}/-0`, `${root}/r${round - 1}-again/moved`);
    }
    // Blocks that begin with the journal's magic number have to be escaped when their data is journaled.
    const magic = Buffer.alloc(20_000);
    for (let at = 0; at < magic.length; at += 1024) magic.writeUInt32BE(0xc03b3998, at);
    writeFileSync(`${root}/magic${round}`, magic);
    sh(`sync -f '${root}'`);
  }
}

const copy = (from: string, to: string) => sh(`cp --sparse=always '${from}' '${to}'`);

/** What the log of an image has in it, to be sure that the tests meet what they are for. */
async function logFacts(image: string) {
  using source = imageSource(image);
  const { superblock } = await findSuperblock(source, []);
  const volume = ext4Volume(source, superblock, []);
  const journal = await openJournal(volume);
  const scan = await scanJournal(journal);
  const replay = await replayJournal(volume, journal);
  const blocks = scan.transactions.flatMap((transaction) => transaction.descriptors);
  return {
    checksums: journal.superblock.checksums,
    revocations: scan.transactions.some((transaction) => transaction.revocations.length > 0),
    wraps: blocks.some((block, i) => i > 0 && block < blocks[i - 1]!),
    escapes: replay.escaped.size > 0,
  };
}

describe("a dirty journal left by the kernel", () => {
  const met = { revocations: false, wraps: false, escapes: false };

  test.for(VARIANTS)("$name", async (variant) => {
    need("mkfs.ext4", "dumpe2fs");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s 256M '${image}' && ${variant.mkfs} -q -F '${image}'`);
    // What the device holds while the filesystem is in use is what is left after a power cut.
    await mounted(image, variant.mount, async (root) => {
      await churn(root, image);
      copy(image, `${dir}/cut0`);
      writeFileSync(`${root}/later`, "later");
      sh(`sync -f '${root}'`);
      copy(image, `${dir}/cut1`);
    });
    for (const cut of [`${dir}/cut0`, `${dir}/cut1`]) {
      expect(sh(`dumpe2fs -h '${cut}' 2>&1`).toString()).toContain("needs_recovery");
      const facts = await logFacts(cut);
      expect(facts.checksums).toBe(variant.checksums);
      for (const fact of ["revocations", "wraps", "escapes"] as const) met[fact] ||= facts[fact];
      using source = imageSource(cut);
      const fs = await openExt4(source);
      expect(fs.state.clean).toBe(false);
      expect(fs.state.text).toMatch(/^journal replayed in memory \(\d+ transactions?\)$/);
      const domus = await domusView(fs);
      copy(cut, `${dir}/kernel`);
      const kernel = await mounted(`${dir}/kernel`, variant.mount, (root) => kernelView(root));
      expect(differences(kernel, domus)).toEqual([]);
    }
  });

  test("between them, the logs had revocations, went round, and escaped blocks", () => {
    expect(met).toEqual({ revocations: true, wraps: true, escapes: true });
  });
});

describe("a dirty journal written by debugfs", () => {
  test.for(["jo", "jo -c"])("%s", async (open) => {
    need("mkfs.ext4", "debugfs");
    const dir = scratch();
    const image = `${dir}/image`;
    mkdirSync(`${dir}/tree`);
    writeFileSync(`${dir}/tree/grub.cfg`, "old ".repeat(256));
    writeFileSync(`${dir}/tree/revoked`, "kept ".repeat(200));
    sh(`truncate -s 32M '${image}' && mkfs.ext4 -q -F -b 1024 -d '${dir}/tree' '${image}'`);
    // 1 KiB blocks: debugfs 1.47 writes no more than that of each block.
    const blockOf = (path: string) =>
      sh(`debugfs -R 'bmap ${path} 0' '${image}' 2>/dev/null`).toString().trim();
    const [changed, revoked] = [blockOf("/grub.cfg"), blockOf("/revoked")];
    const script = `${open}\njw -b ${changed},${revoked} ${dir}/both\njw -r ${revoked}\njc\n`;
    writeFileSync(`${dir}/both`, "new ".repeat(512));
    writeFileSync(`${dir}/script`, script);
    sh(`debugfs -w -f '${dir}/script' '${image}'`);

    using source = imageSource(image);
    const fs = await openExt4(source);
    expect(fs.state.text).toMatch(/^journal replayed in memory \(2 transactions\)$/);
    const read = async (name: string) => {
      const entry = await fs.lookup(await fs.root(), name);
      const bytes = await fs.read(await fs.inode(entry!), 0, 100_000);
      return Buffer.from(bytes).toString();
    };
    expect(await read("grub.cfg")).toBe("new ".repeat(256));
    expect(await read("revoked")).toBe("kept ".repeat(200));
    expect(await fs.lookup(await fs.root(), "absent")).toBeUndefined();
  });
});

/** Logs of synced files: what domus shows after its replay in memory, against what the kernel shows after its own. */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import type { View } from "../../../../support/fs/view.ts";
import { randomSource } from "../../../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { forgetDevices, mkfsBtrfs } from "./forms.ts";

function sync(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

const copy = (from: string, to: string) => sh(`cp --sparse=always '${from}' '${to}'`);

/** The replay itself is a change for the kernel: what it unlinks gives a directory the time of the mount. */
function ignoreTimesAfter(cutMs: number, kernel: View, domus: View): void {
  for (const [path, seen] of kernel) {
    const ours = domus.get(path);
    if (!ours || seen.mtime * 1000 <= cutMs) continue;
    kernel.set(path, { ...seen, mtime: 0 });
    domus.set(path, { ...ours, mtime: 0 });
  }
}

/** Both views of what the device held when `cut` was copied from it. The copy is changed by the kernel. */
async function compare(cut: string): Promise<{ logged: boolean; problems: string[] }> {
  const cutMs = statSync(cut).mtimeMs;
  let domus: View;
  let logged: boolean;
  {
    using source = imageSource(cut);
    const fs = await openBtrfs(source);
    logged = !fs.state.clean;
    if (logged) expect(fs.state.text).toMatch(/^log replayed in memory \(\d+ inodes?\)$/);
    expect(fs.notes).toEqual([]);
    domus = await domusView(fs);
  }
  forgetDevices();
  const kernel = await mountedAs({ image: cut, type: "btrfs" }, (root) => kernelView(root));
  ignoreTimesAfter(cutMs, kernel, domus);
  return { logged, problems: differences(kernel, domus) };
}

type Step = readonly [name: string, work: (root: string) => void];

/** Each is done in a filesystem of its own, after everything before it was committed. */
const STEPS: readonly Step[] = [
  ["a new file", (root) => (writeFileSync(`${root}/a/new`, "new"), sync(`${root}/a/new`))],
  ["a large one", (root) => (sh(`head -c 3M /dev/urandom > '${root}/big'`), sync(`${root}/big`))],
  [
    "more in a file",
    (root) => sh(`head -c 100000 /dev/urandom >> '${root}/a/f1' && sync '${root}/a/f1'`),
  ],
  [
    "in the middle",
    (root) =>
      sh(
        `dd if=/dev/urandom of='${root}/solid' bs=4096 seek=50 count=7 conv=notrunc,fsync status=none`,
      ),
  ],
  ["shorter", (root) => sh(`truncate -s 100001 '${root}/solid' && sync '${root}/solid'`)],
  [
    "shorter and longer",
    (root) => sh(`cd '${root}'; truncate -s 5000 solid; truncate -s 3M solid; sync solid`),
  ],
  ["a hole", (root) => sh(`cd '${root}'; fallocate -p -o 20480 -l 400000 solid; sync solid`)],
  ["zeroes", (root) => sh(`cd '${root}'; fallocate -z -o 30000 -l 400000 solid; sync solid`)],
  [
    "space",
    (root) =>
      sh(`cd '${root}'; fallocate -n -o 2M -l 4M solid; fallocate -l 1M space; sync solid space`),
  ],
  [
    "a small file grows",
    (root) => sh(`cd '${root}'; head -c 20000 /dev/urandom >> a/f2; sync a/f2`),
  ],
  [
    "a small file changes",
    (root) => sh(`cd '${root}'; printf XX | dd of=a/f3 bs=1 conv=notrunc,fsync status=none`),
  ],
  [
    "a rename",
    (root) => (renameSync(`${root}/a/f4`, `${root}/a/renamed`), sync(`${root}/a/renamed`)),
  ],
  ["a rename into another directory", (root) => sh(`cd '${root}'; mv a/f5 b/moved; sync b/moved`)],
  ["a rename of a directory", (root) => sh(`cd '${root}'; mv a b/a2; sync b/a2; sync b`)],
  ["a rename over another", (root) => sh(`cd '${root}'; mv a/f6 a/f7; sync a/f7`)],
  [
    "a rename round about",
    (root) => sh(`cd '${root}'; mv a/f6 a/t; mv a/f7 a/f6; mv a/t a/f7; sync a/f6; sync a`),
  ],
  ["a deletion", (root) => sh(`cd '${root}'; rm a/f8; sync a`)],
  ["many deletions", (root) => sh(`cd '${root}'; rm crowd/*1; sync crowd`)],
  [
    "a deletion and the name again",
    (root) => sh(`cd '${root}'; rm a/f9; echo again > a/f9; sync a/f9`),
  ],
  ["a link", (root) => (linkSync(`${root}/a/f1`, `${root}/b/link`), sync(`${root}/b/link`))],
  ["a link less", (root) => sh(`cd '${root}'; rm linked/l3; sync linked/l4`)],
  [
    "names without room",
    (root) => sh(`cd '${root}'; for i in $(seq 300); do ln a/f1 linked/more-$i; done; sync a/f1`),
  ],
  ["a directory", (root) => sh(`cd '${root}'; mkdir -p c/d/e; echo x > c/d/e/f; sync c/d/e/f`)],
  ["a tree without a name", (root) => sh(`cd '${root}'; rm -r deep; sync .`)],
  [
    "many files",
    (root) =>
      sh(`cd '${root}'; for i in $(seq 500); do echo $i > crowd/n$i; done; sync crowd crowd/n3`),
  ],
  [
    "a symlink and a device",
    (root) => sh(`cd '${root}'; ln -s target a/soft; mknod a/dev c 4 5; mkfifo a/fifo; sync a`),
  ],
  [
    "rights and owners",
    (root) => sh(`cd '${root}'; chmod 4711 a/f1; chown 7:8 a/f1; touch -d @12345 a/f1; sync a/f1`),
  ],
  [
    "attributes of a directory",
    (root) => sh(`cd '${root}'; chmod 1700 a; chown 7:8 a; touch -d @12345 a; sync a`),
  ],
  ["a clone", (root) => sh(`cd '${root}'; cp --reflink=always solid clone; sync clone`)],
  [
    "two subvolumes",
    (root) => sh(`cd '${root}'; echo one > vol/one; echo two > two; sync vol/one; sync two`),
  ],
  // The inode is logged to say that it exists, no more: its size is not.
  [
    "a rename in a directory that was synced",
    (root) => sh(`cd '${root}'; touch a/n; sync a; mv a/f9 a/g9; ln solid a/solid; sync b`),
  ],
  ["a file that nobody has", (root) => leaveOpen(root)],
];

function leaveOpen(root: string): void {
  const fd = openSync(`${root}/a/f1`, "r+");
  unlinkSync(`${root}/a/f1`);
  writeSync(fd, "gone");
  fsyncSync(fd);
  sync(`${root}/a`);
  closeSync(fd);
}

function makeBase(root: string): void {
  sh(`
    cd '${root}'; mkdir a b crowd linked; mkdir -p deep/er/and/deeper
    for i in $(seq 9); do head -c $((i*300)) /dev/urandom > a/f$i; done
    for i in $(seq 300); do echo $i > crowd/c$i; done
    for i in $(seq 20); do ln a/f1 linked/l$i; done
    for i in $(seq 20); do echo $i > deep/er/and/deeper/$i; done; ln a/f2 deep/er/two
    head -c 2000000 /dev/urandom > solid
    btrfs subvolume create vol; echo vol > vol/file
    sync -f .
  `);
}

describe.each([
  ["as mkfs makes it", "", ""],
  ["explicit holes, compressed", "-O ^no-holes", "compress-force=lzo"],
  ["mixed groups", "-M", "compress=zstd"],
])("logs left by the kernel: %s", (_name, mkfs, options) => {
  let logs = 0;

  test.for(STEPS)("%s", async ([, work]) => {
    need("mkfs.btrfs", "fallocate");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s 256M '${image}'`);
    mkfsBtrfs(image, mkfs);
    const mount = { image, type: "btrfs", options: ["commit=300", options].filter(Boolean).join() };
    await mountedAs(mount, (root) => {
      makeBase(root);
      work(root);
      copy(image, `${dir}/cut`);
    });
    const { logged, problems } = await compare(`${dir}/cut`);
    expect(problems).toEqual([]);
    if (logged) logs += 1;
  });

  test("most of them were logs", () => {
    console.log(`${logs} of ${STEPS.length} steps left a log`);
    expect(logs).toBeGreaterThan(STEPS.length / 2);
  });
});

/** Random changes with random syncs between them, and the power cut at random times. */
describe("whatever happens", () => {
  test.for([1, 2, 3, 4, 5, 6])("seed %i", async (seed) => {
    need("mkfs.btrfs");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s 256M '${image}'`);
    mkfsBtrfs(image, seed % 2 === 0 ? "-O ^no-holes" : "");
    const cuts: string[] = [];
    await mountedAs({ image, type: "btrfs", options: "commit=300" }, (root) => {
      makeBase(root);
      const change = changes(root, randomSource(seed * 7919));
      for (let i = 1; i <= 400; i++) {
        change();
        if (i % 40 !== 0) continue;
        sync(root);
        cuts.push(`${dir}/cut${i}`);
        copy(image, `${dir}/cut${i}`);
        if (i % 120 === 0) sh(`sync -f '${root}'`);
      }
    });
    let logs = 0;
    for (const cut of cuts) {
      const { logged, problems } = await compare(cut);
      expect(problems, cut).toEqual([]);
      if (logged) logs += 1;
    }
    console.log(`seed ${seed}: ${logs} of ${cuts.length} cuts had a log`);
  });
});

function changes(root: string, random: (below: number) => number): () => void {
  const directories = [`${root}/a`, `${root}/b`, `${root}/linked`, `${root}/vol`];
  const noise = Buffer.from(Array.from({ length: 200_000 }, () => random(256)));
  let made = 0;
  const directory = () => directories[random(directories.length)]!;
  const someFile = () => {
    const names = readdirSync(directory(), { withFileTypes: true }).filter((one) => one.isFile());
    const one = names[random(Math.max(1, names.length))];
    return one ? `${one.parentPath}/${one.name}` : `${root}/solid`;
  };
  const write = (path: string) => {
    const fd = openSync(path, "r+");
    const length = random(3) === 0 ? random(100_000) : random(3000);
    writeSync(fd, noise, random(100_000), length, random(4) === 0 ? random(300_000) : random(5000));
    closeSync(fd);
  };
  const tolerate = (work: () => void) => {
    try {
      work();
    } catch (error) {
      // Links and renames between subvolumes, names that are there already.
      if (!/EXDEV|EEXIST|ENOENT|ENOTEMPTY|EISDIR|ENOTDIR/.test(String(error))) throw error;
    }
  };
  const operations: readonly (() => void)[] = [
    () => writeFileSync(`${directory()}/n${made++}`, noise.subarray(0, random(6000))),
    () => write(someFile()),
    () => write(someFile()),
    () => renameSync(someFile(), `${directory()}/r${made++}`),
    () => renameSync(someFile(), someFile()),
    () => linkSync(someFile(), `${directory()}/l${made++}`),
    () => unlinkSync(someFile()),
    () => mkdirSync(`${directory()}/d${made++}`),
    () => symlinkSync(`target${made}`, `${directory()}/s${made++}`),
    () => rmSync(`${directory()}/d${random(made + 1)}`, { recursive: true }),
    () => {
      const fd = openSync(someFile(), "r+");
      ftruncateSync(fd, random(50_000));
      closeSync(fd);
    },
    () => sync(someFile()),
    () => sync(someFile()),
    () => sync(directory()),
  ];
  return () => tolerate(operations[random(operations.length)]!);
}

/**
 * Filesystems that were not unmounted, with something in their logs to be replayed: made by the kernel on loop devices,
 * which takes root once, and kept in the cache.
 */
import { copyFileSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../sample/image.ts";
import { image } from "./cached-image.ts";

/** Shell commands in the mounted filesystem: what is committed, and what only the log has when the copy is made. */
type Life = {
  readonly mkfs: readonly string[];
  readonly type: string;
  readonly options: string;
  readonly before: string;
  readonly after: string;
  /** XFS writes its log only when it has to; a shutdown makes it, and nothing but the log. */
  readonly shutdown?: boolean;
};

const TREE = `
  mkdir -p a b crowd dir gone; for i in $(seq 30); do : > gone/a-name-that-takes-some-room-$i; done
  for i in $(seq 20); do echo "old $i" > a/old$i; done
  for i in $(seq 30); do : > crowd/a-name-that-takes-some-room-$i; done
  head -c 200000 /dev/zero | tr '\\0' x > b/large; head -c 3000 b/large > b/small
  for i in $(seq 0 2 120); do
    printf x | dd of=b/fragments bs=1 seek=$((i*4096)) conv=notrunc status=none
  done
  ln -s a/old1 dir/short; ln -s "$(printf 'long/%.0s' $(seq 120))" dir/long
  ln a/old2 dir/hard; mkfifo dir/fifo
`;
const CHANGES = `
  rm a/old1*; rm -r gone; rm b/fragments; sync a; mv b/small dir/moved; ln dir/moved dir/again; mkdir new; sync dir/again
  for i in $(seq 30); do echo "new $i" > new/new$i; done
  for i in $(seq 31 70); do : > crowd/a-name-that-takes-some-room-$i; done; sync crowd
  truncate -s 90000 b/large; echo more >> b/fragments; sync a; echo more >> b/large; rm dir/short; ln -s "$(printf 'other/%.0s' $(seq 110))" dir/short
`;
const SYNC = "sync -f .";
/** What is synced alone goes into fast commits, or the log of a btrfs. */
const FILES_SYNCED = `
  echo new > dir/new; sync dir/new; echo more >> a/old5; sync a/old5; mv a/old6 b/moved6; sync b/moved6
  ln a/old7 b/link7; sync a/old7; rm a/old8; echo x >> a/old9; sync a/old9
  truncate -s 100001 b/large; sync b/large; printf y | dd of=b/fragments bs=1 seek=900000 conv=notrunc,fsync status=none
  mkdir dir/deeper; echo inside > dir/deeper/inside; sync dir/deeper/inside
`;

const ext4 = (options: readonly string[], after: string): Life => ({
  mkfs: ["mkfs.ext4", "-q", "-F", "-b", "1024", ...options],
  type: "ext4",
  options: "commit=600",
  before: `${TREE} ${SYNC}`,
  after,
});

const xfs = (options: readonly string[]): Life => ({
  mkfs: ["mkfs.xfs", "-q", "-f", "--unsupported", "-d", "agcount=1", "-l", "size=6m", ...options],
  type: "xfs",
  options: "nouuid,logbsize=32k",
  before: `${TREE} ${SYNC}`,
  after: CHANGES,
  shutdown: true,
});

const LIVES: Readonly<Record<string, readonly [sizeMib: number, life: Life]>> = {
  "ext4-dirty": [8, ext4([], `${CHANGES} ${SYNC}`)],
  "ext4-dirty-plain": [8, ext4(["-O", "^metadata_csum"], `${CHANGES} ${SYNC}`)],
  "ext4-fast-commit": [16, ext4(["-O", "fast_commit"], FILES_SYNCED)],
  "ext4-fast-commit-plain": [16, ext4(["-O", "fast_commit,^metadata_csum"], FILES_SYNCED)],
  "xfs-dirty": [24, xfs([])],
  "xfs-dirty-1k": [24, xfs(["-b", "size=1024", "-n", "size=4096"])],
  "btrfs-dirty": [
    32,
    {
      mkfs: ["mkfs.btrfs", "-q", "-M", "-m", "single"],
      type: "btrfs",
      options: "commit=600",
      before: `${TREE} ${SYNC}`,
      after: `${FILES_SYNCED} sync dir a b`,
    },
  ],
};

function make({ mkfs, type, options, before, after, shutdown }: Life, path: string): void {
  if (process.getuid?.() !== 0) throw new Error(`only root can mount what ${path} is made from`);
  const [program, ...args] = mkfs;
  run(program!, [...args, path]);
  const root = mkdtempSync(join(tmpdir(), "domus-fuzz-"));
  const cut = `${path}.cut`;
  const inside = (commands: string) =>
    run("bash", ["-euc", `cd "$1"; ${commands}`, "bash", root, path]);
  const mounted = (work: () => void) => {
    run("mount", ["-t", type, "-o", `loop,${options}`, path, root]);
    try {
      work();
    } finally {
      run("umount", [root]);
    }
  };
  try {
    mounted(() => inside(before));
    mounted(() => {
      inside(after);
      if (shutdown) run("xfs_io", ["-x", "-c", "shutdown -f", root]);
      else copyFileSync(path, cut);
    });
    if (!shutdown) run("mv", [cut, path]);
  } finally {
    rmdirSync(root);
    rmSync(cut, { force: true });
  }
  if (type === "btrfs") run("btrfs", ["device", "scan", "--forget"]);
}

export const DIRTY_SEEDS: Readonly<Record<string, () => Uint8Array>> = Object.fromEntries(
  Object.entries(LIVES).map(([name, [sizeMib, life]]) => [
    name,
    () => image(name, sizeMib, (path) => make(life, path)),
  ]),
);

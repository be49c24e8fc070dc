/**
 * What this machine's kernel may not mount: version 4, and files on a realtime device. A Debian kernel in QEMU makes the
 * trees, is switched off without unmounting, and says after its own recovery what there is.
 */
import { describe, expect, test } from "vitest";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { readDump, runInGuestKernel } from "../../../../support/fs/guest-kernel.ts";
import { imageSource } from "../../../../support/fs/mounted.ts";
import { differences, domusView } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";
import { need, scratch, sh } from "../../../../support/need.ts";
import { assertSound, makeXfs } from "./tools.ts";

const VARIANTS = [
  "-m crc=0 -n ftype=0",
  "-m crc=0 -n ftype=1",
  "-m crc=0 -b size=1024 -n size=8192,ftype=0 -l version=1,lazy-count=0",
  "-m crc=0 -b size=512 -i size=256,attr=1,projid32bit=0 -n ftype=0",
  "-m crc=0 -i size=2048 -n ftype=1,size=65536 -s size=4096",
];

const BEFORE = `
cd /m; mkdir dirs; for count in 1 3 12 40 150 700 2500; do
  mkdir dirs/$count; i=0
  while [ $i -lt $count ]; do : > dirs/$count/entry-number-$i; i=$((i+1)); done
done
i=0; while [ $i -lt 300 ]; do echo data $i | dd of=fragments bs=1 seek=$((i*32768)) conv=notrunc 2>/dev/null; i=$((i+1)); done
dd if=/dev/urandom of=solid bs=1M count=5 2>/dev/null; echo small > small; : > empty
text=x; for i in 1 2 3 4 5 6 7 8 9; do ln -s $text link$i; text=$text$text; done; ln -s $text$text$text link10 || true
mkfifo fifo; mknod null c 1 3; mknod disk b 202 70000; mkdir -p deep/er/still; echo bottom > deep/er/still/file
chown 70000:80000 small; chmod 4711 small; touch -d '1960-05-05 01:02:03' empty; ln small hard
rm dirs/2500/*7; rm -r dirs/150; cd /`;

const AFTER = `
cd /m; i=0; while [ $i -lt 400 ]; do echo $i > dirs/700/later-$i; i=$((i+1)); done
rm dirs/2500/*3*; mv deep moved; mkdir dirs/new; for i in 1 2 3 4 5 6 7 8 9; do : > dirs/new/$i; done
rm fragments; dd if=/dev/zero of=other bs=1M count=3 2>/dev/null; echo changed > small; ln -s target new-link; rm -r dirs/40
sync; echo not in the log yet > last; cd /`;

/** Names of virtio disks, in their order. */
const disk = (index: number) => `/dev/vd${"abcdefghijklmnop"[index]}`;

describe("version 4, as Debian's kernel sees it", () => {
  test("clean and after a power cut", async () => {
    need("mkfs.xfs", "qemu-system-x86_64");
    const dir = scratch();
    const images = VARIANTS.map((_, i) => `${dir}/image${i}`);
    const dumps = VARIANTS.map((_, i) => `${dir}/dump${i}`);
    for (const [i, mkfs] of VARIANTS.entries()) {
      sh(`truncate -s 200M '${images[i]}' '${dumps[i]}'`);
      makeXfs(images[i]!, { mkfs: `-L four ${mkfs}` });
    }
    const make = images.map(
      (_, i) => `mkdir /m${i}; mount -t xfs ${disk(i)} /m; ${BEFORE}
        umount /m; mount -t xfs ${disk(i)} /m${i}; mount -o bind /m${i} /m; ${AFTER}; umount /m`,
    );
    await runInGuestKernel(make.join("\n"), images);
    for (const image of images) {
      sh(`cp --sparse=always '${image}' '${image}.cut'`);
      // The kernel gets to see only what is said to be used, and that its log will use.
      using cut = imageSource(`${image}.cut`);
      const extents = await Array.fromAsync((await openXfs(cut)).usedExtents());
      expect(wipeOutside(image, extents, cut.size, 0xa5)).toBeGreaterThan(cut.size / 4);
    }
    const look = images.map(
      (_, i) => `mount -t xfs ${disk(i)} /m; dump-tree /m ${disk(images.length + i)}; umount /m`,
    );
    await runInGuestKernel(look.join("\n"), [...images, ...dumps]);

    for (const [i, mkfs] of VARIANTS.entries()) {
      const kernel = readDump(dumps[i]!);
      expect(kernel.size, mkfs).toBeGreaterThan(2000);
      using cut = imageSource(`${images[i]}.cut`);
      const dirty = await openXfs(cut);
      expect(dirty.state.text, mkfs).toMatch(/^log replayed in memory \(\d+ transactions?\)$/);
      expect(differences(kernel, await domusView(dirty)), `${mkfs}, after a power cut`).toEqual([]);
      using after = imageSource(images[i]!);
      const clean = await openXfs(after);
      expect(clean.state.text, mkfs).toBe("clean");
      expect(clean.label).toBe("four");
      expect(differences(kernel, await domusView(clean)), `${mkfs}, clean`).toEqual([]);
      const extents = await Array.fromAsync(clean.usedExtents());
      wipeOutside(images[i]!, extents, after.size, 0x5a);
      assertSound(images[i]!, { mkfs });
      const wiped = await domusView(await openXfs(after));
      expect(differences(kernel, wiped), `${mkfs}, wiped`).toEqual([]);
    }
  });
});

describe("a realtime device", () => {
  test("files on it are refused, one by one", async () => {
    need("mkfs.xfs", "qemu-system-x86_64");
    const dir = scratch();
    const [image, realtime] = [`${dir}/image`, `${dir}/realtime`];
    sh(`truncate -s 200M '${image}' '${realtime}'`);
    const mkfs = `-m reflink=0,rmapbt=0 -d rtinherit=1 -r name='${realtime}',size=200m`;
    makeXfs(image, { mkfs });
    await runInGuestKernel(
      `mount -t xfs -o rtdev=/dev/vdb /dev/vda /m; echo there > /m/file; mkdir /m/dir; ln -s file /m/link; umount /m`,
      [image, realtime],
    );
    using source = imageSource(image);
    const fs = await openXfs(source);
    const root = await fs.root();
    const file = await fs.inode((await fs.lookup(root, "file"))!);
    expect(file).toMatchObject({ kind: "file", size: 6 });
    await expect(fs.read(file, 0, 6)).rejects.toThrow(
      new RegExp(
        `^image > xfs > inode ${file.number}: a file on the realtime device is not supported$`,
      ),
    );
    expect(await fs.readLink(await fs.inode((await fs.lookup(root, "link"))!))).toBe("file");
  });
});

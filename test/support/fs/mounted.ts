/** Images on loop devices, and the kernel's own view of them. */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertRange } from "../../../src/disk/source.ts";
import type { ByteSource } from "../../../src/disk/source.ts";
import { sh } from "../need.ts";

export type Mount = {
  readonly image: string;
  /** The kernel's name of the driver. */
  readonly type: string;
  readonly options?: string;
};

/** Mounts an image, gives its root to `work`, unmounts it whatever happens. */
export async function mountedAs<T>(
  { image, type, options = "" }: Mount,
  work: (root: string) => Promise<T> | T,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "domus-mount-"));
  try {
    sh(`mount -t ${type} -o loop${options ? `,${options}` : ""} '${image}' '${root}'`);
    try {
      return await work(root);
    } finally {
      sh(`umount '${root}'`);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** `mountedAs` for ext2, ext3 and ext4: the ext4 driver mounts them all. */
export async function mounted<T>(
  image: string,
  options: string,
  work: (root: string) => Promise<T> | T,
): Promise<T> {
  return mountedAs({ image, type: "ext4", options }, work);
}

export type ImageSource = ByteSource & Disposable & { reads: number };

/** An image file as a source that counts its reads. */
export function imageSource(path: string): ImageSource {
  const fd = openSync(path, "r");
  const source: ImageSource = {
    size: fstatSync(fd).size,
    where: ["image"],
    reads: 0,
    async read(offset, length) {
      assertRange(source, offset, length);
      source.reads += 1;
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const got = readSync(fd, bytes, done, length - done, offset + done);
        if (got === 0) throw new Error(`short read of ${path}`);
        done += got;
      }
      return bytes;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
  return source;
}

/**
 * The last resort: links to a kernel and its initramfs, as Debian keeps them at the root or in /boot. No loader says
 * that they are what boots; they are taken only where no configuration of any loader starts anything.
 */
import { isFile } from "./boot-file.ts";
import type { BootVolume, Loader, LoaderResult } from "./loader.ts";

const KERNELS = ["/vmlinuz", "/boot/vmlinuz"];
const RAMDISKS = ["initrd.img", "initrd", "initramfs.img"];

export const linksLoader: Loader = { name: "links", yieldsTo: "all others", find: findLinks };

async function findLinks(volume: BootVolume): Promise<LoaderResult | undefined> {
  const { fs } = volume;
  for (const path of KERNELS) {
    if (!(await isFile(fs, path))) continue;
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const ramdisk = await firstFile(
      volume,
      RAMDISKS.map((name) => directory + name),
    );
    // A kernel alone may well be a leftover.
    if (ramdisk === undefined) continue;
    return {
      loader: "links",
      volume,
      configPath: path,
      entries: [
        {
          title: path,
          submenus: [],
          kind: "linux",
          kernel: { volume, path },
          ramdisks: [{ volume, path: ramdisk }],
          args: "",
          missing: [],
          line: 1,
        },
      ],
      chosen: 0,
      because: "nothing but links: no loader configuration",
      findings: [],
      where: [...fs.where, path],
    };
  }
  return undefined;
}

async function firstFile(
  volume: BootVolume,
  paths: readonly string[],
): Promise<string | undefined> {
  for (const path of paths) if (await isFile(volume.fs, path)) return path;
  return undefined;
}

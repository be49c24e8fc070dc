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
    const ramdisks: string[] = [];
    for (const name of RAMDISKS) {
      if (ramdisks.length === 0 && (await isFile(fs, directory + name))) {
        ramdisks.push(directory + name);
      }
    }
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
          ramdisks: ramdisks.map((ramdisk) => ({ volume, path: ramdisk })),
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

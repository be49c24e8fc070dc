/**
 * An HVM guest that is nothing but a boot sector (ticking-guest.S): without PV drivers, and small enough for a processor that is
 * emulated twice. It counts in its memory, on its disk and on its serial port.
 */
import { truncateSync } from "node:fs";
import { join } from "node:path";
import type { LabHost } from "../../lab/host.ts";
import { ticksOf, type Tick } from "./counting-guest.ts";
import { need, sh } from "./need.ts";

const SOURCE = join(import.meta.dirname, "ticking-guest.S");
const SECTOR_BYTES = 512;
/** Where a BIOS puts a boot sector. */
const LOAD_ADDRESS = "0x7c00";
/** For three boots (ticking-guest.S). */
export const TICKING_DISK_BYTES = 8 * 1024 ** 2;

/** Its disk as a file in `dir`, assembled by binutils. */
export function tickingDisk(dir: string): string {
  need("as", "ld");
  const image = join(dir, "ticking.img");
  sh(`as --32 -o '${dir}/ticking.o' '${SOURCE}'
      ld -m elf_i386 -Ttext=${LOAD_ADDRESS} --oformat binary -o '${image}' '${dir}/ticking.o'`);
  truncateSync(image, TICKING_DISK_BYTES);
  return image;
}

/** All ticks on its disk, as dom0 sees them: those of each boot behind those of the one before. */
export async function ticksOnDisk(host: LabHost, disk: string): Promise<Tick[]> {
  // Behind the boot sector and the number of boots there are lines and zeros.
  const text = await host.output(
    `dd if=${disk} bs=1M status=none | tail -c +${2 * SECTOR_BYTES + 1} | tr -d '\\0'`,
  );
  return ticksOf(text);
}

/** What the firmware of an HVM guest was found to look at, for people. */
import { whereText } from "../base/where.ts";
import type { HvmBoot } from "../boot/hvm/firmware.ts";
import { shorten } from "./remedy.ts";

/** `xvda: its first sector has no boot code; xvdc: the disc has no boot catalog.` */
export function hvmLookedText({ looked }: HvmBoot): string {
  const shown = looked.slice(0, 6).map(({ where, said }) => `${whereText(where)}: ${said}`);
  return `${shown.map((text) => shorten(text)).join("; ")}.`;
}

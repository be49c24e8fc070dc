/** The one list of all formats. Order matters: filesystems before tables, because a boot sector looks like an MBR. */
import type { Prober } from "./content.ts";

export const probers: readonly Prober[] = [];

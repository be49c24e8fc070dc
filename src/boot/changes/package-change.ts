/** A change to the installed packages of a guest, as its package manager logged it. */
import type { Where } from "../../base/where.ts";

export type PackageChange = {
  /** Seconds since 1970. The logs carry local time; without an offset it is taken as UTC, and `zoneKnown` is false. */
  readonly time: number;
  readonly zoneKnown: boolean;
  readonly action: "install" | "upgrade" | "downgrade" | "remove" | "reinstall";
  readonly package: string;
  readonly from?: string;
  readonly to?: string;
  readonly manager: "pacman" | "dpkg" | "dnf" | "yum" | "zypper" | "apk";
  /** Log file and line. */
  readonly where: Where;
  /** The command that started it, when the log has it: `apt upgrade`, `pacman -Syu`. */
  readonly command?: string;
};

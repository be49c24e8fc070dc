import { pygrubCommand } from "../../test/support/pygrub.ts";
import { benchGuest } from "./guest.ts";
import { pair, pairText } from "./pair.ts";

/** Listing the boot entries of an image, against Xen's own pygrub with the same image. */
export function benchEntries(dist: string): void {
  const { dir, image } = benchGuest("entries");
  const pygrub = pygrubCommand(image, ["-l", `--output-directory=${dir}`]);
  const a = { name: "domus entries", argv: [dist, "entries", image] };
  const settings = Object.entries(pygrub.env).map(([name, value]) => `${name}=${value}`);
  const b = { name: "pygrub -l", argv: ["env", ...settings, ...pygrub.argv] };
  console.log(`entries\n${pairText(a, b, pair(a, b, { runs: 21 }), 1.3)}`);
}

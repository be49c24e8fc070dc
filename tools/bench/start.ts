import { join } from "node:path";
import { pair, pairText } from "./pair.ts";

/** What starting costs: the executable's `--version` against the same Node doing nothing. */
export function benchStart(dist: string): void {
  const node = join(import.meta.dirname, "..", "..", "node_modules", "node", "bin", "node");
  const a = { name: "domus --version", argv: [dist, "--version"] };
  const b = { name: "node -e 0", argv: [node, "-e", "0"] };
  console.log(`start\n${pairText(a, b, pair(a, b, { runs: 15 }), 2)}`);
}

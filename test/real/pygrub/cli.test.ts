/** pygrub's command line, from the sources; test/real/build has the executable. */
import { join } from "node:path";
import { describe } from "vitest";
import { pygrubCliTests } from "../../support/pygrub-cli.ts";

const MAIN = join(import.meta.dirname, "../../../src/pygrub/main.ts");

describe("domus-pygrub from the sources", () => {
  pygrubCliTests(() => ({ argv: [process.execPath, MAIN] }));
});

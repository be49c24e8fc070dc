import { join } from "node:path";
import { rolldown } from "rolldown";

/** One script of `side.ts` and the engine, as it is shipped. */
export async function bundleSide(to: string): Promise<void> {
  const input = join(import.meta.dirname, "side.ts");
  const build = await rolldown({ input, platform: "node", external: /^node:/, logLevel: "warn" });
  await build.write({ file: to, format: "esm", codeSplitting: false });
  await build.close();
}

/** The cache of facts of this user, for this build of domus. */
import { factsCache } from "../guest/check/facts-cache.ts";
import type { FactsCache } from "../guest/check/facts-cache.ts";

/** Set by tools/build.ts: a digest of all that the executable was made of. */
declare const DOMUS_BUILD: string | undefined;

/** Undefined where nothing can be kept, and when domus runs from its sources: what reads changes under way. */
export async function openFacts(env: NodeJS.ProcessEnv): Promise<FactsCache | undefined> {
  if (typeof DOMUS_BUILD === "undefined") return undefined;
  const { factDirectory, openFactStore } = await import("../host/local/fact-store.ts");
  const directory = factDirectory(env);
  const store = directory === undefined ? undefined : await openFactStore(directory);
  return store && factsCache(store, DOMUS_BUILD);
}

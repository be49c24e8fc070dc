/** The cache of facts of this user, for this build of domus. */
import { resolve } from "node:path";
import { encodeText } from "../bytes/text.ts";
import { factsCache } from "../guest/check/facts-cache.ts";
import type { FactsCache } from "../guest/check/facts-cache.ts";
import type { TextCache } from "../guest/inventory/known-files.ts";

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

/** What was read of the files of this host, or of a tree, in earlier runs of this build. Undefined as for `openFacts`. */
export async function openInventoryCache(
  env: NodeJS.ProcessEnv,
  root: string | undefined,
): Promise<TextCache | undefined> {
  if (typeof DOMUS_BUILD === "undefined") return undefined;
  const { factDirectory, openFactStore } = await import("../host/local/fact-store.ts");
  const directory = factDirectory(env);
  const store = directory === undefined ? undefined : await openFactStore(directory);
  if (!store) return undefined;
  const print = store.fingerprint();
  const about = ["inventory", DOMUS_BUILD, root === undefined ? "" : resolve(root)];
  print.update(encodeText(JSON.stringify(about)));
  // It is about many files: found by what it is for, not by the size of one.
  const key = { sizeBytes: 0, digest: print.digest() };
  return { load: () => store.get(key), save: (text) => store.put(key, text) };
}

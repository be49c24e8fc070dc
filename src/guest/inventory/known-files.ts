/**
 * What was read of dom0's own files in earlier runs: configs and save images. Found again by what the system says of the file;
 * a guest has no hand in that. Docs: docs/design/inventory.md, "What is kept from run to run".
 */
import type { Host } from "../../host/host.ts";
import { factsToText, textToFacts } from "../check/facts-text.ts";

/** A text that outlives the run, and is nobody else's. */
export type TextCache = {
  load(): Promise<string | undefined>;
  save(text: string): Promise<void>;
};

/** One file may be looked at as both. */
export type FileKind = "config" | "image";

export type ReadFacts<T> = () => Promise<{ readonly value: T; readonly keep: boolean }>;

export type KnownFiles = {
  /** What was noted of the file as it is now, else what `read` makes of it, which is noted when it says so. */
  facts<T>(kind: FileKind, path: string, read: ReadFacts<T>): Promise<T>;
  /** For the next run. */
  save(): Promise<void>;
};

type Note = readonly [stamp: string, facts: unknown];

/** Without a cache, and where files have no stamp, everything is read. */
export async function openKnownFiles(host: Host, cache?: TextCache): Promise<KnownFiles> {
  const text = host.stampOf ? await cache?.load() : undefined;
  const before = text === undefined ? new Map() : (textToFacts(text) as Map<string, Note>);
  const now = new Map<string, Note>();
  let news = 0;
  return {
    async facts<T>(kind: FileKind, path: string, read: ReadFacts<T>): Promise<T> {
      // Before it is read: what is written meanwhile gives it another one.
      const stamp = cache && (await host.stampOf?.(path));
      const key = `${kind} ${path}`;
      const known = before.get(key) as Note | undefined;
      if (stamp !== undefined && known?.[0] === stamp) {
        now.set(key, known);
        return known[1] as T;
      }
      const { value, keep } = await read();
      if (stamp === undefined || !keep) return value;
      news += 1;
      now.set(key, [stamp, value]);
      return value;
    },
    async save() {
      // Files that are gone are forgotten the next time that there is something new.
      if (news > 0) await cache?.save(factsToText(now));
    },
  };
}

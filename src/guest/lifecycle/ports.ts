/** What the lifecycle commands touch the world with; tests have their own (docs/design/lifecycle.md). */
import type { Clock } from "../../base/clock.ts";
import type { Host } from "../../host/host.ts";
import type { GuardPorts } from "../guard/disk-guard.ts";
import type { JournalPorts } from "./journal.ts";

/** Every one is durable when it resolves, unless it says otherwise. Failures are `io`. */
export type ImageFiles = {
  /** For its owner alone; nothing where it is there. */
  makeDirectory(path: string): Promise<void>;
  /** An empty file for its owner alone. Not durable. Fails where something is at the path. */
  create(path: string): Promise<void>;
  /** What is in the file, and its mode; of a directory, which names are in it. */
  sync(path: string): Promise<void>;
  /** Within one filesystem. Fails where something is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Nothing where nothing is there. */
  remove(path: string): Promise<void>;
  /** Bytes that root can still write there. */
  freeBytes(directory: string): Promise<number>;
};

export type LifecyclePorts = JournalPorts & {
  readonly host: Host;
  readonly guard: GuardPorts;
  readonly files: ImageFiles;
  /** The pids of processes of xl that have this word on their command line. */
  readonly xlWith: (word: string) => Promise<readonly number[]>;
  readonly clock: Clock;
  /** Of dom0's clock, in milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Where domus puts images that nobody has named a place for. */
  readonly imageDirectory: string;
  /** What is going on, for people: a sentence. */
  readonly tell: (text: string) => void;
};

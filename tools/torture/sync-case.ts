/** Goes through one case, and says what was wrong about it: nothing, when a copy ends equal or says that it is unfinished. */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { MIB } from "../../src/base/units.ts";
import { readCopyState } from "../../src/guest/sync/copy-state.ts";
import { localHost } from "../../src/host/local/local-host.ts";
import { openSyncSource } from "../../src/host/local/sync-source.ts";
import type { SegmentRun } from "../../src/sync/segment-runs.ts";
import { randomSource } from "../../test/support/mutate.ts";
import type { Attempt, Case, Side } from "./cases.ts";
import { runCommand } from "./command-wire.ts";
import type { CommandOrder } from "./command-wire.ts";
import { changeContent, Disk, makeContent } from "./disks.ts";
import type { SideOrder } from "./sync-side.ts";
import { runSides } from "./wire.ts";
import type { Ended } from "./wire.ts";

/** For faults that make a side silent. */
const SHORT_TIMEOUT_MS = 2500;
const TIMEOUT_MS = 60_000;

export type CaseReport = {
  /** Empty: all was as it has to be. */
  readonly problems: readonly string[];
  readonly attempts: number;
  /** Faults that came to be. */
  readonly struck: number;
  /** Attempts that took tags from the record. */
  readonly resumed: number;
  /** Attempts with a fault that ended finished nevertheless. */
  readonly finishedWithFault: number;
  readonly log: readonly string[];
};

/** `library`: engine, record and devices, one process a side. Else what starts domus. */
export type Level = "library" | readonly string[];

export async function runCase(
  which: Case,
  directory: string,
  level: Level = "library",
): Promise<CaseReport> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const run = new CaseRun(which, directory, level);
  try {
    return await run.run();
  } finally {
    run.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

type State = "none" | "unfinished" | "finished";

class CaseRun {
  readonly #case: Case;
  readonly #directory: string;
  readonly #level: Level;
  readonly #random: (below: number) => number;
  readonly #source: Disk;
  readonly #destination: Disk;
  readonly #problems: string[] = [];
  readonly #log: string[] = [];
  #wanted: Buffer;
  #before: Buffer;
  /** What the destination holds, as far as it was finished and nobody else wrote to it. */
  #finishedAs: Buffer | undefined;
  #struck = 0;
  #resumed = 0;
  #finishedWithFault = 0;

  constructor(which: Case, directory: string, level: Level) {
    this.#case = which;
    this.#level = level;
    this.#directory = directory;
    this.#random = randomSource(which.seed + 77);
    const { sizeBytes, seed } = which;
    this.#wanted = makeContent(sizeBytes, seed, this.#random);
    this.#before = this.#wanted;
    this.#source = new Disk(which.source, join(directory, "source"), this.#wanted, sizeBytes);
    this.#destination = this.#makeDestination();
  }

  close(): void {
    this.#source[Symbol.dispose]();
    this.#destination[Symbol.dispose]();
  }

  async run(): Promise<CaseReport> {
    const { attempts } = this.#case;
    for (const [index, attempt] of attempts.entries()) {
      await this.#attempt(attempt, index === attempts.length - 1);
      if (this.#problems.length > 0) break;
    }
    return {
      problems: this.#problems,
      attempts: attempts.length,
      struck: this.#struck,
      resumed: this.#resumed,
      finishedWithFault: this.#finishedWithFault,
      log: this.#log,
    };
  }

  #makeDestination(): Disk {
    const { destination, old, sizeBytes, seed } = this.#case;
    const file = join(this.#directory, "destination");
    if (old === "none") return new Disk(destination, file, undefined, sizeBytes);
    const random = this.#random;
    let content: Buffer = Buffer.from(this.#wanted);
    if (old === "like" || old === "longer") changeContent(content, 12, seed + 1, random);
    if (old === "other") content = makeContent(sizeBytes, seed + 2, random);
    if (old === "longer") content = Buffer.concat([content, Buffer.alloc(1 + random(2 * MIB), 7)]);
    if (old === "shorter" && destination === "file") content = content.subarray(0, sizeBytes >>> 1);
    return new Disk(destination, file, content, content.length);
  }

  async #attempt(attempt: Attempt, last: boolean): Promise<void> {
    const { sizeBytes } = this.#case;
    this.#prepare(attempt);
    const was = this.#look();
    const before = { state: await this.#state(), content: was };
    const ended = await this.#run(attempt, before.state);
    const after = { state: await this.#state(), equal: this.#isEqual() };
    const { source, destination } = ended;
    this.#log.push(JSON.stringify({ attempt, before: before.state, after, source, destination }));
    if (ended.struck) this.#struck += 1;
    if (destination.known > 0) this.#resumed += 1;
    if (ended.struck && source.how === "done") this.#finishedWithFault += 1;
    this.#judge({ ended, before, after, last });
    if (after.state === "finished" && after.equal) this.#finishedAs = Buffer.from(this.#wanted);
    else if (!this.#destination.exists || !sameStart(was, this.#look(), sizeBytes))
      this.#finishedAs = undefined;
  }

  async #run(attempt: Attempt, state: State): Promise<Ended> {
    if (this.#level !== "library") return runCommand(this.#order(attempt, this.#level));
    const looks = attempt.since && state === "finished" ? this.#changedSegments() : undefined;
    const orders = await this.#orders(attempt, looks);
    return runSides(this.#directory, orders, attempt.fault);
  }

  #order({ keepIndex, full, commandFault }: Attempt, domus: readonly string[]): CommandOrder {
    return {
      domus,
      directory: this.#directory,
      source: this.#source.path,
      destination: this.#destination.path,
      pull: this.#case.pull,
      keepIndex,
      full,
      stateDirectory: this.#stateDirectory,
      ...(commandFault && { fault: commandFault }),
    };
  }

  #judge({ ended, before, after, last }: Judged): void {
    const { source, destination } = ended;
    const say = (problem: string) => this.#problems.push(problem);
    for (const [name, side] of [
      ["source", source],
      ["destination", destination],
    ] as const)
      if (side.how === "crashed" || side.how === "hung")
        say(`the ${name} ${side.how}: ${side.stderr}`);
    const claimed = source.how === "done" || destination.how === "done";
    if (claimed && !after.equal)
      say("a side says that it is done, and the destination is not equal");
    if (claimed && after.state !== "finished") say(`done, and the record says ${after.state}`);
    if (last && !(source.how === "done" && destination.how === "done"))
      say(`without a fault it is not done: ${JSON.stringify({ source, destination })}`);
    if (after.equal || after.state === "unfinished") return;
    // Not equal, and nothing says so: then nothing may have been written.
    const untouched = sameStart(before.content, this.#look(), this.#case.sizeBytes);
    if (!untouched) say(`it was written to, is not equal, and its record says ${after.state}`);
    if (after.state !== before.state) say(`the record went from ${before.state} to ${after.state}`);
  }

  /** What happens to the disks while nothing is copied. */
  #prepare({ before }: Attempt): void {
    const random = this.#random;
    if (before.sourceGoesBack) this.#setSource(this.#before);
    if (before.sourceChanges > 0) {
      const changed = Buffer.from(this.#wanted);
      changeContent(changed, before.sourceChanges, random(1_000_000), random);
      this.#setSource(changed);
    }
    if (before.strangerWrites && this.#destination.exists && this.#destination.length > 0) {
      const at = random(this.#destination.length);
      this.#destination.write(
        Buffer.of(random(256), random(256)).subarray(0, this.#destination.length - at),
        at,
      );
      this.#finishedAs = undefined;
    }
    if (before.record) this.#spoilRecord(before.record);
  }

  #setSource(content: Buffer): void {
    const last = this.#wanted;
    // Only what differs, so that holes stay.
    for (let at = 0; at < content.length; at += MIB) {
      const part = content.subarray(at, at + MIB);
      if (!part.equals(last.subarray(at, at + MIB))) this.#source.write(Buffer.from(part), at);
    }
    this.#before = last;
    this.#wanted = Buffer.from(content);
  }

  #spoilRecord(how: "lost" | "damaged"): void {
    const [directory, names] = this.#records();
    for (const name of names) {
      const path = join(directory, name);
      if (how === "lost") rmSync(path);
      else {
        const fd = openSync(path, "r+");
        const at = [16, 100, 8192, 8200, 12_288, 12_300][this.#random(6)]!;
        writeSync(fd, Buffer.of(this.#random(256)), 0, 1, at);
        if (this.#random(4) === 0) ftruncateSync(fd, this.#random(13_000));
        closeSync(fd);
      }
    }
  }

  #records(): readonly [directory: string, names: readonly string[]] {
    const isLoop = this.#case.destination === "loop";
    const directory = isLoop ? join(this.#stateDirectory, "sync") : this.#directory;
    mkdirSync(directory, { recursive: true });
    return [directory, readdirSync(directory).filter((name) => name.endsWith(".domus-sync"))];
  }

  get #stateDirectory(): string {
    return join(this.#directory, "state");
  }

  async #state(): Promise<State> {
    if (!this.#destination.exists) return "none";
    const copy = await readCopyState(localHost(), this.#destination.path, this.#stateDirectory);
    if (copy) return copy.state;
    // A damaged record of a device does not say whose it is.
    return this.#case.destination === "loop" && this.#records()[1].length > 0
      ? "unfinished"
      : "none";
  }

  #look(): Buffer {
    if (!this.#destination.exists) return Buffer.alloc(0);
    return this.#destination.read(Math.min(this.#destination.length, this.#case.sizeBytes));
  }

  #isEqual(): boolean {
    const { sizeBytes, destination } = this.#case;
    if (!this.#destination.exists) return false;
    if (destination === "file" && this.#destination.length !== sizeBytes) return false;
    return this.#destination.sha256(sizeBytes) === this.#source.sha256(sizeBytes);
  }

  /** Undefined: it is not known what the destination is equal to. */
  #changedSegments(): readonly SegmentRun[] | undefined {
    if (!this.#finishedAs) return undefined;
    const runs: SegmentRun[] = [];
    for (let segment = 0; segment * MIB < this.#wanted.length; segment++) {
      const part = this.#wanted.subarray(segment * MIB, (segment + 1) * MIB);
      const same = part.equals(this.#finishedAs.subarray(segment * MIB, (segment + 1) * MIB));
      if (!same || this.#random(6) === 0) runs.push({ first: segment, count: 1 });
    }
    return runs;
  }

  async #orders(
    { fault, keepIndex, full }: Attempt,
    looks: readonly SegmentRun[] | undefined,
  ): Promise<Readonly<Record<Side, SideOrder>>> {
    await using source = await openSyncSource(this.#source.path, { holes: false });
    const silent = fault?.does === "stop" || fault?.does === "stall";
    const order = (side: Side, path: string): SideOrder => ({
      side,
      path,
      ...(fault && { fault }),
      timeoutMs: silent ? SHORT_TIMEOUT_MS : TIMEOUT_MS,
      identity: Buffer.from(source.identity).toString("hex"),
      sizeBytes: this.#case.sizeBytes,
      ...(looks && { looks }),
      keepIndex,
      full,
      stateDirectory: this.#stateDirectory,
    });
    return {
      source: order("source", this.#source.path),
      destination: order("destination", this.#destination.path),
    };
  }
}

type Judged = {
  readonly ended: Ended;
  readonly before: { readonly state: State; readonly content: Buffer };
  readonly after: { readonly state: State; readonly equal: boolean };
  readonly last: boolean;
};

/** A file that grew by zeroes, or lost what lies behind the copy, was not written to. */
function sameStart(one: Buffer, other: Buffer, sizeBytes: number): boolean {
  const padded = (bytes: Buffer) =>
    Buffer.concat([bytes, Buffer.alloc(Math.max(0, sizeBytes - bytes.length))]);
  return padded(one).equals(padded(other));
}

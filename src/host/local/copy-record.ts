/**
 * The record of a copy on the disk: so that nobody takes an unfinished copy for whole, and the next run need not read what this
 * one has left. Rules and format: docs/design/copy-record.md.
 */
import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { attempt, corrupt, ioFailure } from "../../base/failure.ts";
import { stateDirectory } from "../../base/state-directory.ts";
import type { AboutRun, CopyRecord, SyncTarget, VerifiedSegment } from "../../sync/device.ts";
import { newKey } from "../../sync/digests.ts";
import { segmentCount } from "../../sync/geometry.ts";
import {
  encodeRecordHead,
  encodeRecordMark,
  MARK_OFFSET,
  RUN_ID_BYTES,
  TABLE_OFFSET,
} from "../../sync/record-format.ts";
import type { ParsedRecord, RecordHead } from "../../sync/record-format.ts";
import { findChangedInSample } from "../../sync/sampled-check.ts";
import {
  findRecordPlace,
  holdRecord,
  isOwn,
  openForReading,
  readRecord,
} from "./copy-record-place.ts";
import type { HeldRecord, RecordPlace } from "./copy-record-place.ts";
import { errnoOf } from "./errno.ts";
import { TagReader, TagWriter } from "./tag-table.ts";
import { explainWitness, readTargetWitness } from "./target-witness.ts";

export type RecordOptions = {
  /** Open; it has to stay so until the record is let go of. */
  readonly target: SyncTarget & {
    readonly kind: "file" | "block-device";
    readonly path: string;
    /** 32 bytes. */
    readonly identity: Uint8Array;
    /** The copy made it: it is unfinished from the start. */
    readonly created?: boolean;
  };
  readonly source: {
    /** 32 bytes, as the source side will say again when the run begins. */
    readonly identity: Uint8Array;
    readonly sizeBytes: number;
    /** For people: `hosta:/dev/vg0/web1`. */
    readonly name: string;
  };
  /** Identity of the snapshot that the target is equal to, when only what has changed since is looked at. */
  readonly since?: Uint8Array;
  /** State of that snapshot: the record has to have the same one, see docs/design/changed-blocks.md. */
  readonly recorded?: string;
  /** State of the source, when that is a snapshot: for the record of this run. */
  readonly sourceState?: string;
  /** Whether the next run may find the tags of this one when it is finished. */
  readonly keepIndex?: boolean;
  /** Nothing of an earlier run is believed. */
  readonly full?: boolean;
  /** Segments of the sample that is read; a test of the other guards wants few. */
  readonly leastSample?: number;
  /** For devices; by default as DOMUS_STATE_DIR says, else /var/lib/domus. */
  readonly stateDirectory?: string;
};

export type OpenedCopyRecord = CopyRecord &
  AsyncDisposable & {
    /** What the last run has left. One that cannot be read is `unfinished`. */
    readonly state: "none" | "unfinished" | "finished";
    readonly path: string;
    /** For `receive`: the one of the record, or a new one. */
    readonly key: Uint8Array;
    /** Segments that need not be read, as far as the record and a sample prove it. */
    readonly knownSegments: number;
    /**
     * The target is what the last run has left, a finished one, as far as the system can tell: with the source of this one,
     * or the snapshot whose state is `recorded`.
     */
    readonly unchanged: boolean;
    /** Why the record's tags are not used, for people; undefined when they are, or when there is no record. */
    readonly distrust?: string;
    /** Of the last run, as far as the record can be read. */
    readonly last?: ParsedRecord;
  };

/**
 * Opens the record of a copy to `target` and holds it: `refused` while another run has it. Nothing that was there is changed
 * before the run begins to write.
 */
export async function openCopyRecord(options: RecordOptions): Promise<OpenedCopyRecord> {
  const { target } = options;
  const state = options.stateDirectory ?? stateDirectory(process.env);
  const place = await findRecordPlace({ ...target, stateDirectory: state });
  const held = await holdRecord(place);
  let former: Former | undefined;
  try {
    former = await openFormer(place, options);
    const run = new RecordRun({ options, place, held, former });
    await run.start();
    return run;
  } catch (error) {
    await former?.handle?.close();
    await letGo(held);
    throw error;
  }
}

/** What an earlier run has left. */
type Former = {
  readonly handle?: FileHandle;
  readonly record?: ParsedRecord;
  readonly state: OpenedCopyRecord["state"];
  readonly distrust?: string;
  readonly unchanged?: boolean;
  /** Believed. */
  readonly tags?: TagReader;
};

async function openFormer(place: RecordPlace, options: RecordOptions): Promise<Former> {
  for (const path of [place.path, ...place.others]) {
    const handle = await openForReading(path);
    if (!handle) continue;
    const former = await attempt(() => readFormer(handle, path, options));
    if (former.ok) return former.value;
    await handle.close();
    return { state: "unfinished", distrust: "its record cannot be read" };
  }
  return { state: "none" };
}

async function readFormer(
  handle: FileHandle,
  path: string,
  options: RecordOptions,
): Promise<Former> {
  const record = await readRecord(handle, path);
  const state = record.mark?.state === "finished" ? "finished" : "unfinished";
  const count = segmentCount(record.head.sizeBytes);
  const tags = new TagReader(handle.fd, count);
  const change = (await isOwn(handle))
    ? await findChange(record, options)
    : "others than this user can read its record, and the key in it";
  const unchanged = change === undefined && state === "finished";
  const distrust = change ?? (await findDoubt(record, tags, options));
  return {
    handle,
    record,
    state,
    unchanged,
    ...(distrust === undefined ? { tags } : { distrust }),
  };
}

/** Why the target may not be what the last run has left, or that run not have been one of these two disks. */
async function findChange(
  { head, mark }: ParsedRecord,
  { target, source, since, recorded }: RecordOptions,
): Promise<string | undefined> {
  if (!same(head.target, target.identity)) return "it is another disk than that of the last copy";
  const sameSource =
    recorded === undefined
      ? same(head.source, source.identity) || (since && same(head.source, since))
      : mark?.sourceState === recorded;
  if (!sameSource) return "its last copy had another source";
  // What others wrote is counted when it leaves the kernel's memory.
  if (target.kind === "block-device") await target.flush();
  return explainWitness(mark?.witness ?? "", await readTargetWitness(target.path));
}

/** Why the tags may not be what is on the disk, although nothing changed there. */
async function findDoubt(
  { head, mark }: ParsedRecord,
  tags: TagReader,
  { target, source, full, leastSample }: RecordOptions,
): Promise<string | undefined> {
  if (full) return "all of it is to be read";
  if (head.sizeBytes !== source.sizeBytes) return "its last copy had another source";
  if (!mark || mark.taggedSegments === 0) return "the last run kept no index";
  const { key, sizeBytes } = head;
  const tagOf = (segment: number) => tags.get(segment);
  const least = leastSample === undefined ? {} : { least: leastSample };
  const changed = await findChangedInSample({ device: target, key, sizeBytes, tagOf, ...least });
  return changed === undefined ? undefined : "a sample of it is not what its record says";
}

type RunParts = {
  readonly options: RecordOptions;
  readonly place: RecordPlace;
  readonly held: HeldRecord;
  readonly former: Former;
};

class RecordRun implements OpenedCopyRecord {
  readonly state: OpenedCopyRecord["state"];
  readonly path: string;
  readonly key: Uint8Array;
  readonly knownSegments: number;
  readonly unchanged: boolean;
  readonly distrust?: string;
  readonly last?: ParsedRecord;
  readonly #options: RecordOptions;
  readonly #place: RecordPlace;
  readonly #held: HeldRecord;
  readonly #former: Former;
  readonly #head: RecordHead;
  readonly #tags: TagWriter;
  /** The record of this run is the one that others see. */
  #placed = false;
  #ended = false;

  constructor({ options, place, held, former }: RunParts) {
    const { record, tags, distrust } = former;
    this.#options = options;
    this.#place = place;
    this.#held = held;
    this.#former = former;
    this.state = former.state;
    this.path = place.path;
    this.key = tags && record ? record.head.key : newKey();
    this.knownSegments = tags ? (record?.mark?.taggedSegments ?? 0) : 0;
    this.unchanged = former.unchanged ?? false;
    if (distrust !== undefined) this.distrust = distrust;
    if (record) this.last = record;
    this.#tags = new TagWriter(held.handle.fd);
    const { source, target, since } = options;
    this.#head = {
      sizeBytes: source.sizeBytes,
      runId: randomBytes(RUN_ID_BYTES),
      source: source.identity,
      target: target.identity,
      ...(since && { since }),
      key: this.key,
      begunMs: Date.now(),
      sourceName: source.name,
      path: place.target,
      pid: process.pid,
    };
  }

  async start(): Promise<void> {
    await this.#write(encodeRecordHead(this.#head), 0);
    if (this.#options.target.created) await this.#toPlace();
  }

  knownTag(segment: number): Uint8Array | undefined {
    return this.#former.tags?.get(segment);
  }

  async begin(run: AboutRun): Promise<void> {
    const { source } = this.#options;
    if (!same(run.identity, source.identity) || run.sizeBytes !== source.sizeBytes)
      throw corrupt([source.name], "another source than before the run", "the same one");
    await this.#toPlace();
  }

  verified(segments: readonly VerifiedSegment[]): void {
    for (const { segment, tag } of segments) {
      this.#keepFormer(segment);
      this.#tags.put(segment, tag);
    }
  }

  async finish(digest: Uint8Array): Promise<void> {
    this.#keepFormer(segmentCount(this.#head.sizeBytes));
    const tagged = this.#tags.end();
    if (!this.#options.keepIndex)
      await this.#held.handle.truncate(TABLE_OFFSET).catch((error) => this.#fail("shorten", error));
    await this.#mark("finished", this.#options.keepIndex ? tagged : 0, digest);
    await this.#toPlace();
    this.#ended = true;
  }

  /** Says what an unfinished run has left, so that the next one can go on from there. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#placed && !this.#ended) await this.#stop();
    } finally {
      await this.#former.handle?.close();
      if (this.#placed) await this.#held.handle.close();
      else await letGo(this.#held);
    }
  }

  async #stop(): Promise<void> {
    // A device that fails now leaves a record without a mark: nothing of it is believed.
    await attempt(async () => {
      await this.#options.target.flush();
      await this.#mark("stopped", this.#tags.end());
    });
  }

  /** Segments below `upTo` that this run does not look at are what they were. */
  #keepFormer(upTo: number): void {
    if (!this.#former.tags) return;
    for (let segment = this.#tags.next; segment < upTo; segment++) {
      const tag = this.#former.tags.get(segment);
      if (tag) this.#tags.put(segment, tag);
    }
  }

  async #mark(
    state: "stopped" | "finished",
    taggedSegments: number,
    digest?: Uint8Array,
  ): Promise<void> {
    const witness = await readTargetWitness(this.#options.target.path);
    const { sourceState } = this.#options;
    const fields = { state, taggedSegments, witness, endedMs: Date.now() };
    const bytes = encodeRecordMark(this.#head.runId, {
      ...fields,
      ...(digest && { digest }),
      // One that is cut off is equal to nothing.
      ...(state === "finished" && sourceState !== undefined && { sourceState }),
    });
    await this.#write(bytes, MARK_OFFSET);
    await this.#sync(this.#held.handle);
  }

  /** On the disk, and in the place of what was there, or neither. */
  async #toPlace(): Promise<void> {
    if (this.#placed) return;
    const { path, others } = this.#place;
    await this.#sync(this.#held.handle);
    await rename(this.#held.path, path).catch((error) => this.#fail("write", error));
    this.#placed = true;
    for (const other of others) await unlink(other).catch((error) => this.#fail("replace", error));
    const directory = await open(dirname(path)).catch((error) => this.#fail("flush", error));
    try {
      await this.#sync(directory);
    } finally {
      await directory.close();
    }
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    const { handle } = this.#held;
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle
        .write(bytes, done, bytes.length - done, at + done)
        .catch((error) => this.#fail("write", error));
      done += bytesWritten;
    }
  }

  async #sync(handle: FileHandle): Promise<void> {
    await handle.sync().catch((error) => this.#fail("flush", error));
  }

  #fail(op: string, error: unknown): never {
    throw ioFailure([this.path], op, errnoOf(error), error);
  }
}

async function letGo({ handle, path }: HeldRecord): Promise<void> {
  await unlink(path).catch(() => {});
  await handle.close();
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/**
 * What the source may still do with which segment of the destination: only open ones are answered for and written. The state
 * of a segment goes one way, apart from one that was read back wrong:
 *
 *     tagged ─ ask ─▸ asked ─ answered ─▸ tagged (but not asked again)
 *     tagged ─ write ─▸ writing ─ written ─▸ written, or ─ bad ─▸ bad ─ write ─▸ writing
 *
 * A segment leaves when everything below and itself is settled, and nothing of it is under way.
 */
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { Extent } from "../disk/source.ts";
import { segmentExtent } from "./geometry.ts";

export type OpenSegment = Extent & {
  readonly segment: number;
  /** Of what the device has there. */
  tag: Uint8Array;
  state: "tagged" | "asked" | "writing" | "written" | "bad";
  wasAsked: boolean;
  /** What the source has sent for it, the last time. */
  change?: "patch" | "zero";
  /** How often it was read back wrong. */
  bad: number;
};

export class OpenSegments {
  /** Of the source. */
  readonly sizeBytes: number;
  readonly #where: Where;
  /** Ascending. */
  readonly #open = new Map<number, OpenSegment>();
  /** Behind the last segment that was tagged. */
  #taggedUpTo = 0;
  #settledUpTo = 0;
  #verifiedUpTo = 0;

  constructor(sizeBytes: number, where: Where) {
    this.sizeBytes = sizeBytes;
    this.#where = where;
  }

  get size(): number {
    return this.#open.size;
  }

  /** All segments below are what the source wants; what the source may be told. */
  get verifiedUpTo(): number {
    return this.#verifiedUpTo;
  }

  /** Segments come in ascending order. */
  add(segment: number, tag: Uint8Array): void {
    const { offset, length } = segmentExtent(this.sizeBytes, segment);
    const open = {
      segment,
      offset,
      length,
      tag,
      state: "tagged",
      wasAsked: false,
      bad: 0,
    } as const;
    this.#open.set(segment, { ...open });
    this.#taggedUpTo = segment + 1;
  }

  /** A `corrupt` failure unless the source may ask for its block digests. */
  ask(segment: number): OpenSegment {
    const open = this.#open.get(segment);
    if (!open || open.state !== "tagged" || open.wasAsked || segment < this.#settledUpTo)
      throw this.#refuse("ask", segment);
    open.state = "asked";
    open.wasAsked = true;
    return open;
  }

  answered(open: OpenSegment): void {
    open.state = "tagged";
  }

  /** A `corrupt` failure unless the source may write it. */
  write(segment: number, change: "patch" | "zero"): OpenSegment {
    const open = this.#open.get(segment);
    const allowed =
      open?.state === "bad" || (open?.state === "tagged" && segment >= this.#settledUpTo);
    if (!open || !allowed) throw this.#refuse("write", segment);
    open.state = "writing";
    open.change = change;
    return open;
  }

  written(open: OpenSegment, tag: Uint8Array): void {
    open.state = "written";
    open.tag = tag;
  }

  bad(open: OpenSegment): void {
    open.state = "bad";
    open.bad += 1;
  }

  /** Everything below `upTo` was sent. A `corrupt` failure when it goes back, or beyond what was tagged. */
  settle(upTo: number): void {
    if (upTo <= this.#settledUpTo || upTo > this.#taggedUpTo) {
      const expected = `a number from ${this.#settledUpTo + 1} to ${this.#taggedUpTo}`;
      throw corrupt(this.#where, `settled up to segment ${upTo}`, expected);
    }
    this.#settledUpTo = upTo;
  }

  /** Takes out, in order, the segments that nothing can happen to any more. */
  takeVerified(): readonly OpenSegment[] {
    const verified: OpenSegment[] = [];
    for (const open of this.#open.values()) {
      const still = open.state === "tagged" || open.state === "written";
      if (open.segment >= this.#settledUpTo || !still) break;
      verified.push(open);
    }
    for (const { segment } of verified) {
      this.#open.delete(segment);
      this.#verifiedUpTo = segment + 1;
    }
    return verified;
  }

  #refuse(what: string, segment: number) {
    const state = this.#open.get(segment)?.state ?? "not open";
    const settled = segment < this.#settledUpTo ? ", settled" : "";
    return corrupt(
      this.#where,
      `${what} of segment ${segment} (${state}${settled})`,
      "an open one",
    );
  }
}

/** What a side is told to do with its end. Plain data: the near side sends it to the far one. */
import type { EndFacts, Role } from "./end-facts.ts";
import type { Fields } from "./message-fields.ts";
import type { Message } from "./session-stream.ts";

export type RunOrder = {
  readonly role: Role;
  readonly path: string;
  /** What the plan was made with. */
  readonly seen: Pick<EndFacts, "identity" | "sizeBytes" | "kind">;
  /** Of the source: size, identity (64 hexadecimal digits), and what people call it. */
  readonly sizeBytes: number;
  readonly sourceIdentity: string;
  readonly sourceName: string;
  readonly timeoutSeconds: number;
  /** Of what this side writes to the wire; 0 for no limit. */
  readonly bytesPerSecond: number;
  /** Give way to everything else on the machine. */
  readonly nice: boolean;
  /** Compare, and write nothing. */
  readonly checkOnly: boolean;
  /** Read blocks that no filesystem uses, too. */
  readonly allBlocks: boolean;
  /** Nothing that has used the source goes on where it was; see unused-space.ts. */
  readonly shutDown: boolean;
  /** The snapshot that the destination is equal to, and its state as the destination's record has it. */
  readonly since?: { readonly snapshot: string; readonly recorded: string };
  /** State and identity of a source that is a snapshot itself, for the record. */
  readonly sourceState?: string;
  /** The record may keep an index for the next run. */
  readonly keepIndex: boolean;
  /** Believe nothing of an earlier run. */
  readonly full: boolean;
  /** Read again what was written, from the disk. */
  readonly verify: boolean;
  /** Of records of devices, in place of the usual one. */
  readonly stateDir?: string;
};

export function orderMessage(order: RunOrder): Message {
  return { ask: "open", ...order };
}

export function parseOrder(fields: Fields): RunOrder {
  const seen = fields.object("seen");
  const since = fields.optional("since", (all) => all.object("since"));
  const optionalText = (name: string) => fields.optional(name, (all) => all.text(name));
  const sourceState = optionalText("sourceState");
  const stateDir = optionalText("stateDir");
  return {
    role: fields.oneOf("role", ["source", "destination"]),
    path: fields.text("path"),
    seen: {
      identity: seen.text("identity"),
      sizeBytes: seen.count("sizeBytes"),
      kind: seen.oneOf("kind", ["file", "block-device", "missing", "stream"]),
    },
    sizeBytes: fields.count("sizeBytes"),
    sourceIdentity: fields.text("sourceIdentity"),
    sourceName: fields.text("sourceName"),
    timeoutSeconds: fields.count("timeoutSeconds"),
    bytesPerSecond: fields.count("bytesPerSecond"),
    nice: fields.flag("nice"),
    checkOnly: fields.flag("checkOnly"),
    allBlocks: fields.flag("allBlocks"),
    shutDown: fields.flag("shutDown"),
    ...(since && { since: { snapshot: since.text("snapshot"), recorded: since.text("recorded") } }),
    ...(sourceState !== undefined && { sourceState }),
    keepIndex: fields.flag("keepIndex"),
    full: fields.flag("full"),
    verify: fields.flag("verify"),
    ...(stateDir !== undefined && { stateDir }),
  };
}

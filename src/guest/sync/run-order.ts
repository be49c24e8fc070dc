/** What a side is told to do with its end. Plain data: the near side sends it to the far one. */
import type { EndFacts, Role } from "./end-facts.ts";
import type { Fields } from "./message-fields.ts";
import type { Message } from "./session-stream.ts";

export type RunOrder = {
  readonly role: Role;
  readonly path: string;
  /** What the plan was made with. */
  readonly seen: Pick<EndFacts, "identity" | "sizeBytes" | "kind">;
  /** Of the source. */
  readonly sizeBytes: number;
  readonly timeoutSeconds: number;
  /** Of what this side writes to the wire; 0 for no limit. */
  readonly bytesPerSecond: number;
  /** Give way to everything else on the machine. */
  readonly nice: boolean;
};

export function orderMessage(order: RunOrder): Message {
  return { ask: "run", ...order };
}

export function parseOrder(fields: Fields): RunOrder {
  const seen = fields.object("seen");
  return {
    role: fields.oneOf("role", ["source", "destination"]),
    path: fields.text("path"),
    seen: {
      identity: seen.text("identity"),
      sizeBytes: seen.count("sizeBytes"),
      kind: seen.oneOf("kind", ["file", "block-device", "missing", "stream"]),
    },
    sizeBytes: fields.count("sizeBytes"),
    timeoutSeconds: fields.count("timeoutSeconds"),
    bytesPerSecond: fields.count("bytesPerSecond"),
    nice: fields.flag("nice"),
  };
}

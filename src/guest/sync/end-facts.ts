/** What a side says of its end of a copy before anything is changed. Plain data, so that it goes over the wire. */
import type { DeviceUser } from "../../host/local/device-users.ts";
import type { Fields } from "./message-fields.ts";
import type { Message } from "./session-stream.ts";

export type Role = "source" | "destination";

export type EndFacts = {
  /** As a person wrote it. */
  readonly path: string;
  /** As the system knows it; of a logical volume named `vg/lv` the device. */
  readonly resolved: string;
  /** `stream`: our own stdin or stdout. */
  readonly kind: "file" | "block-device" | "missing" | "stream";
  /** Of what is there; 0 when nothing is. */
  readonly sizeBytes: number;
  /** 64 hexadecimal digits; empty when nothing is there. The same device has the same one on both ends. */
  readonly identity: string;
  /** Who uses it: a destination that has any is not written to. */
  readonly users: readonly DeviceUser[];
  /** Free in the filesystem that a file lies on, or will. */
  readonly freeBytes?: number;
  /** What a file takes of its filesystem: less than its size when it has holes. */
  readonly allocatedBytes?: number;
  /** What the record of an earlier copy to it says. */
  readonly record: "none" | "unfinished" | "finished";
  /** Of a destination, the state of the snapshot that it was made equal to, as its record has it. */
  readonly recordedState?: string;
  /** Of a source that is a snapshot, what tells it from all others. */
  readonly snapshotState?: string;
};

const USER_KINDS = [
  "mount",
  "swap",
  "lvm",
  "md",
  "dm",
  "loop",
  "nbd",
  "guest",
  "image",
  "process",
  "sync",
] as const satisfies readonly DeviceUser["kind"][];

export function parseEndFacts(fields: Fields): EndFacts {
  const optionalCount = (name: string) => fields.optional(name, (all) => all.count(name));
  const freeBytes = optionalCount("freeBytes");
  const allocatedBytes = optionalCount("allocatedBytes");
  const optionalText = (name: string) => fields.optional(name, (all) => all.text(name));
  const recordedState = optionalText("recordedState");
  const snapshotState = optionalText("snapshotState");
  return {
    path: fields.text("path"),
    resolved: fields.text("resolved"),
    kind: fields.oneOf("kind", ["file", "block-device", "missing", "stream"]),
    sizeBytes: fields.count("sizeBytes"),
    identity: fields.text("identity"),
    users: fields.list("users", (user) => ({
      kind: user.oneOf("kind", USER_KINDS),
      what: user.text("what"),
      writes: user.flag("writes"),
    })),
    ...(freeBytes !== undefined && { freeBytes }),
    ...(allocatedBytes !== undefined && { allocatedBytes }),
    record: fields.oneOf("record", ["none", "unfinished", "finished"]),
    ...(recordedState !== undefined && { recordedState }),
    ...(snapshotState !== undefined && { snapshotState }),
  };
}

export function endFactsMessage(facts: EndFacts): Message {
  return facts;
}

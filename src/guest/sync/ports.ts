/** What a copy needs of the machine that it runs on. `host/local` has the real ones; tests make their own. */
import type { Host } from "../../host/host.ts";
import type { OpenedCopyRecord, RecordOptions } from "../../host/local/copy-record.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import type { OpenedSource } from "../../host/local/sync-source.ts";
import type { OpenedTarget } from "../../host/local/sync-target.ts";
import type { Channel } from "../../sync/channel.ts";

export type SyncPorts = {
  readonly host: Host;
  /** Where records of copies to devices lie. */
  readonly stateDir: string;
  /** Name and boot of this machine: two processes with the same boot see the same devices. */
  hostNames(): Promise<{ readonly host: string; readonly bootId: string }>;
  openSource(path: string, options?: { readonly holes?: boolean }): Promise<OpenedSource>;
  openTarget(
    path: string,
    options: { readonly createBytes?: number; readonly sizeBytes?: number },
  ): Promise<OpenedTarget>;
  /** Commands at work that give it to a guest are among them. `missing` when nothing is there. */
  findUsers(path: string): Promise<readonly DeviceUser[]>;
  /** Whether both names lead to one device or file of this machine. */
  sameDevice(one: string, other: string): Promise<boolean>;
  /** Where a file lies, or will: what is free there, and what the file takes by now. */
  fileRoom(path: string): Promise<FileRoom>;
  openRecord(options: RecordOptions): Promise<OpenedCopyRecord>;
  /** So that reading comes from the disk; false when that cannot be had. */
  dropCache(path: string): Promise<boolean>;
  /** Gives way to everything else that wants the processor or the disk. */
  yieldToOthers(): Promise<void>;
};

export type FileRoom = { readonly freeBytes?: number; readonly allocatedBytes?: number };

export type FarOptions = {
  /** Undefined: another process of this domus, on this machine. */
  readonly host?: string;
  /** The command and its arguments in place of `ssh`. */
  readonly ssh: readonly string[];
  /** What starts domus at the far side, for a shell. */
  readonly domus: string;
  /** Sends the executable first. */
  readonly bootstrap: boolean;
  /** For the connection to come about. */
  readonly timeoutSeconds: number;
  /** Somebody is there who can be asked for a password, and may take any time. */
  readonly attended: boolean;
};

/** The process at whose other end the far side is. */
export type Far = {
  readonly channel: Channel;
  /** After the channel has ended: how, and what was said on stderr. */
  readonly ended: Promise<FarEnding>;
  /** Makes an end of it, when nothing else helps. */
  readonly kill: () => void;
};

export type FarEnding = {
  /** Undefined: a signal, or it could not be started. */
  readonly exitCode?: number;
  readonly stderr: string;
};

export type Connect = (options: FarOptions) => Promise<Far>;

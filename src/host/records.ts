/** What domus remembers of guests: images, events, changes under way. Docs: docs/design/records.md. */

export type ImageState = "saving" | "waiting" | "restored" | "aside" | "missing";

/** A disk of a saved guest at the moment of the save. */
export type RecordedDisk = {
  readonly vdev: string;
  /** As libxl opened it. */
  readonly path: string;
  readonly readonly: boolean;
  /** JSON of its fingerprint; absent where none could be taken. */
  readonly fingerprint?: unknown;
};

export type ImageRecord = {
  readonly id: number;
  readonly guest: string;
  readonly uuid: string;
  readonly path: string;
  readonly state: ImageState;
  /** Milliseconds since 1970, of dom0's clock. */
  readonly savedAtMs: number;
  /** When it was restored or set aside: it is kept for a while after that. */
  readonly endedAtMs?: number;
  /** Of the file when it was whole. */
  readonly sizeBytes?: number;
  readonly xen?: string;
  readonly configPath?: string;
  readonly configText?: string;
  readonly disks: readonly RecordedDisk[];
};

export const EVENT_KINDS = [
  "created",
  "started",
  "rebooted",
  "stopped",
  "crashed",
  "saved",
  "restored",
  "paused",
  "resumed",
  "attached",
  "detached",
  "config-changed",
  "renamed",
  "migrated",
  "image-aside",
  "alarm",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export type GuestEvent = {
  readonly id: number;
  readonly atMs: number;
  readonly guest: string;
  readonly uuid?: string;
  readonly domid?: number;
  readonly kind: EventKind;
  readonly by: "domus" | "watcher" | "log";
  /** For people, and what belongs to the kind. */
  readonly detail: Readonly<Record<string, unknown>>;
};

export type Operation = {
  readonly id: number;
  readonly kind: string;
  readonly guest: string;
  /** Where it is: the step that was begun last. */
  readonly step: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly startedAtMs: number;
  /** Of the process that works on it, and its start time as in /proc/PID/stat. */
  readonly pid: number;
  readonly pidStarted: string;
  readonly bootId: string;
};

export type EventFilter = {
  /** Name or uuid. */
  readonly guest?: string;
  readonly afterId?: number;
  /** The newest so many; default 1,000. */
  readonly limit?: number;
};

export type Records = Disposable & {
  /** False: nothing can be written, and there may be nothing. */
  readonly writable: boolean;
  /** All, newest first. */
  images(): readonly ImageRecord[];
  addImage(image: Omit<ImageRecord, "id">): ImageRecord;
  changeImage(id: number, change: Partial<Omit<ImageRecord, "id">>): void;
  removeImage(id: number): void;
  /** Oldest first. */
  events(filter?: EventFilter): readonly GuestEvent[];
  /**
   * False when somebody else has seen it, too: the same kind, uuid and domid within 10 s. Of the two details one is made, and what
   * domus did itself is its own.
   */
  addEvent(event: Omit<GuestEvent, "id">): boolean;
  /** What was kept under a name, as it was given; undefined when nothing was. */
  note(name: string): unknown;
  /** At most 32 MiB of JSON. */
  setNote(name: string, value: unknown): void;
  operations(): readonly Operation[];
  beginOperation(operation: Omit<Operation, "id" | "startedAtMs">): Operation;
  /** Before the step begins. */
  enterStep(id: number, step: string, data?: Readonly<Record<string, unknown>>): void;
  endOperation(id: number): void;
  /** What is done in `work` is written as a whole or not at all. */
  transaction<T>(work: () => T): T;
};

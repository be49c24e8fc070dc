/** What the survey of a host finds, before anything is made of it. */
import type { Failure } from "../../base/failure.ts";
import type { DiskLook } from "../../host/disk-look.ts";
import type { ImageRecord, Operation } from "../../host/records.ts";
import type { Proof } from "../fingerprint/compare.ts";
import type { DomainSummary } from "../../xen/domain-summary.ts";
import type { SavedConfig, SaveImage } from "../../xen/save-image/save-image.ts";
import type { DomainState } from "../../xen/xl-list.ts";
import type { HotplugFacts } from "./hotplug.ts";

export type ConfigFact = {
  /** The first that it was found by; one in /etc/xen before a link in `auto`. */
  readonly path: string;
  /** After all symlinks: one file is one guest. */
  readonly realPath: string;
  /** What is in /etc/xen/auto for it: the guest starts with the host. */
  readonly autostart: readonly string[];
  /** Absent when xl would refuse it or it could not be read. */
  readonly guest?: DomainSummary;
  /** Why there is no `guest`. */
  readonly failure?: Failure;
};

/** Without the text of its config. */
export type KnownImage = Omit<SaveImage, "config"> & {
  readonly config?: Omit<SavedConfig, "text">;
};

export type ImageFact = {
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was last written, in milliseconds since 1970: the end of the save, if nobody copied it since. */
  readonly modifiedMs?: number;
  /** xendomains restores it at the next start of the host, whatever happened since. */
  readonly restoredAtBoot: boolean;
  /** Absent when it could not be read. */
  readonly image?: KnownImage;
  readonly failure?: Failure;
  /** What domus wrote down when it saved the guest. */
  readonly record?: ImageRecord;
  /** What the record's fingerprints say of the disks now. */
  readonly proof?: ImageProof;
};

/** How the disks of a saved guest compare with what they were when it was saved. */
export type ImageProof = {
  /** `unchanged`: all of them, and that is certain. `unknown`: no change was seen, which is less. */
  readonly verdict: "unchanged" | "changed" | "unknown";
  readonly disks: readonly DiskProof[];
};

export type DiskProof = {
  readonly vdev: string;
  readonly path: string;
  readonly same: boolean;
  /** `none`: nothing could be compared. */
  readonly proof: Proof;
  /** Sentences, escaped: what was written, and when where that is known. */
  readonly changes: readonly string[];
  /** Sentences, escaped: what could not be told. */
  readonly doubts: readonly string[];
};

/** A recorded image whose file is not where it was, nor anywhere else that was looked at. */
export type LostImage = {
  readonly record: ImageRecord;
  /** Another file has its path. */
  readonly replaced: boolean;
};

export type OperationFact = {
  readonly operation: Operation;
  /** Its process is still there; otherwise it was cut off. */
  readonly running: boolean;
};

export type DomainFact = {
  readonly domid: number;
  readonly name: string;
  readonly uuid: string;
  readonly state: DomainState | "unknown";
  readonly memoryMib: number;
  readonly vcpus: number;
  /** The live configuration. Absent: libxl has none of it. */
  readonly guest?: DomainSummary;
  /** Whether the process of xl is there that acts when it ends. Absent: that could not be told. */
  readonly watched?: boolean;
  /** Domains that it was in a row right before this one, each of which crashed and was started again by xl, by its log. */
  readonly crashedBefore?: number;
};

export type DomainsFact =
  | {
      readonly kind: "listed";
      readonly domains: readonly DomainFact[];
      /** An xl that makes or restores a domain at this moment: what it has not finished has no configuration yet. */
      readonly making?: boolean;
      /** Somebody else saw this, and wrote it down at that time (milliseconds since 1970). Absent: it was asked for just now. */
      readonly seenAtMs?: number;
    }
  /** No Xen runs here, or this is a file tree: no guest runs. */
  | { readonly kind: "none" }
  /** Xen runs, and does not tell. */
  | { readonly kind: "unknown"; readonly failure: Failure };

/** What a disk's target is in dom0. */
export type Backing = {
  /** The same for all names of one device or file. */
  readonly key: string;
  /** `not-visible`: a device, on a file tree. */
  readonly kind: "file" | "block-device" | "missing" | "not-visible" | "unreadable";
  readonly sizeBytes?: number;
  /** Of a file: when it was last written. */
  readonly modifiedMs?: number;
  /** Keys of what its bytes lie in: see `DiskLook`. */
  readonly on?: readonly string[];
  readonly snapshot?: DiskLook["snapshot"];
  readonly thinPool?: string;
  /** Keys of the volumes that it is a thin snapshot of, the nearest first. */
  readonly thinOrigins?: readonly string[];
};

/** Something of dom0's own that has a disk open: a mounted filesystem, swap space. */
export type DiskMount = {
  readonly device: string;
  /** `swap` for swap space. */
  readonly mountPoint: string;
  readonly readonly: boolean;
  /** Of the device, and of what its bytes lie in. */
  readonly keys: readonly string[];
};

/** A disk that is the destination of a copy that was not finished. */
export type UnfinishedDisk = { readonly record: string; readonly source?: string };

export type BrokenLink = {
  readonly path: string;
  /** Where it leads, when that could be told. */
  readonly target?: string;
};

export type InventoryFacts = {
  readonly configs: readonly ConfigFact[];
  readonly brokenLinks: readonly BrokenLink[];
  readonly images: readonly ImageFact[];
  readonly lostImages: readonly LostImage[];
  readonly operations: readonly OperationFact[];
  readonly domains: DomainsFact;
  /** By path, as libxl would open it. */
  readonly backings: ReadonlyMap<string, Backing>;
  readonly mounts: readonly DiskMount[];
  /** By path, as libxl would open it. */
  readonly unfinished: ReadonlyMap<string, UnfinishedDisk>;
  /** What Xen's scripts for disks and network cards have set up, and not taken away. Absent: not looked at. */
  readonly hotplug?: HotplugFacts;
  /** Directories that could not be read, or not to their end. */
  readonly failures: readonly Failure[];
};

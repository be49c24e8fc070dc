/** What the survey of a host finds, before anything is made of it. */
import type { Failure } from "../../base/failure.ts";
import type { DomainSummary } from "../../xen/domain-summary.ts";
import type { SaveImage } from "../../xen/save-image/save-image.ts";
import type { DomainState } from "../../xen/xl-list.ts";

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

export type ImageFact = {
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was last written, in milliseconds since 1970: the end of the save, if nobody copied it since. */
  readonly modifiedMs?: number;
  /** xendomains restores it at the next start of the host, whatever happened since. */
  readonly restoredAtBoot: boolean;
  /** Absent when it could not be read. */
  readonly image?: SaveImage;
  readonly failure?: Failure;
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
};

export type DomainsFact =
  | { readonly kind: "listed"; readonly domains: readonly DomainFact[] }
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
};

export type BrokenLink = {
  readonly path: string;
  /** Where it leads, when that could be told. */
  readonly target?: string;
};

export type InventoryFacts = {
  readonly configs: readonly ConfigFact[];
  readonly brokenLinks: readonly BrokenLink[];
  readonly images: readonly ImageFact[];
  readonly domains: DomainsFact;
  /** By path, as libxl would open it. */
  readonly backings: ReadonlyMap<string, Backing>;
  /** Directories that could not be read, or not to their end. */
  readonly failures: readonly Failure[];
};

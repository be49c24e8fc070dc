/** A parsed `disk=` entry (xen: tools/libs/util/libxlu_disk_l.l, docs/man/xl-disk-configuration.5). */
export type DiskSpec = {
  /** As written in the config. */
  readonly text: string;
  /** Empty for an empty CD-ROM drive. */
  readonly target: string;
  readonly format: "raw" | "qcow" | "qcow2" | "vhd" | "qed" | "empty";
  readonly vdev: string;
  readonly readonly: boolean;
  readonly cdrom: boolean;
  readonly backendtype?: "phy" | "qdisk" | "tap" | "standalone";
  readonly backend?: string;
  /** `block-iscsi` for `script=block-iscsi` or the `iscsi:` prefix. */
  readonly script?: string;
  readonly discard?: boolean;
  readonly directIoSafe: boolean;
  /** Deprecated spellings that were used: `phy:`, `file:`, `tap:aio:`, `:cdrom`. */
  readonly deprecated: readonly string[];
};

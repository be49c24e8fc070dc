/** What else is on the host that can come in a guest's way: other guests, what dom0 has mounted, its bridges. */

/** A guest as the others have to get along with it: from its config alone. */
export type Neighbour = {
  readonly name: string;
  readonly configPath: string;
  /** `configPath` after its symlinks: one file is one guest, however many links lead to it. */
  readonly realPath: string;
  readonly uuid?: string;
  /** In lower case, one for each vif that has one. */
  readonly macs: readonly string[];
  readonly disks: readonly NeighbourDisk[];
};

export type NeighbourDisk = {
  readonly vdev: string;
  /** As the config has it, after libxl's rules. */
  readonly target: string;
  /** The same for all names of one device or file. */
  readonly key: string;
  readonly readonly: boolean;
  readonly blockDevice: boolean;
};

/** Something that dom0 itself has in use. */
export type HostMount = {
  /** `/dev/mapper/vg0-data`, as in /proc/mounts. */
  readonly device: string;
  /** `swap` for swap space. */
  readonly mountPoint: string;
  readonly readonly: boolean;
  /** Keys, as in `NeighbourDisk`, of the device itself (first) and of all that it lies on. */
  readonly keys: readonly string[];
};

/** A copy to a disk that was begun and is not finished. */
export type UnfinishedCopy = {
  /** As in `NeighbourDisk`. */
  readonly key: string;
  /** The path of its record. */
  readonly record: string;
  /** As domus sync called it. Absent when the record cannot be read, as the time is. */
  readonly source?: string;
  readonly begunMs?: number;
};

export type HostInterface = { readonly name: string; readonly bridge: boolean };

export type HostAround = {
  /** Every guest whose config xl would take, this one included when it is in one of xl's directories. */
  readonly guests: readonly Neighbour[];
  /** Absent: not known, as on a file tree. */
  readonly mounts?: readonly HostMount[];
  readonly interfaces?: readonly HostInterface[];
  /** Of devices; what is copied to a file is told beside it. */
  readonly unfinishedDevices?: readonly UnfinishedCopy[];
  /** What a vif without bridge= is put on: of xl.conf, else libxl's own. */
  readonly defaultBridge: string;
  /** vif.default.script of xl.conf. */
  readonly defaultScript?: string;
};

/** The host around one guest. */
export type Surroundings = HostAround & {
  readonly self: Neighbour;
  /** Of this guest's disks. */
  readonly unfinished?: readonly UnfinishedCopy[];
};

/** Those that are other guests: not this one by another path, and no second config of it. */
export function otherGuests({ guests, self }: Surroundings): Neighbour[] {
  return guests.filter((one) => one.realPath !== self.realPath && one.name !== self.name);
}

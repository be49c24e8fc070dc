/** Flags that several commands share, so that they read the same everywhere. */
export const jsonFlag = {
  kind: "boolean",
  brief: "One JSON document on stdout instead of text",
  default: false,
} as const;

export const rootFlag = {
  kind: "parsed",
  parse: String,
  brief: "Work on a dom0's file tree at DIR: nothing is run, everything is read from there",
  placeholder: "DIR",
  optional: true,
} as const;

export const backingFlag = {
  kind: "parsed",
  parse: String,
  variadic: true,
  brief: "Follow images to their backing files, as far as those lie in DIR; may be given again",
  placeholder: "DIR",
  optional: true,
} as const;

export const alsoFlag = {
  kind: "parsed",
  parse: String,
  variadic: true,
  brief: "Look for configs (*.cfg) and save images in DIR, too; may be given again",
  placeholder: "DIR",
  optional: true,
} as const;

export const dryRunFlag = {
  kind: "boolean",
  brief: "Say what would be done, and do nothing",
  default: false,
} as const;

export const guestParameter = {
  brief: "Guest name, uuid, domain id, or path of its config",
  parse: String,
  placeholder: "GUEST",
} as const;

export const noCacheFlag = {
  kind: "boolean",
  brief: "Read every kernel and initramfs anew, whatever is known from earlier runs",
  default: false,
} as const;

export const xenFlag = {
  kind: "parsed",
  parse: String,
  brief: "Judge for this Xen release, such as 4.14 (default: ask xl info, else the installed one)",
  placeholder: "VERSION",
  optional: true,
} as const;

export const xenInfoFlag = {
  kind: "parsed",
  parse: String,
  brief: "Judge for the host whose `xl info` output is in FILE",
  placeholder: "FILE",
  optional: true,
} as const;

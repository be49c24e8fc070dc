import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { jsonFlag, rootFlag } from "../flags.ts";
import type { DiskCpFlags, DiskFlags } from "./disk-run.ts";

const target = {
  brief: "Guest name, config file, disk image or device",
  parse: String,
  placeholder: "TARGET",
} as const;

const path = {
  brief: "Path in the guest; VOLUME:/path names the filesystem: xvda1:/boot, 2:/etc, LABEL:/",
  parse: String,
  placeholder: "PATH",
} as const;

const flags = { json: jsonFlag, root: rootFlag } as const;

export const diskPartsCommand = buildCommand<DiskFlags, [string], Context>({
  docs: { brief: "Show what is on the disks: partitions, volumes, filesystems" },
  parameters: { flags, positional: { kind: "tuple", parameters: [target] } },
  loader: async () => (await import("./disk-run.ts")).parts,
});

export const diskLsCommand = buildCommand<DiskFlags, [string, string?], Context>({
  docs: { brief: "List a directory" },
  parameters: {
    flags,
    positional: { kind: "tuple", parameters: [target, { ...path, optional: true }] },
  },
  loader: async () => (await import("./disk-run.ts")).ls,
});

export const diskCatCommand = buildCommand<DiskFlags, [string, string], Context>({
  docs: {
    brief: "Print a file, byte for byte",
    fullDescription:
      "Prints a file as it is. Its bytes belong to the guest: where stdout is a terminal, control characters are escaped.",
  },
  parameters: { flags, positional: { kind: "tuple", parameters: [target, path] } },
  loader: async () => (await import("./disk-run.ts")).cat,
});

export const diskCpCommand = buildCommand<DiskCpFlags, [string, string, string], Context>({
  docs: {
    brief: "Copy a file or directory out of a guest's disk",
    fullDescription:
      "Copies PATH to DEST on this host. Nothing that exists is overwritten without --force, and links in the guest never lead anywhere on this host.",
  },
  parameters: {
    flags: {
      ...flags,
      recursive: {
        kind: "boolean",
        brief: "Copy directories with all that is in them",
        default: false,
      },
      force: { kind: "boolean", brief: "Overwrite files that exist", default: false },
    },
    aliases: { r: "recursive", f: "force" },
    positional: {
      kind: "tuple",
      parameters: [
        target,
        path,
        { brief: "File or directory on this host", parse: String, placeholder: "DEST" },
      ],
    },
  },
  loader: async () => (await import("./disk-cp-run.ts")).cp,
});

import { buildCommand, numberParser } from "@stricli/core";
import type { Context } from "../context.ts";
import { backingFlag, jsonFlag, rootFlag } from "../flags.ts";
import type { DiskCpFlags, DiskFlags } from "./disk-run.ts";
import type { DiskTreeFlags } from "./disk-tree-run.ts";
import type { DiskUsageFlags } from "./disk-usage-run.ts";

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

const flags = { json: jsonFlag, root: rootFlag, backing: backingFlag } as const;

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

export const diskTreeCommand = buildCommand<DiskTreeFlags, [string, string?], Context>({
  docs: {
    brief: "List a directory and all that is below it",
    fullDescription:
      "Shows names as a tree, with the sizes of files and the targets of links, which are not followed. It is written while the disk is read.",
  },
  parameters: {
    flags: {
      ...flags,
      depth: {
        kind: "parsed",
        parse: numberParser,
        brief: "Only so many levels of directories",
        placeholder: "N",
        optional: true,
      },
    },
    positional: { kind: "tuple", parameters: [target, { ...path, optional: true }] },
  },
  loader: async () => (await import("./disk-tree-run.ts")).tree,
});

export const diskUsageCommand = buildCommand<DiskUsageFlags, [string, string?], Context>({
  docs: {
    brief: "Show what is used and free, or what takes the space in a directory",
    fullDescription: [
      "Without PATH: size, used and free of every filesystem, and how much a copy of the disks has to move.",
      "With PATH, a directory: what it takes, and the directories and files in it that take most. As du counts: blocks,",
      "not sizes, and a file with several names once.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      ...flags,
      depth: {
        kind: "parsed",
        parse: numberParser,
        brief: "Name directories so many levels below PATH (default: 1)",
        placeholder: "N",
        optional: true,
      },
      top: {
        kind: "parsed",
        parse: numberParser,
        brief: "Name so many directories and files (default: 10)",
        placeholder: "N",
        optional: true,
      },
    },
    positional: { kind: "tuple", parameters: [target, { ...path, optional: true }] },
  },
  loader: async () => (await import("./disk-usage-run.ts")).usage,
});

export const diskCatCommand = buildCommand<DiskFlags, [string, ...string[]], Context>({
  docs: {
    brief: "Print files, byte for byte",
    fullDescription:
      "Prints each PATH of TARGET as it is. The bytes belong to the guest: where stdout is a terminal, control characters are escaped.",
    customUsage: ["[--json] [--root DIR] [--backing DIR]... <TARGET> <PATH>..."],
  },
  parameters: {
    flags,
    positional: {
      kind: "array",
      minimum: 2,
      parameter: {
        brief: `${target.brief}; then one or more paths. ${path.brief}`,
        parse: String,
        placeholder: "TARGET PATH",
      },
    },
  },
  loader: async () => (await import("./disk-cat-run.ts")).cat,
});

export const diskCpCommand = buildCommand<DiskCpFlags, [string, string, string], Context>({
  docs: {
    brief: "Copy a file or directory out of a guest's disk",
    fullDescription: [
      "Copies PATH to DEST on this host, with modes, times, links and holes; owners, setuid bits, and write access of",
      "others are not taken over, devices are passed over. Nothing that exists is overwritten without --force, and links",
      "in the guest never lead anywhere on this host. What the disk does not give is named, and the exit code is 1.",
    ].join("\n"),
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

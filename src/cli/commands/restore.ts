import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, jsonFlag } from "../flags.ts";
import type { RestoreFlags } from "./restore-run.ts";

export const restoreCommand = buildCommand<RestoreFlags, [string], Context>({
  docs: {
    brief: "Let a saved guest go on from its image, when its disks are what they were",
    fullDescription: [
      "Refuses when a disk was written to since the save, is in use or half copied, when the image is not whole, and when the",
      "guest is there already. An image that domus has not saved itself proves nothing of the disks: it takes --anyway, as do disks",
      "of which only samples could be compared. No flag restores over a proven change.",
      "WHAT is the name or uuid of a guest, or the path of an image. Exit code 0: it runs; 1: failed, the image waits on;",
      "4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      anyway: {
        kind: "boolean",
        brief: "Restore although it cannot be proven that the disks are unchanged",
        default: false,
      },
      dryRun: dryRunFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Guest name, uuid, or path of an image", parse: String, placeholder: "WHAT" },
      ],
    },
  },
  loader: async () => (await import("./restore-run.ts")).run,
});

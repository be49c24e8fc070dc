import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { backingFlag, jsonFlag, noCacheFlag, rootFlag, xenFlag, xenInfoFlag } from "../flags.ts";
import type { CheckFlags } from "./check-run.ts";

export const checkCommand = buildCommand<CheckFlags, string[], Context>({
  docs: {
    brief: "Say whether guests will boot, and what would stop them",
    fullDescription: [
      "Reads each guest's config and disks, finds what its loader would start, and judges it for this Xen.",
      "Nothing is mounted, nothing is changed, no root is needed beyond reading the disks.",
      "GUEST is a name, a config file, or a directory of configs; without it, all guests in /etc/xen.",
      "Exit code 0: all will boot; 3: at least one finding of severity error; see docs/reference/exit-codes.md.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      root: rootFlag,
      backing: backingFlag,
      xen: xenFlag,
      xenInfo: xenInfoFlag,
      noCache: noCacheFlag,
    },
    positional: {
      kind: "array",
      parameter: {
        brief: "Guest name, config file or directory",
        parse: String,
        placeholder: "GUEST",
      },
    },
  },
  loader: async () => (await import("./check-run.ts")).run,
});

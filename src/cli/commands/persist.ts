import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, jsonFlag } from "../flags.ts";
import type { PersistFlags } from "./persist-run.ts";

export const persistCommand = buildCommand<PersistFlags, [string], Context>({
  docs: {
    brief: "Write what a running guest really has into its config, or make it what the config says",
    fullDescription: [
      "What was attached, detached or set live is written into the config, so that it is still there after the next start.",
      "Comments, order and style of the file stay; the old file is kept beside it. With --revert the domain is changed with xl",
      "instead, as far as Xen can do that while the guest runs. GUEST is a name, a uuid, a domain id, or the path of its config.",
      "Exit code 0: done, or nothing differs; 1: a step failed; 4: refused, since the config cannot be changed without risk.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      revert: {
        kind: "boolean",
        brief: "Change the domain, not the config",
        default: false,
      },
      memory: {
        kind: "boolean",
        brief:
          "The memory that the guest has now, too; else it is left as it is, since it is often changed for a while",
        default: false,
      },
      dryRun: {
        kind: "boolean",
        brief: "Say what would be done, and do nothing",
        default: false,
      },
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Guest name, uuid, domain id, or path of its config",
          parse: String,
          placeholder: "GUEST",
        },
      ],
    },
  },
  loader: async () => (await import("./persist-run.ts")).run,
});

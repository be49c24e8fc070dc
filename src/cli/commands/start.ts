import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import type { StartFlags } from "./start-run.ts";

export const startCommand = buildCommand<StartFlags, [string], Context>({
  docs: {
    brief:
      "Start a guest from its disks, when nothing speaks against it, and say whether it came up",
    fullDescription: [
      "Refuses while a saved image of the guest waits to be restored, when a disk is in use, half copied, or one that an image of",
      "another guest waits for, when the guest or another of its name is there, and when the boot check says that it would not",
      "boot. Then it is started with xl create, and its console is watched until it is up or has failed.",
      "GUEST is a name, a uuid, or the path of its config. Exit code 0: started, and not seen to fail; 1: it did not come up;",
      "4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      discardImage: {
        kind: "boolean",
        brief: "Give up the saved image that waits: it is kept aside, and not offered any more",
        default: false,
      },
      anyway: {
        kind: "boolean",
        brief: "Start it without the boot check",
        default: false,
      },
      wait: {
        kind: "boolean",
        brief: "Watch until it is up or has failed; --no-wait returns as soon as it runs",
        default: true,
      },
      limit: {
        kind: "parsed",
        parse: Number,
        brief: "Watch for so many seconds at most (default: 300)",
        placeholder: "SECONDS",
        optional: true,
      },
      dryRun: dryRunFlag,
    },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./start-run.ts")).run,
});

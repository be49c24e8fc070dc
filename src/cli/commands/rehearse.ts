import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, jsonFlag } from "../flags.ts";
import type { RehearseFlags } from "./rehearse-run.ts";

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error("a whole number, such as 256");
  return Number(text);
}

export const rehearseCommand = buildCommand<RehearseFlags, [string?], Context>({
  docs: {
    brief: "Boot a throwaway copy of a guest on this host, and say whether it comes up",
    fullDescription: [
      "The copy has snapshots or overlays of the guest's disks, no network, no passed-through devices, and a name of its own. Its console",
      "is watched until it is up or has failed; then everything is taken away again. The guest and its disks are not touched. A guest that",
      "runs can be rehearsed when its disks are LVM volumes with some room in the group. GUEST is a name, a uuid, a domain id, or the path",
      "of its config.",
      "Exit code 0: it came up; 3: it failed, or was not seen to come up in time; 1: no copy could be made or started; 4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      memory: {
        kind: "parsed",
        parse: wholeNumber,
        brief: "Give the copy MIB of memory (default: the guest's, or what is free)",
        placeholder: "MIB",
        optional: true,
      },
      limit: {
        kind: "parsed",
        parse: wholeNumber,
        brief: "Watch it for at most SECONDS (default: 300)",
        placeholder: "SECONDS",
        optional: true,
      },
      console: {
        kind: "boolean",
        brief: "Show what the copy writes to its console, on stderr",
        default: false,
      },
      clean: {
        kind: "boolean",
        brief: "Only take away what rehearsals that were cut off have left",
        default: false,
      },
      dryRun: dryRunFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Guest name, uuid, domain id, or path of its config",
          parse: String,
          placeholder: "GUEST",
          optional: true,
        },
      ],
    },
  },
  loader: async () => (await import("./rehearse-run.ts")).run,
});

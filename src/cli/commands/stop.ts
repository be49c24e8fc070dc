import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import { parseSeconds } from "../waiting.ts";
import type { StopFlags } from "./stop-run.ts";

export const stopCommand = buildCommand<StopFlags, [string], Context>({
  docs: {
    brief: "Shut a guest down, and wait until it has given its disks back",
    fullDescription: [
      "The guest is asked to shut down, and waited for until its domain is gone: only then its disks are free. It is never",
      "destroyed unless --destroy-after says when. Ctrl-C ends the waiting and says in which state the guest is; it goes on",
      "shutting down. GUEST is a name, a uuid, a domain id, or the path of its config.",
      "Exit code 0: it does not run any more; 1: it still does; 4: refused, since it cannot hear what it is asked.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      acpi: {
        kind: "boolean",
        brief: "Press the power button of an HVM guest that has no PV drivers",
        default: false,
      },
      destroyAfter: {
        kind: "parsed",
        parse: parseSeconds,
        brief:
          "Destroy the domain when it is still there after so many seconds, as pulling the plug does; 0: at once",
        placeholder: "SECONDS",
        optional: true,
      },
      wait: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "Wait for so many seconds at most",
        placeholder: "SECONDS",
        default: "600",
      },
      dryRun: dryRunFlag,
    },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./stop-run.ts")).run,
});

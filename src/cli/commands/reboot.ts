import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import { parseSeconds } from "../waiting.ts";
import type { RebootFlags } from "./reboot-run.ts";

export const rebootCommand = buildCommand<RebootFlags, [string], Context>({
  docs: {
    brief: "Reboot a guest that will come back, and say whether it did",
    fullDescription: [
      "The boot check comes first: a guest that would not boot is refused and runs on. So is one that xl would end instead",
      "(on_reboot), or that no process of xl would start again. What its config says and a reboot does not bring is said.",
      "Then the guest is asked to reboot, and its console is watched until it is up or has failed.",
      "GUEST is a name, a uuid, a domain id, or the path of its config. Exit code 0: rebooted, and not seen to fail; 1: it did",
      "not come up, or still runs as it was; 4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      anyway: { kind: "boolean", brief: "Reboot it without the boot check", default: false },
      wait: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "Wait for so many seconds at most until it has shut down",
        placeholder: "SECONDS",
        default: "600",
      },
      limit: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "Watch it boot for so many seconds at most",
        placeholder: "SECONDS",
        default: "300",
      },
      dryRun: dryRunFlag,
    },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./reboot-run.ts")).run,
});

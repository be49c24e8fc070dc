import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import type { SaveFlags } from "./save-run.ts";

export const saveCommand = buildCommand<SaveFlags, [string], Context>({
  docs: {
    brief: "Save a running guest's memory into an image, and end its domain",
    fullDescription: [
      "The image is written and checked while the guest stands still; fingerprints of its disks are recorded with it, so that",
      "domus restore can prove later that they are unchanged. Only then the domain is ended. If anything fails before, the guest",
      "goes on. Until the image is restored, domus start refuses to start the guest from its disks.",
      "GUEST is a name, a uuid, a domain id, or the path of its config. Exit code 0: saved; 1: failed, the guest goes on;",
      "4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      to: {
        kind: "parsed",
        parse: String,
        brief: "Write the image to FILE (default: /var/lib/domus/images/GUEST-TIME.xl)",
        placeholder: "FILE",
        optional: true,
      },
      dryRun: dryRunFlag,
    },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./save-run.ts")).run,
});

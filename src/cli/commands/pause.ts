import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import type { PauseFlags, ResumeFlags } from "./pause-run.ts";

export const pauseCommand = buildCommand<PauseFlags, [string], Context>({
  docs: {
    brief: "Let a guest stand still; domus resume lets it go on",
    fullDescription: [
      "It keeps its memory and its disks, and gets no processor. GUEST is a name, a uuid, a domain id, or the path of its",
      "config. Exit code 0: it is paused; 1: it is not.",
    ].join("\n"),
  },
  parameters: {
    flags: { json: jsonFlag, also: alsoFlag, dryRun: dryRunFlag },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./pause-run.ts")).pause,
});

export const resumeCommand = buildCommand<ResumeFlags, [string], Context>({
  docs: {
    brief: "Let a paused guest go on, unless an image waits for which it was paused",
    fullDescription: [
      "A guest that goes on writes to its disks, and an image that xl save -p made of it no longer fits them then: while one may",
      "be of this pause, this is refused. GUEST is a name, a uuid, a domain id, or the path of its config.",
      "Exit code 0: it runs; 1: it does not; 4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      anyway: {
        kind: "boolean",
        brief: "Whatever becomes of an image of it",
        default: false,
      },
      dryRun: dryRunFlag,
    },
    positional: { kind: "tuple", parameters: [guestParameter] },
  },
  loader: async () => (await import("./pause-run.ts")).resume,
});

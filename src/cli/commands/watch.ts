import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import type { WatchFlags } from "./watch-run.ts";

export const watchCommand = buildCommand<WatchFlags, [], Context>({
  docs: {
    brief: "Watch all guests, and write down what happens to them",
    fullDescription: [
      "Runs until it is stopped, as a service. It listens to xenstore and asks xl list each second while there are guests, and",
      "writes every start, stop, crash, save, restore, pause, and change of disks, names and memory into the records; domus",
      "history GUEST --events shows them. What happened while it was not running is caught up from xl's logs. Alarms go to stderr,",
      "too: a guest that runs beside its waiting save image, two guests on one disk, a domain that nobody watches over.",
      "Needs root. Exit code 0: stopped by a signal; 1: the records cannot be written; 4: another one watches already.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: {
        kind: "boolean",
        brief: "A JSON document a line on stdout for each event",
        default: false,
      },
      once: {
        kind: "boolean",
        brief: "Catch up with what was missed, look once, and end",
        default: false,
      },
    },
    positional: { kind: "tuple", parameters: [] },
  },
  loader: async () => (await import("./watch-run.ts")).run,
});

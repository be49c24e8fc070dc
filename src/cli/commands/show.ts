import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, jsonFlag, rootFlag } from "../flags.ts";
import type { ListFlags } from "./list-run.ts";

export const showCommand = buildCommand<ListFlags, [string], Context>({
  docs: {
    brief: "Show all that is known of a guest: domain, config, disks, save images, contradictions",
    fullDescription: [
      "GUEST is a name, a uuid, a domain id, or the path of a config or a save image. Several guests with one name are all",
      "shown. Nothing is changed. Exit code 0: done; 3: at least one finding of severity error.",
    ].join("\n"),
  },
  parameters: {
    flags: { json: jsonFlag, root: rootFlag, also: alsoFlag },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Guest name, uuid, domain id, or path of a config or save image",
          parse: String,
          placeholder: "GUEST",
        },
      ],
    },
  },
  loader: async () => (await import("./show-run.ts")).run,
});

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, jsonFlag, rootFlag } from "../flags.ts";
import type { ListFlags } from "./list-run.ts";

export const listCommand = buildCommand<ListFlags, [], Context>({
  docs: {
    brief: "Say where every guest is: its config, its disks, its save image, and whether it runs",
    fullDescription: [
      "Guests are known by their configs (/etc/xen, /etc/xen/auto and where its links lead), by Xen (xl list), and by save",
      "images in the usual places (/var/lib/domus/images, /var/lib/xen/save, /var/lib/xen, /root, /srv). Nothing is changed. What does not fit",
      "together, such as a save image that would destroy a guest's disks, is listed below the table.",
      "Exit code 0: done; 3: at least one finding of severity error.",
    ].join("\n"),
  },
  parameters: { flags: { json: jsonFlag, root: rootFlag, also: alsoFlag } },
  loader: async () => (await import("./list-run.ts")).run,
});

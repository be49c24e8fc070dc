import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { backingFlag, jsonFlag, rootFlag } from "../flags.ts";
import type { EntriesFlags } from "./entries-run.ts";

export const entriesCommand = buildCommand<EntriesFlags, [string], Context>({
  docs: {
    brief: "List what a guest could boot, which entry is the default, and why",
    fullDescription: [
      "Reads the menus of the loaders on the guest's disks (GRUB 2, GRUB legacy, extlinux, systemd-boot and others) as",
      "the loaders themselves would, without mounting anything. A * marks the entry that would be started.",
      "What Xen makes of it on this host, pygrub's own choice for one, is domus check's to say.",
    ].join("\n"),
  },
  parameters: {
    flags: { json: jsonFlag, root: rootFlag, backing: backingFlag },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Guest name, config file, disk image or device",
          parse: String,
          placeholder: "TARGET",
        },
      ],
    },
  },
  loader: async () => (await import("./entries-run.ts")).run,
});

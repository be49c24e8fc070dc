import { buildCommand, numberParser } from "@stricli/core";
import type { Context } from "../context.ts";
import { backingFlag, jsonFlag, rootFlag } from "../flags.ts";
import type { HistoryFlags } from "./history-run.ts";

export const historyCommand = buildCommand<HistoryFlags, [string], Context>({
  docs: {
    brief:
      "Show what changed in a guest: packages installed, upgraded, removed; or what happened to it",
    fullDescription: [
      "Reads the logs of pacman, dpkg, apt, yum, dnf, zypper and apk on the guest's disks, without mounting them. Newest last.",
      "With --events: when it was started, stopped, saved, restored, when it crashed, what was attached, from domus's records. TARGET is",
      "then a name or a uuid, and the guest may be gone for long.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      root: rootFlag,
      backing: backingFlag,
      boot: {
        kind: "boolean",
        brief: "Only what can decide over the next boot: kernels, initramfs tools, loaders",
        default: false,
      },
      events: {
        kind: "boolean",
        brief: "What happened to the guest, as domus watch and domus's own commands wrote it down",
        default: false,
      },
      last: {
        kind: "parsed",
        parse: numberParser,
        brief: "Only the last N changes",
        placeholder: "N",
        optional: true,
      },
    },
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
  loader: async () => (await import("./history-run.ts")).run,
});

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { alsoFlag, dryRunFlag, guestParameter, jsonFlag } from "../flags.ts";
import type { DeviceFlags } from "./attach-run.ts";

const persistFlag = {
  kind: "boolean",
  brief: "Write it into the guest's config, too; nothing else in it changes",
  default: false,
} as const;

export const attachCommand = buildCommand<DeviceFlags, [string, string?], Context>({
  docs: {
    brief: "Give a running guest a disk or a network interface, when nobody else has it",
    fullDescription: [
      "DISKSPEC is what stands in disk= of a config: /dev/vg0/data,raw,xvdb,rw. The disk must not be in use by another guest, by",
      "dom0, or by anything that is built on it, under whatever name, and it must be no unfinished copy; to be written to, it must",
      "be no disk of another guest that is saved, whose memory image would be worthless then. A network interface is given with",
      "--nic. GUEST is a name, a uuid, a domain id, or the path of its config.",
      "Exit code 0: the guest has it; 1: failed, and in which state things are; 4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      nic: {
        kind: "parsed",
        parse: String,
        brief:
          "A network interface as in vif= of a config, such as bridge=xenbr0; without mac= it gets an address",
        placeholder: "VIFSPEC",
        optional: true,
      },
      persist: persistFlag,
      dryRun: dryRunFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        guestParameter,
        {
          brief: "The disk, as in a config",
          parse: String,
          placeholder: "DISKSPEC",
          optional: true,
        },
      ],
    },
  },
  loader: async () => (await import("./attach-run.ts")).attach,
});

export const detachCommand = buildCommand<DeviceFlags, [string, string?], Context>({
  docs: {
    brief: "Take a disk or a network interface from a running guest",
    fullDescription: [
      "A guest gives a disk back only when it does not use it any more: unmount it there first. A network interface is named",
      "with --nic and its MAC address. GUEST is a name, a uuid, a domain id, or the path of its config.",
      "Exit code 0: the guest does not have it any more; 1: it still does; 4: refused.",
    ].join("\n"),
  },
  parameters: {
    flags: {
      json: jsonFlag,
      also: alsoFlag,
      nic: {
        kind: "parsed",
        parse: String,
        brief: "The network interface with that MAC address",
        placeholder: "MAC",
        optional: true,
      },
      persist: {
        ...persistFlag,
        brief: "Take it out of the guest's config, too; nothing else in it changes",
      },
      dryRun: dryRunFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        guestParameter,
        {
          brief: "What the disk is called in the guest, such as xvdb",
          parse: String,
          placeholder: "VDEV",
          optional: true,
        },
      ],
    },
  },
  loader: async () => (await import("./attach-run.ts")).detach,
});

/** Which commands of xl make a domain what its config says. Pure. */
import { diskText, nicText } from "../../xen/device-text.ts";
import type { Difference } from "../../xen/drift.ts";
import { targetPath } from "../inventory/read-backings.ts";

export type RevertStep = {
  readonly difference: Difference;
  readonly argv: readonly string[];
  /** What the step gives to the guest, where it is a path of dom0: nobody else may have it. */
  readonly attaches?: { readonly path: string; readonly writes: boolean };
};

export type RevertPlan = {
  /** First what is taken away, then what comes. */
  readonly steps: readonly RevertStep[];
  readonly left: readonly { readonly difference: Difference; readonly why: string }[];
};

const NEW_START = "Xen can change it only with a new start of the guest";

/** Domains are named by their id: a name of digits alone is taken for one by xl, and names are given again. */
export function planRevert(
  differences: readonly Difference[],
  domid: number,
  memory: boolean,
): RevertPlan {
  const away: RevertStep[] = [];
  const come: RevertStep[] = [];
  const left: { difference: Difference; why: string }[] = [];
  /** Where the config says more than the domain was made for, Xen says no: it takes a new start. */
  const isTooMuch = (wanted: string | number, of: "maxVcpus" | "maxMemoryKib") => {
    const most = differences.find((one) => one.of === of)?.live;
    return typeof most === "number" && Number(wanted) > most;
  };
  const xl = (...args: (string | number)[]) => ["xl", ...args.map(String)];
  for (const difference of differences) {
    switch (difference.of) {
      case "disk": {
        const { config, live } = difference;
        if (config?.cdrom && live?.cdrom) {
          const verb = config.target === "" ? ["cd-eject"] : ["cd-insert"];
          const medium = config.target === "" ? [] : [config.target];
          come.push({ difference, argv: xl(...verb, domid, live.vdev, ...medium) });
          break;
        }
        if (live) away.push({ difference, argv: xl("block-detach", domid, live.vdev) });
        if (config) {
          const path = targetPath(config);
          come.push({
            difference,
            argv: xl("block-attach", domid, diskText(config)),
            ...(path !== undefined && { attaches: { path, writes: !config.readonly } }),
          });
        }
        break;
      }
      case "nic": {
        const { config, live } = difference;
        if (live && live.mac === undefined) {
          left.push({ difference, why: "without its MAC address xl cannot be told which one" });
          break;
        }
        if (live) away.push({ difference, argv: xl("network-detach", domid, live.mac!) });
        // Unlike in a config, each key is a word of its own.
        if (config)
          come.push({
            difference,
            argv: xl("network-attach", domid, ...nicText(config).split(",").filter(Boolean)),
          });
        break;
      }
      case "vcpus":
        if (isTooMuch(difference.config, "maxVcpus")) left.push({ difference, why: NEW_START });
        else come.push({ difference, argv: xl("vcpu-set", domid, difference.config) });
        break;
      case "memoryKib":
        if (isTooMuch(difference.config, "maxMemoryKib")) left.push({ difference, why: NEW_START });
        else if (memory)
          come.push({ difference, argv: xl("mem-set", domid, `${difference.config}k`) });
        else
          left.push({
            difference,
            why: "memory is given and taken all the time; --memory sets it",
          });
        break;
      case "name":
        come.push({ difference, argv: xl("rename", domid, difference.config) });
        break;
      case "maxVcpus":
      case "maxMemoryKib":
      case "type":
        left.push({ difference, why: NEW_START });
    }
  }
  return { steps: [...away, ...come], left };
}

import { listText, shorten } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";
import type { VifSpec } from "../../xen/vif-spec.ts";
import type { Surroundings } from "../host-around.ts";

const code = "bridge-missing";

export const bridgeMissing: Rule = {
  code,
  severity: "error",
  summary: "A network interface is to be put on a bridge that this host does not have.",
  check: ({ around, config }) => {
    if (!around?.interfaces) return [];
    const names = new Set(
      config.vifs.filter((vif) => isBridged(vif, around)).map((vif) => bridgeOf(vif, around)),
    );
    return [...names].flatMap((name) => {
      const found = judge(name, around);
      return found ? [{ ...found, code, where: [...config.where, "vif"] }] : [];
    });
  },
};

/** Other scripts (vif-route, vif-nat, vif-openvswitch) and backends in other domains have rules of their own. */
function isBridged({ script, backend }: VifSpec, { defaultScript }: Surroundings): boolean {
  const name = script ?? defaultScript ?? "vif-bridge";
  return (
    /(^|\/)vif-bridge$/.test(name) && (backend === undefined || /^(0|Domain-0)$/.test(backend))
  );
}

function bridgeOf({ bridge }: VifSpec, { defaultBridge }: Surroundings): string {
  return bridge ?? defaultBridge;
}

function judge(
  name: string,
  { interfaces = [] }: Surroundings,
): Omit<RuleFinding, "code" | "where"> | undefined {
  const found = interfaces.find((one) => one.name === name);
  if (found?.bridge) return undefined;
  const bridges = interfaces.filter((one) => one.bridge).map((one) => one.name);
  const there = bridges.length === 0 ? "There is none." : `There are: ${listText(bridges)}.`;
  const next = `${there} Correct bridge= in vif= (or vif.default.bridge in /etc/xen/xl.conf), or bring the bridge up: ifup ${shorten(name, 40)}, and make sure that it comes up at boot (/etc/network/interfaces, bridge-utils).`;
  const known = shorten(name, 40);
  if (!found) {
    return {
      severity: "error",
      what: `This host has no bridge ${known}.`,
      why: `The script vif-bridge stops with "Could not find bridge device ${known}", and xl create takes the guest down again.`,
      next,
    };
  }
  return {
    severity: "warning",
    what: `${known} is a network device of this host, but no bridge of Linux.`,
    why: "The script vif-bridge cannot add the guest's interface to it, unless it belongs to Open vSwitch and the script is made for that.",
    next,
    undecided: true,
  };
}

import { otherGuests } from "../host-around.ts";
import { listText } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "duplicate-mac";

export const duplicateMac: Rule = {
  code,
  severity: "warning",
  summary: "Two network interfaces on this host have the same MAC address.",
  check: ({ around, config }) => {
    const macs = config.vifs.flatMap(({ mac }) => (mac === undefined ? [] : [mac.toLowerCase()]));
    const findings: RuleFinding[] = [];
    for (const mac of new Set(macs)) {
      const others = around ? otherGuests(around).filter((one) => one.macs.includes(mac)) : [];
      const own = macs.filter((one) => one === mac).length;
      if (own < 2 && others.length === 0) continue;
      const names = others.map((one) => one.name);
      const has =
        names.length === 0
          ? "Two interfaces of this guest have"
          : `This guest and ${listText(names)} have`;
      findings.push({
        code,
        severity: "warning",
        where: [...config.where, "vif"],
        what: `${has} the same MAC address, ${mac}.`,
        why: "A bridge sends what is for that address to whoever spoke last: connections of both break off at random, and DHCP may give both one address. It does no harm while only one of them runs, or when they are in separate networks.",
        next: "Give each vif its own mac=: 00:16:3e: and three random bytes is the range for Xen guests. Look in the guest for files that name the old one (/etc/udev/rules.d/70-persistent-net.rules, ifcfg-*).",
      });
    }
    return findings;
  },
};

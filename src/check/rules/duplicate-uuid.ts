import { otherGuests } from "../host-around.ts";
import type { Rule } from "../rule.ts";
import { listText } from "../remedy.ts";

export const duplicateUuid: Rule = {
  code: "duplicate-uuid",
  severity: "warning",
  summary: "Another guest's config on this host has the same uuid=.",
  check: ({ around, config }) => {
    if (!around || config.uuid === undefined) return [];
    const same = otherGuests(around).filter((one) => one.uuid === config.uuid);
    if (same.length === 0) return [];
    return [
      {
        code: "duplicate-uuid",
        severity: "warning",
        where: [...config.where, "uuid"],
        what: `${listText(same.map((one) => one.name))} ${same.length === 1 ? "has" : "have"} the same uuid, ${config.uuid}.`,
        why: "Xen and xenstore keep what belongs to a guest under its uuid, and so do programs for backup and licences: two guests with one are taken for each other.",
        next: "Give one of them another: uuidgen prints one. Or take uuid= out, and every start makes up a new one.",
      },
    ];
  },
};

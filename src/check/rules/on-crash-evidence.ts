import type { Rule } from "../rule.ts";

export const onCrashEvidence: Rule = {
  code: "on-crash-evidence",
  severity: "note",
  summary: "When this guest crashes, the evidence of why is thrown away.",
  check: ({ config }) => {
    const { onCrash, onCrashWritten } = config;
    if (onCrash !== "destroy" && onCrash !== "restart") return [];
    return [
      {
        code: "on-crash-evidence",
        severity: "note",
        where: [...config.where, "on_crash"],
        what: `When this guest crashes, it is ${onCrash === "destroy" ? "destroyed" : "started again"} at once and the reason is lost.`,
        why: onCrashWritten
          ? `The config says on_crash="${onCrash}".`
          : `The config has no on_crash=, and xl then takes "${onCrash}".`,
        next:
          onCrash === "destroy"
            ? 'Set on_crash="preserve" to look at it afterwards, or "coredump-destroy" to keep its memory in /var/lib/xen/dump.'
            : 'Set on_crash="coredump-restart": it restarts just the same and keeps its memory in /var/lib/xen/dump (as large as the guest), or "rename-restart".',
      },
    ];
  },
};

import { xenText } from "../guest-boot.ts";
import type { Rule } from "../rule.ts";

const code = "libc-tls";

export const libcTls: Rule = {
  code,
  severity: "warning",
  summary: "A 32-bit PV guest has /lib/tls and no C library made for Xen: it runs slowly.",
  check: ({ boot, config, host, rootFiles }) => {
    const isPv = config.type === "pv" || config.pvshim;
    if (!isPv || boot?.kernel?.bits !== 32 || !rootFiles?.tlsLibc || rootFiles.xenLibc) return [];
    // Only a 32-bit hypervisor lives in the part of memory that the segments of such programs reach into.
    const is32 =
      !config.pvshim && host.caps.length > 0 && !host.caps.some((cap) => cap.includes("x86_64"));
    return [
      {
        code,
        severity: is32 ? "warning" : "note",
        where: rootFiles.where,
        what: "The guest has 32-bit thread libraries in /lib/tls, and no libc that is made for Xen.",
        why: is32
          ? 'They reach thread-local data through negative offsets in a segment, which a 32-bit Xen has to emulate: every such access traps. The kernel prints "Warning: 4gb seg fixup", and the guest boots and runs slowly.'
          : `On ${xenText(host)}, which is 64-bit, this costs nothing. On a 32-bit Xen every access to thread-local data would trap ("4gb seg fixup").`,
        next: is32
          ? "In the guest: apt-get install libc6-xen (Debian), or mv /lib/tls /lib/tls.disabled, and again after each update of libc."
          : "Nothing, unless the guest moves to a host with a 32-bit Xen: then install libc6-xen, or move /lib/tls away.",
      },
    ];
  },
};

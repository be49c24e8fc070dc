import { encodeText, decodeText } from "../../bytes/text.ts";
import { kernelRole } from "../guest-boot.ts";
import { shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

/** xen/include/public/xen.h MAX_GUEST_CMDLINE, for PV; the terminating NUL is one of them. */
const PV_LIMIT_BYTES = 1023;

/** Without these the guest does not find its root or its init. */
const VITAL = /(^|\s)(root|init|rdinit|rootflags|rootfstype|cryptdevice|rd\.[\w.]+)=/;

export const commandLineTooLong: Rule = {
  code: "command-line-too-long",
  severity: "error",
  summary:
    "The kernel's command line is longer than what reaches the kernel; the rest is cut off silently.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot) return [];
    const bytes = encodeText(boot.args);
    const kernelLimit = boot.kernel?.commandLineLimit ?? Infinity;
    // GRUB hands it on as Xen's builder does, with the same limit.
    const isPv = kernelRole(facts) === "pv";
    const limit = isPv ? Math.min(PV_LIMIT_BYTES, kernelLimit) : kernelLimit;
    // A protocol that does not state a limit reports 0.
    if (limit === 0 || bytes.length <= limit) return [];
    const kept = decodeText(bytes.subarray(0, limit));
    // The word that is cut in two is lost as well.
    const lost = boot.args.slice(kept.replace(/\S+$/, "").length).trim();
    const vital = VITAL.test(lost);
    const who =
      limit === PV_LIMIT_BYTES && isPv
        ? "Xen hands a PV guest 1024 bytes at most, a NUL at the end included"
        : `This kernel takes ${limit} bytes at most`;
    return [
      {
        code: "command-line-too-long",
        severity: vital ? "error" : "warning",
        where: boot.source,
        what: `The kernel's command line has ${bytes.length} bytes, and only ${limit} of them arrive.`,
        why: `${who}, and cuts the rest off without a word. Lost: ${shorten(lost, 200)}`,
        next: "Shorten it: in the guest GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub; in the config cmdline=, root= and extra=. Repeated words are the usual cause.",
      },
    ];
  },
};

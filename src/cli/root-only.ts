/** Who may change guests. */
import { refused } from "../base/failure.ts";
import type { Context } from "./context.ts";

/** `refused` for everybody but root, before anything is looked at or begun. */
export function assertRoot({ isRoot }: Pick<Context, "isRoot">): void {
  if (isRoot !== false) return;
  throw refused(["this host"], {
    what: "This changes a guest or what domus keeps of it, and only root may do that.",
    why: "xl and domus's records need root. Members of the group domus may list and show.",
    next: "Run it again as root, with sudo for example.",
  });
}

/** A default that is no entry: GRUB 2 and GRUB legacy then start the first one without a word. */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";

export type LostDefault = {
  /** The setting, and where it stands. */
  readonly said: string;
  /** What happens, in the words of the choice. */
  readonly instead: string;
  readonly next: string;
};

export function grubDefault(where: Where, { said, instead, next }: LostDefault): Finding {
  return {
    code: "grub-default",
    severity: "warning",
    where,
    what: `GRUB's default points nowhere: ${said}.`,
    why: `GRUB says nothing and starts another entry (${instead}): perhaps an older kernel, or a memory test.`,
    next,
  };
}

/** Names of guests that are safe wherever Xen's tools put them: libxl itself takes any. */

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$/;
/** What xl calls a domain while it migrates it (xen: tools/xl/xl_migrate.c). */
const MIGRATING = /--(?:incoming|migratedaway)$/;

/**
 * Why no command is run for a guest of this name, as a clause; undefined for a good one. Names become parts of paths (logs, core
 * dumps) and words of command lines, and one of digits alone is a domain's id to xl.
 */
export function nameProblem(name: string): string | undefined {
  if (/^\d+$/.test(name)) return "xl takes a name of digits alone for the id of a domain";
  if (MIGRATING.test(name)) return "xl names a domain so while it migrates it";
  if (name.length > 63) return "it has more than 63 characters";
  if (!NAME.test(name))
    return "it has characters other than letters, digits, _ . + and -, and it becomes a part of paths and command lines";
  return undefined;
}

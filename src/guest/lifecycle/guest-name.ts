import { refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { nameProblem } from "../../xen/guest-name.ts";

/** `refused` for a guest whose name is not safe to work with. `domid`: of its domain, when it has one. */
export function assertGuestName(name: string, domid?: number): void {
  const problem = nameProblem(name);
  if (problem === undefined) return;
  throw refused([printable(name)], {
    what: `Nothing is done with a guest named ${printable(name)}.`,
    why: `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`,
    next:
      domid === undefined
        ? "Give it another name= in its config."
        : `Give it another name: xl rename ${domid} NEWNAME, and name= in its config.`,
  });
}

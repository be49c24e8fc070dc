/** Asks Xen for its domains, as text. */
import type { Host } from "../../host/host.ts";
import { noAnswer } from "../../xen/xl-messages.ts";

/**
 * What `xl list` says with `flag`: `-v`, a table, or `-l`, libxl's JSON; of all domains, or of one. `failed` with what xl said when
 * Xen does not answer.
 */
export async function askXlList(
  host: Pick<Host, "run">,
  flag: "-v" | "-l",
  domid?: number,
): Promise<string> {
  const of = domid === undefined ? [] : [String(domid)];
  const ran = await host.run(["xl", "list", flag, ...of]);
  if (ran.exitCode !== 0) throw noAnswer(ran);
  return ran.stdout;
}

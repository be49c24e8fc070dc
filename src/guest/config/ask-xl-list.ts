/** Asks Xen for its domains, as text. */
import { ioFailure } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";

/** What `xl list` says with `flag`: `-v`, a table, or `-l`, libxl's JSON. `io` with xl's last words when Xen does not answer. */
export async function askXlList(host: Pick<Host, "run">, flag: "-v" | "-l"): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(["xl", "list", flag]);
  if (exitCode === 0) return stdout;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  throw ioFailure([`xl list ${flag}`], "asking Xen", said === "" ? `exit code ${exitCode}` : said);
}

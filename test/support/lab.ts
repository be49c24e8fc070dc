/** Lab hosts for tests. */
import { freshHost, type HostOptions, type LabHost } from "../../lab/host.ts";
import { LAB_PACKAGES } from "../../lab/packages.ts";
import { need, needRoot } from "./need.ts";

/**
 * A fresh host, whatever an earlier run left; the caller removes it. Fails with what to install where something is
 * absent. Its name begins with `test-`, which `npm run lab -- down` leaves alone.
 */
export async function testHost(options: HostOptions): Promise<LabHost> {
  need(...Object.keys(LAB_PACKAGES));
  needRoot("a lab host's image is made of files of several users");
  return freshHost(options);
}

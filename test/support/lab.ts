/** Lab hosts for tests: gone when the suite is. */
import { afterAll } from "vitest";
import { freshHost, type HostOptions, type LabHost } from "../../lab/host.ts";
import { LAB_PACKAGES } from "../../lab/packages.ts";
import { need, needRoot } from "./need.ts";

/** A fresh host for the tests of a file; call it in beforeAll. Fails with what to install where something is absent. */
export async function testHost(options: HostOptions): Promise<LabHost> {
  need(...Object.keys(LAB_PACKAGES));
  needRoot("a lab host's image is made of files of several users");
  const host = await freshHost(options);
  afterAll(() => host.remove());
  return host;
}

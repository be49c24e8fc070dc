/** An xl that is killed at a counted event: Xen has made the domain, and libxl has written nothing about it yet. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabHost } from "../../lab/host.ts";
import { need } from "./need.ts";

/** Of libxenctrl; the handle, which is the uuid, is in its third argument (xen: tools/include/xenctrl.h). */
const SOURCE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>
int xc_domain_create(void *xch, uint32_t *domid, void *config) {
  int (*real)(void *, uint32_t *, void *) = dlsym(RTLD_NEXT, "xc_domain_create");
  int rc = real(xch, domid, config);
  kill(getpid(), SIGKILL);
  return rc;
}
`;

/** What to put in front of a command so that its xl create ends there. `directory`: for what is built here. */
export async function killedEarly(host: LabHost, directory: string): Promise<string> {
  need("gcc");
  const [source, library] = [join(directory, "early.c"), join(directory, "early.so")];
  writeFileSync(source, SOURCE);
  execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-o", library, source], { stdio: "inherit" });
  await host.copyIn(library, "/root");
  return "LD_PRELOAD=/root/early.so";
}

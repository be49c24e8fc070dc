#!/usr/bin/env node
/** `domus-pygrub`: Xen's pygrub, drop-in. docs/design/domus-pygrub.md */
import { child } from "./child.ts";
import { pygrub } from "./pygrub.ts";
import { CHILD_MARK } from "./unprivileged.ts";

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv[0] === CHILD_MARK) process.exitCode = await child();
  // Everything is written and closed: what else Node.js would put away when it ends, the system does sooner.
  else process.exit(await pygrub(argv));
}

void main();

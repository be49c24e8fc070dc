#!/usr/bin/env node
/** `domus-pygrub`: Xen's pygrub, drop-in. docs/design/domus-pygrub.md */
import { child } from "./child.ts";
import { pygrub } from "./pygrub.ts";
import { CHILD_MARK } from "./unprivileged.ts";

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  process.exitCode = await (argv[0] === CHILD_MARK ? child() : pygrub(argv));
}

void main();

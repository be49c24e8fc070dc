#!/usr/bin/env node
/** The one executable under its two names: `domus`, and `domus-pygrub` where it is called that. */
import { fileName } from "./base/path.ts";

if (fileName(process.argv0) === "domus-pygrub") void import("./pygrub/main.ts");
else void import("./cli/main.ts");

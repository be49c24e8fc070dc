import { missingFile } from "../missing-file.ts";
import type { Rule } from "../rule.ts";

export const kernelMissing: Rule = {
  code: "kernel-missing",
  severity: "error",
  summary: "The kernel that the config or the loader names is not there.",
  check: (facts) => missingFile(facts, "kernel", "kernel-missing"),
};

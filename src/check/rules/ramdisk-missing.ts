import { missingFile } from "../missing-file.ts";
import type { Rule } from "../rule.ts";

export const ramdiskMissing: Rule = {
  code: "ramdisk-missing",
  severity: "error",
  summary: "The initramfs that the config or the loader names is not there.",
  check: (facts) => missingFile(facts, "ramdisk", "ramdisk-missing"),
};

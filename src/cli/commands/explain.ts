import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { jsonFlag } from "../flags.ts";
import type { ExplainFlags } from "./explain-run.ts";

export const explainCommand = buildCommand<ExplainFlags, [string?], Context>({
  docs: {
    brief: "Explain a finding: what it means, why it matters, what to do",
    fullDescription:
      "CODE is the word behind the severity: initramfs-compression. Without it, all codes.",
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Code of a finding", parse: String, placeholder: "CODE", optional: true },
      ],
    },
  },
  loader: async () => (await import("./explain-run.ts")).run,
});

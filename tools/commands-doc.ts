/** Makes docs/reference/commands.md from the commands' own help. `--check` fails when it is not current. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { generateHelpTextForAllCommands } from "@stricli/core";
import type { Application, CommandContext } from "@stricli/core";
import { app } from "../src/cli/app.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGE = join(ROOT, "docs/reference/commands.md");

function page(): string {
  const parts = generateHelpTextForAllCommands(app as unknown as Application<CommandContext>).map(
    ([route, text]) => `## ${route}\n\n\`\`\`\n${text.trim()}\n\`\`\`\n`,
  );
  return [
    "# Commands",
    "",
    "What `--help` prints, made by `tools/commands-doc.ts`. Exit codes: [exit-codes.md](exit-codes.md); `--json`: [json.md](json.md).",
    "",
    ...parts,
  ].join("\n");
}

if (process.argv.includes("--check")) {
  if (readFileSync(PAGE, "utf8") !== page()) {
    console.error(`${relative(ROOT, PAGE)} is not current: run node tools/commands-doc.ts`);
    process.exitCode = 1;
  }
} else writeFileSync(PAGE, page());

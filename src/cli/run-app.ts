/** Runs the command that the words name. Words that cannot be meant end like every other failure. */
import { ExitCode as StricliExit, run } from "@stricli/core";
import { misuse } from "../base/failure.ts";
import { app, COMMAND_GROUPS } from "./app.ts";
import type { Context } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { reportFailure } from "./failing.ts";
import { commandWords } from "./usage.ts";

/** Commands whose `--json` is a document a line. */
const JSON_LINES = new Set(["sync", "watch"]);

/** With the exit code for the process. */
export async function runApp(argv: readonly string[], context: Context): Promise<number> {
  // What stricli itself has to say, which is what is wrong with the words; the commands have `out`.
  let said = "";
  const { process: outer } = context;
  const state: Context["process"] = {
    stdout: outer.stdout,
    stderr: { write: (text: string) => void (said += text) },
    ...(outer.env && { env: outer.env }),
  };
  await run(app, argv, { ...context, process: state });
  const code = Number(state.exitCode ?? 0);
  if (code === StricliExit.InvalidArgument || code === StricliExit.UnknownCommand) {
    const isUnknown = code === StricliExit.UnknownCommand;
    const command = isUnknown ? "" : commandWords(argv, COMMAND_GROUPS);
    const next = isUnknown
      ? "domus --help lists the commands."
      : `domus ${command} --help says what it takes.`;
    return reportFailure(context, misuse(said.trim().split("\n").join(" "), next), jsonOf(argv));
  }
  if (said !== "") outer.stderr.write(said);
  return exitCodeOf(state.exitCode);
}

function jsonOf(argv: readonly string[]): false | "document" | "line" {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  if (!flags.includes("--json")) return false;
  return JSON_LINES.has(argv[0] ?? "") ? "line" : "document";
}

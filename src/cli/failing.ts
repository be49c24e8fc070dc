/** The one place that turns what goes wrong in a command into words and an exit code. */
import { explainFailure } from "../base/explain.ts";
import { FailureError } from "../base/failure.ts";
import type { Failure, FailureKind } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";
import { wrapLabelled } from "./render/text.ts";

export type CommandFlags = { readonly json: boolean };

/** A command's work: it returns its exit code and throws what it cannot handle. */
export type Work<F extends CommandFlags, A extends readonly (string | undefined)[]> = (
  this: Context,
  flags: F,
  ...args: A
) => Promise<ExitCode>;

export type FailingOptions = {
  /** With `--json` the command writes a document a line: the failure is the last of them. */
  readonly jsonLines?: boolean;
};

/** Wraps a command so that every failure ends in a text with what, why and next, and the right exit code. */
export function failing<F extends CommandFlags, A extends readonly (string | undefined)[]>(
  work: Work<F, A>,
  options: FailingOptions = {},
) {
  return async function run(this: Context, flags: F, ...args: A): Promise<void> {
    let code: ExitCode;
    try {
      code = await work.call(this, flags, ...args);
    } catch (error) {
      const json = flags.json && (options.jsonLines ? "line" : "document");
      code = reportFailure(this, error, json);
    }
    this.process.exitCode = code;
  };
}

/** Says what went wrong, as text and with `json` as the last document; the exit code for it. */
export function reportFailure(
  context: Context,
  error: unknown,
  json: false | "document" | "line",
): ExitCode {
  const { out, signal } = context;
  const tell = (document: Record<string, unknown>) =>
    json === "line" ? out.line({ domus: 1, ...document }) : out.json(document);
  if (signal.aborted) {
    // What a command could not put in order before it ended is not to be lost.
    const failed = error instanceof FailureError && error.failure.kind === "failed";
    if (json) tell({ error: failed ? failureJson(error.failure) : INTERRUPTED });
    if (failed) out.say(failureStory(context, error.failure));
    out.say("Interrupted.");
    return EXIT.interrupted;
  }
  if (error instanceof FailureError) {
    if (json) tell({ error: failureJson(error.failure) });
    out.say(failureStory(context, error.failure));
    return FAILURE_EXIT[error.failure.kind] ?? EXIT.failed;
  }
  // The reader of a pipe went away (`| head`): its choice, no error of ours.
  if (error instanceof Error && (error as NodeJS.ErrnoException).code === "EPIPE") return EXIT.done;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (json) tell({ error: { code: "bug", what: String(error), why: stack, next: "report it" } });
  out.say(`domus: this is a bug in domus, please report it with the lines below.\n${stack}`);
  return EXIT.failed;
}

const INTERRUPTED = {
  code: "interrupted",
  what: "Interrupted.",
  why: "Ctrl-C was pressed, the process was asked to end, or its terminal is gone.",
  next: "domus show GUEST says in which state a guest is now.",
  where: [],
} as const;

const FAILURE_EXIT: Partial<Record<FailureKind, ExitCode>> = {
  misuse: EXIT.usage,
  refused: EXIT.refused,
};

function failureJson(failure: Failure): Record<string, unknown> {
  return { ...explainFailure(failure), where: failure.where };
}

function failureStory({ out }: Context, failure: Failure): string {
  const { code, what, why, next } = explainFailure(failure);
  return [
    `${out.style("red", "domus:")} ${printable(what)} ${out.style("dim", `(${code})`)}`,
    ...(why ? wrapLabelled("why", printable(why), out.width) : []),
    ...(next ? wrapLabelled("next", printable(next), out.width) : []),
  ].join("\n");
}

/**
 * The kinds of failure that data and machines cause, as opposed to bugs.
 *
 * Inside a module a failure is thrown (as `FailureError`); at a module's door `attempt` turns it into a value.
 * A bug (TypeError, RangeError of our own making) is never caught by `attempt`: it stays loud.
 */
import type { Where } from "./where.ts";

export type Failure =
  /** The machine could not do it: short device, EIO, EACCES. */
  | {
      readonly kind: "io";
      readonly where: Where;
      readonly op: string;
      readonly errno: string;
      /** What to do about it, when it is not what is done about an errno. */
      readonly next?: string;
    }
  /** The bytes contradict their format. */
  | {
      readonly kind: "corrupt";
      readonly where: Where;
      readonly found: string;
      readonly expected: string;
      /** What to do about it, when it is not on a guest's disk. */
      readonly next?: string;
    }
  /** The bytes may be right, domus does not know this feature. */
  | {
      readonly kind: "unsupported";
      readonly where: Where;
      readonly feature: string;
      /** What to do about it, when it is not on a guest's disk. */
      readonly next?: string;
    }
  /** A named thing is not there. */
  | {
      readonly kind: "missing";
      readonly where: Where;
      readonly what: string;
      /** Where to look, when it is not on a guest's disk. */
      readonly next?: string;
    }
  /** A stated bound on work, memory or size was reached: hostile or damaged input, or a limit of ours. */
  | { readonly kind: "limit"; readonly where: Where; readonly what: string; readonly limit: string }
  /** Text that a person wrote does not follow its grammar. `line` and `column` count from 1. */
  | {
      readonly kind: "syntax";
      readonly where: Where;
      readonly line: number;
      readonly column: number;
      readonly found: string;
      readonly expected: string;
    }
  /** What was asked for cannot be meant. `next` says how to ask. */
  | {
      readonly kind: "misuse";
      readonly where: Where;
      readonly what: string;
      readonly next: string;
    }
  /** It could be done, and was not begun: it could lose data. */
  | Told<"refused">
  /** The way to the other host, or the domus there. */
  | Told<"remote">
  /** A program that domus drives did not do what it was told, or a guest did not: `next` says what state things are in. */
  | Told<"failed">;

/** What only the place that met it can explain. */
type Told<Kind extends string> = {
  readonly kind: Kind;
  readonly where: Where;
  readonly what: string;
  readonly why: string;
  readonly next: string;
};

export type FailureKind = Failure["kind"];

export class FailureError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failureText(failure), options);
    this.name = "FailureError";
    this.failure = failure;
  }
}

/** One line for logs and test output; `explain.ts` has the text for people. */
export function failureText(failure: Failure): string {
  const at = failure.where.join(" > ");
  switch (failure.kind) {
    case "io":
      return `${at}: ${failure.op} failed: ${failure.errno}`;
    case "corrupt":
      return `${at}: found ${failure.found}, expected ${failure.expected}`;
    case "unsupported":
      return `${at}: ${failure.feature} is not supported`;
    case "missing":
      return `${at}: no ${failure.what}`;
    case "limit":
      return `${at}: ${failure.what} is over the limit of ${failure.limit}`;
    case "syntax":
      return `${at}:${failure.line}:${failure.column}: found ${failure.found}, expected ${failure.expected}`;
    case "misuse":
      return failure.what;
    case "refused":
    case "remote":
    case "failed":
      return `${failure.what} ${failure.why}`;
  }
}

export function corrupt(where: Where, found: string, expected: string): FailureError {
  return new FailureError({ kind: "corrupt", where, found, expected });
}

export function unsupported(where: Where, feature: string): FailureError {
  return new FailureError({ kind: "unsupported", where, feature });
}

export function missing(where: Where, what: string, next?: string): FailureError {
  return new FailureError({ kind: "missing", where, what, ...(next !== undefined && { next }) });
}

export function overLimit(where: Where, what: string, limit: string): FailureError {
  return new FailureError({ kind: "limit", where, what, limit });
}

export function misuse(what: string, next: string): FailureError {
  return new FailureError({ kind: "misuse", where: [], what, next });
}

export function refused(
  where: Where,
  told: { readonly what: string; readonly why: string; readonly next: string },
): FailureError {
  return new FailureError({ kind: "refused", where, ...told });
}

export function remoteFailure(
  where: Where,
  told: { readonly what: string; readonly why: string; readonly next: string },
): FailureError {
  return new FailureError({ kind: "remote", where, ...told });
}

export function commandFailed(
  where: Where,
  told: { readonly what: string; readonly why: string; readonly next: string },
): FailureError {
  return new FailureError({ kind: "failed", where, ...told });
}

export function ioFailure(where: Where, op: string, errno: string, cause?: unknown): FailureError {
  return new FailureError({ kind: "io", where, op, errno }, { cause });
}

/** Whether the failure says that the thing is not there, rather than that it could not be had. */
export function isAbsent(failure: Failure): boolean {
  if (failure.kind === "missing") return true;
  return failure.kind === "io" && ["ENOENT", "ENOTDIR", "ENXIO"].includes(failure.errno);
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

/** Runs `work`; a `FailureError` becomes a value, anything else is a bug and passes through. */
export async function attempt<T>(work: () => Promise<T> | T): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof FailureError) return { ok: false, failure: error.failure };
    throw error;
  }
}

/** `attempt` for pure functions. */
export function attemptSync<T>(work: () => T): Result<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (error instanceof FailureError) return { ok: false, failure: error.failure };
    throw error;
  }
}

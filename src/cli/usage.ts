/** What is wrong with the words of a command line, in words of ours. */
import {
  AliasNotFoundError,
  ArgumentParseError,
  FlagNotFoundError,
  UnexpectedPositionalError,
  UnsatisfiedFlagError,
  UnsatisfiedPositionalError,
} from "@stricli/core";

/** One sentence or two, not escaped. */
export function argumentProblem(error: unknown): string {
  if (error instanceof FlagNotFoundError) {
    const known = error.corrections.map((flag) => `--${kebab(flag)}`).join(" or ");
    return `There is no flag --${error.input}.${known === "" ? "" : ` Did you mean ${known}?`}`;
  }
  if (error instanceof AliasNotFoundError) return `There is no flag -${error.input}.`;
  if (error instanceof UnexpectedPositionalError) {
    const takes = error.expectedCount === 0 ? "none" : `${error.expectedCount} at most`;
    return `"${error.input}" is an argument too many: the command takes ${takes}.`;
  }
  if (error instanceof UnsatisfiedPositionalError) return `${error.placeholder} is missing.`;
  if (error instanceof UnsatisfiedFlagError) {
    const { externalFlagName: flag, nextFlagName: next } = error;
    return `--${flag} needs a value${next === undefined ? "" : `, and --${next} comes instead`}.`;
  }
  if (error instanceof ArgumentParseError) {
    const { externalFlagNameOrPlaceholder: name, input, exception } = error;
    const flag = name === name.toUpperCase() ? name : `--${name}`;
    return `"${input}" is no value for ${flag}: it takes ${wanted(exception)}.`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** stricli suggests the names that flags have in the source. */
function kebab(flag: string): string {
  return flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `corrections`: in backquotes. */
export function unknownCommand(input: string, corrections: readonly string[]): string {
  // The other side of a sync may be an older domus, and is known by these words.
  const said = `There is no command "${input}".`;
  if (input.startsWith("-")) return `${said} The command comes first, its flags behind it.`;
  const near = corrections.slice(0, 3).join(" or ").replaceAll("`", "");
  return near === "" ? said : `${said} Did you mean ${near}?`;
}

/** The parsers of ours throw what they want; stricli's for numbers says something else. */
function wanted(exception: unknown): string {
  const said = exception instanceof Error ? exception.message : String(exception);
  return said.startsWith("Cannot convert") ? "a number" : said;
}

/** The words of `argv` that name the command: `disk ls`. */
export function commandWords(argv: readonly string[], groups: readonly string[]): string {
  const [first = "", second = ""] = argv;
  if (first === "" || first.startsWith("-")) return "";
  return groups.includes(first) && /^[a-z]/.test(second) ? `${first} ${second}` : first;
}

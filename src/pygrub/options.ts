/**
 * The command line of pygrub (xen: tools/pygrub/src/pygrub), read as Python's getopt.gnu_getopt does it: options and the
 * disk in any order, `--name value` as well as `--name=value`, unambiguous beginnings of long names, `--` ends them.
 */

export type OutputFormat = "sxp" | "simple" | "simple0";

export type Options = {
  readonly disk: string;
  readonly interactive: boolean;
  readonly listEntries: boolean;
  readonly notReally: boolean;
  readonly isConfig: boolean;
  readonly debug: boolean;
  /** Undefined: stdout. */
  readonly output?: string;
  readonly format: OutputFormat;
  readonly directory: string;
  /** Whether `--output-directory` was given: it must then be there. */
  readonly directoryGiven: boolean;
  /** A number from 0 on, or a title. */
  readonly entry?: string;
  /** Paths inside the guest. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** Appended to the entry's own arguments. */
  readonly args: string;
  /** Of the only filesystem to look at, in bytes. */
  readonly offset?: number;
  readonly runAs?: number;
  /** False with `--no-repair`. */
  readonly repair: boolean;
};

export type ParsedOptions =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** `usage`: whether the usage line is to follow. */
  | { readonly kind: "wrong"; readonly message: string; readonly usage: boolean };

/** pygrub's own default; libxl always names another. */
export const DEFAULT_DIRECTORY = "/var/run/xen/pygrub/";

const FORMATS: readonly OutputFormat[] = ["sxp", "simple", "simple0"];

/** `true`: takes a value. */
const LONG: Readonly<Record<string, boolean>> = {
  quiet: false,
  interactive: false,
  "list-entries": false,
  "not-really": false,
  help: false,
  output: true,
  "output-format": true,
  "output-directory": true,
  offset: true,
  runas: true,
  entry: true,
  kernel: true,
  ramdisk: true,
  args: true,
  isconfig: false,
  debug: false,
  "no-repair": false,
  version: false,
};

const SHORT: Readonly<Record<string, string>> = {
  q: "quiet",
  i: "interactive",
  l: "list-entries",
  n: "not-really",
  h: "help",
};

export function usageText(program: string): string {
  return `Usage: ${program} [-q|--quiet] [-i|--interactive] [-l|--list-entries] [-n|--not-really] [--output=] [--kernel=] [--ramdisk=] [--args=] [--entry=] [--output-directory=] [--output-format=sxp|simple|simple0] [--runas=] [--offset=] [--no-repair] <image>`;
}

type Given = { readonly name: string; readonly value: string };

/** `argv` is without the program. Never throws. */
export function parseOptions(argv: readonly string[]): ParsedOptions {
  const split = splitArguments(argv);
  if ("wrong" in split) return { kind: "wrong", message: split.wrong, usage: true };
  const { given, operands } = split;
  if (given.some(({ name }) => name === "help")) return { kind: "help" };
  if (given.some(({ name }) => name === "version")) return { kind: "version" };
  const [disk] = operands;
  if (disk === undefined) {
    return { kind: "wrong", message: "the disk is missing", usage: true };
  }
  return interpret(given, disk);
}

function splitArguments(
  argv: readonly string[],
): { given: Given[]; operands: string[] } | { wrong: string } {
  const given: Given[] = [];
  const operands: string[] = [];
  const rest = [...argv];
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (word === "--") {
      operands.push(...rest);
      break;
    }
    if (word.startsWith("--")) {
      const wrong = takeLong(word.slice(2), rest, given);
      if (wrong !== undefined) return { wrong };
    } else if (word.startsWith("-") && word !== "-") {
      for (const letter of word.slice(1)) {
        const name = SHORT[letter];
        if (name === undefined) return { wrong: `there is no option -${letter}` };
        given.push({ name, value: "" });
      }
    } else operands.push(word);
  }
  return { given, operands };
}

/** Says what is wrong. */
function takeLong(word: string, rest: string[], given: Given[]): string | undefined {
  const equals = word.indexOf("=");
  const typed = equals < 0 ? word : word.slice(0, equals);
  const name = fullName(typed);
  if (name === undefined) return `there is no option --${typed}, or it is the beginning of several`;
  if (!LONG[name]) {
    if (equals >= 0) return `--${name} takes no value`;
    given.push({ name, value: "" });
    return undefined;
  }
  const value = equals >= 0 ? word.slice(equals + 1) : rest.shift();
  if (value === undefined) return `--${name} needs a value`;
  given.push({ name, value });
  return undefined;
}

function fullName(typed: string): string | undefined {
  if (Object.hasOwn(LONG, typed)) return typed;
  const candidates = Object.keys(LONG).filter((name) => name.startsWith(typed));
  return candidates.length === 1 ? candidates[0] : undefined;
}

type Draft = { -readonly [K in keyof Options]: Options[K] };

function interpret(given: readonly Given[], disk: string): ParsedOptions {
  const options: Draft = {
    disk,
    interactive: true,
    listEntries: false,
    notReally: false,
    isConfig: false,
    debug: false,
    format: "sxp",
    directory: DEFAULT_DIRECTORY,
    directoryGiven: false,
    args: "",
    repair: true,
  };
  for (const { name, value } of given) {
    const message = apply(options, name, value);
    if (message !== undefined) return { kind: "wrong", message, usage: true };
  }
  if (options.interactive && options.runAs !== undefined) {
    const message = "In order to use --runas, you must also set --entry or -q";
    return { kind: "wrong", message, usage: false };
  }
  return { kind: "run", options };
}

/** Later options win over earlier ones, as in pygrub. */
function apply(options: Draft, name: string, value: string): string | undefined {
  switch (name) {
    case "quiet":
      options.interactive = false;
      return undefined;
    case "interactive":
      options.interactive = true;
      return undefined;
    case "list-entries":
      options.listEntries = true;
      return undefined;
    case "not-really":
      options.notReally = true;
      return undefined;
    case "isconfig":
      options.isConfig = true;
      return undefined;
    case "debug":
      options.debug = true;
      return undefined;
    case "no-repair":
      options.repair = false;
      return undefined;
    case "entry":
      options.entry = value;
      options.interactive = false;
      return undefined;
    case "output":
      if (value !== "-") options.output = value;
      return undefined;
    case "output-directory":
      options.directory = value;
      options.directoryGiven = true;
      return undefined;
    case "output-format": {
      const format = FORMATS.find((one) => one === value);
      if (format === undefined) return `unknown output format ${value}`;
      options.format = format;
      return undefined;
    }
    case "offset":
    case "runas":
      return applyNumber(options, name, value);
    default:
      if (name === "kernel" || name === "ramdisk" || name === "args") options[name] = value;
      return undefined;
  }
}

function applyNumber(options: Draft, name: "offset" | "runas", value: string): string | undefined {
  const number = /^\s*\d{1,15}\s*$/.test(value) ? Number(value) : undefined;
  if (name === "offset") {
    if (number === undefined) return "offset value must be an integer";
    options.offset = number;
    return undefined;
  }
  if (number === undefined) return "runas value must be an integer user id";
  // pygrub runs as root for 0, without a word; it means nothing else here.
  if (number > 0) options.runAs = number;
  return undefined;
}

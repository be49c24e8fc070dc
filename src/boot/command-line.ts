/**
 * The kernel's command line: how it is cut into arguments, and what the arguments that decide over the root mean.
 * After Linux lib/cmdline.c next_arg() and kernel/params.c parse_args(); the meaning of single arguments is in
 * Documentation/admin-guide/kernel-parameters.txt.
 */

export type Argument = {
  readonly name: string;
  /** Undefined where there is no `=`. Quotes around a name or a value are gone. */
  readonly value?: string;
};

export type CommandLine = {
  readonly args: readonly Argument[];
  /** What follows `--`: the kernel hands it to init unread. */
  readonly initArgs: readonly string[];
  /** The kernel takes the last `root=`; so do the initramfs generators. */
  readonly root?: string;
  readonly rootfstype?: string;
  readonly rootflags?: string;
  readonly init?: string;
  /** What is started in the initramfs instead of /init. */
  readonly rdinit?: string;
  readonly noinitrd: boolean;
  /** All of them: EFI stubs and some loaders take several. */
  readonly initrd: readonly string[];
  /** In order; the last one becomes /dev/console. */
  readonly consoles: readonly string[];
  /** The last of `ro` and `rw`; undefined when neither is there (the kernel then mounts read-only). */
  readonly readOnly?: boolean;
};

/** lib/ctype.c isspace() for ASCII. Its 0xa0 is left out: in UTF-8 it is half of a letter. */
const SPACE = /[\t-\r ]/;

/** Takes any text; there is nothing that the kernel would refuse. Linear in its length. */
export function parseCommandLine(text: string): CommandLine {
  const args: Argument[] = [];
  let at = 0;
  let initArgs: string[] = [];
  for (;;) {
    while (at < text.length && SPACE.test(text[at]!)) at++;
    if (at >= text.length) break;
    const end = argumentEnd(text, at);
    const argument = splitArgument(text.slice(at, end));
    at = end;
    if (argument.name === "--" && argument.value === undefined) {
      initArgs = text.slice(at).trim().split(/\s+/).filter(Boolean);
      break;
    }
    args.push(argument);
  }
  return { args, initArgs, ...meaning(args) };
}

function argumentEnd(text: string, start: number): number {
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') quoted = !quoted;
    else if (!quoted && SPACE.test(char)) return at;
  }
  return text.length;
}

/** Only a quote that opens the argument or its value is taken off, with the one at the very end. */
function splitArgument(raw: string): Argument {
  const quoted = raw.startsWith('"');
  const text = quoted ? raw.slice(1) : raw;
  const closed = text.endsWith('"') ? text.slice(0, -1) : text;
  const equals = text.indexOf("=");
  // A leading `=` is part of the name, as in next_arg().
  if (equals <= 0) return { name: quoted ? closed : text };
  const name = text.slice(0, equals);
  if (text[equals + 1] === '"') return { name, value: closed.slice(equals + 2) };
  return { name, value: (quoted ? closed : text).slice(equals + 1) };
}

/** kernel/params.c parameq(): `-` and `_` are the same in names. */
function sameName(a: string, b: string): boolean {
  return a.replaceAll("-", "_") === b.replaceAll("-", "_");
}

/** The value of the last argument of that name; an argument without `=` does not count. */
export function lastValue(args: readonly Argument[], name: string): string | undefined {
  return args.findLast((arg) => arg.value !== undefined && sameName(arg.name, name))?.value;
}

/** The values of every argument of that name, in order. */
export function allValues(args: readonly Argument[], name: string): string[] {
  return args.flatMap((arg) =>
    arg.value !== undefined && sameName(arg.name, name) ? [arg.value] : [],
  );
}

function meaning(args: readonly Argument[]): Omit<CommandLine, "args" | "initArgs"> {
  const mode = args.findLast(
    (arg) => arg.value === undefined && (arg.name === "ro" || arg.name === "rw"),
  );
  const single: Partial<Record<"root" | "rootfstype" | "rootflags" | "init" | "rdinit", string>> =
    {};
  for (const name of ["root", "rootfstype", "rootflags", "init", "rdinit"] as const) {
    const value = lastValue(args, name);
    if (value !== undefined) single[name] = value;
  }
  return {
    ...single,
    noinitrd: args.some((arg) => arg.name === "noinitrd"),
    initrd: allValues(args, "initrd"),
    consoles: allValues(args, "console"),
    ...(mode && { readOnly: mode.name === "ro" }),
  };
}

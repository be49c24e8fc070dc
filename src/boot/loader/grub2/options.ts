/**
 * Options of GRUB's commands (grub-core/lib/arg.c): `--name=value`, `--name value`, `-n value`, anywhere among the
 * arguments, until `--`.
 */
export type OptionSpec = {
  readonly long: string;
  readonly short?: string;
  readonly value?: "required" | "optional";
};

export type ParsedOptions = {
  /** Values in the order given; an option without a value counts with an empty one. */
  readonly options: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
};

/**
 * `undefined` when GRUB would refuse: an unknown option, a missing value or one too many. With `acceptDash` unknown
 * options are ordinary arguments.
 */
export function parseOptions(
  args: readonly string[],
  specs: readonly OptionSpec[],
  { acceptDash = false }: { acceptDash?: boolean } = {},
): ParsedOptions | undefined {
  const options = new Map<string, string[]>();
  const rest: string[] = [];
  const put = (spec: OptionSpec, value: string | undefined): boolean => {
    if (value !== undefined && !spec.value) return false;
    if (value === undefined && spec.value === "required") return false;
    const values = options.get(spec.long);
    if (values) values.push(value ?? "");
    else options.set(spec.long, [value ?? ""]);
    return true;
  };
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      rest.push(...args.slice(at + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      rest.push(arg);
      continue;
    }
    const isLong = arg.startsWith("--");
    const found = isLong ? longOption(arg, specs) : shortOptions(arg, specs);
    if (!found) {
      if (!acceptDash) return undefined;
      rest.push(arg);
      continue;
    }
    const last = found.specs.at(-1)!;
    if (!found.specs.slice(0, -1).every((spec) => put(spec, undefined))) return undefined;
    const next = args[at + 1];
    const takesNext =
      found.value === undefined &&
      last.value !== undefined &&
      next !== undefined &&
      (!next.startsWith("-") || (!isLong && last.value === "required"));
    if (takesNext) at += 1;
    if (!put(last, found.value ?? (takesNext ? next : undefined))) return undefined;
  }
  return { options, rest };
}

type Found = { readonly specs: readonly OptionSpec[]; readonly value?: string };

function longOption(arg: string, specs: readonly OptionSpec[]): Found | undefined {
  const equals = arg.indexOf("=");
  const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
  const spec = specs.find((one) => one.long === name);
  if (!spec) return undefined;
  return { specs: [spec], ...(equals >= 0 && { value: arg.slice(equals + 1) }) };
}

/** `-nu`: every letter must be an option; only the last one can take a value. */
function shortOptions(arg: string, specs: readonly OptionSpec[]): Found | undefined {
  const found: OptionSpec[] = [];
  for (const letter of arg.slice(1)) {
    const spec = specs.find((one) => one.short === letter);
    if (!spec) return undefined;
    found.push(spec);
  }
  return { specs: found };
}

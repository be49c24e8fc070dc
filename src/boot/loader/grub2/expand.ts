/**
 * Words to arguments (grub-core/script/execute.c grub_script_arglist_to_argv): a quoted part makes an argument even
 * when it is empty, an unquoted variable is split at blanks and makes none when it is empty. File name patterns
 * (`*`, `?`), which GRUB expands once its regexp module is loaded, are left as they are.
 */
import type { Segment, Word } from "./word.ts";

export type Lookup = {
  /** The value of a variable; `undefined` when it is not set. */
  readonly get: (name: string) => string | undefined;
  /** Parameters of the function or menu entry that runs; `undefined` outside of both. */
  readonly parameters: readonly string[] | undefined;
  /** Called with the length of all that is produced; throws when that is too much. */
  readonly spend: (length: number) => void;
};

/** Arguments in the making: the last one may not have begun yet. */
class Arguments {
  readonly list: (string | undefined)[] = [];

  next(): void {
    if (this.list.length === 0 || this.list.at(-1) !== undefined) this.list.push(undefined);
  }

  append(text: string): void {
    const last = this.list.length - 1;
    this.list[last] = (this.list[last] ?? "") + text;
  }

  /** Blanks at the ends do not separate: ` a b ` after `x` gives `xa` and `b`. */
  appendSplit(text: string): void {
    for (const [i, piece] of text
      .split(/[ \t\n\v\f\r]+/)
      .filter(Boolean)
      .entries()) {
      if (i > 0) this.next();
      this.append(piece);
    }
  }
}

export function expandWords(words: readonly Word[], lookup: Lookup): string[] {
  const out = new Arguments();
  for (const word of words) {
    out.next();
    for (const segment of word.segments) expandSegment(segment, lookup, out);
  }
  const list = out.list.filter((argument) => argument !== undefined);
  lookup.spend(list.reduce((sum, argument) => sum + argument.length + 1, 0));
  return list;
}

function expandSegment(segment: Segment, lookup: Lookup, out: Arguments): void {
  switch (segment.kind) {
    case "text":
      if (segment.text !== "") out.append(segment.text);
      return;
    case "quoted":
      out.append(segment.text);
      return;
    case "translated":
      out.append(putVariables(segment.text, lookup));
      return;
    case "variable":
      expandVariable(segment.name, segment.quoted, { lookup, out });
  }
}

function expandVariable(
  name: string,
  quoted: boolean,
  { lookup, out }: { lookup: Lookup; out: Arguments },
): void {
  const put = (text: string) => {
    lookup.spend(text.length);
    if (quoted) out.append(text);
    else out.appendSplit(text);
  };
  const parameters = lookup.parameters ?? [];
  if (name === "@" || (name === "*" && !quoted)) {
    for (const [i, parameter] of parameters.entries()) {
      if (i > 0) out.next();
      put(parameter);
    }
  } else if (name === "*") {
    put(parameters.join(" "));
  } else if (name === "#") {
    if (lookup.parameters) put(String(parameters.length));
  } else if (/^[0-9]/.test(name)) {
    const parameter = parameters[Number(name) - 1];
    if (parameter !== undefined) put(parameter);
  } else {
    put(lookup.get(name) ?? "");
  }
}

const REFERENCE = /\\(.)|\$(?:\{([^}]{0,255})\}|([0-9]+|[A-Za-z_][A-Za-z0-9_]*|[?#]))/gs;

/** Puts variables into a `$"..."` string; domus has no translations. */
function putVariables(text: string, lookup: Lookup): string {
  return text.replace(REFERENCE, (all, escaped?: string, braced?: string, plain?: string) => {
    if (escaped !== undefined) return escaped === "\\" || escaped === "$" ? escaped : all;
    const name = braced ?? plain ?? "";
    const value = name === "#" ? String(lookup.parameters?.length ?? 0) : (lookup.get(name) ?? "");
    lookup.spend(value.length);
    return value;
  });
}

/** What is inside a word of GRUB script: plain and quoted text, and variables to put in. */

export type Segment =
  /** Unquoted, `\x` already turned into `x`. When empty it does not make an argument. */
  | { readonly kind: "text"; readonly text: string }
  /** Quoted: makes an argument even when empty. */
  | { readonly kind: "quoted"; readonly text: string }
  /** Unquoted, its value is split at blanks. */
  | { readonly kind: "variable"; readonly name: string; readonly quoted: boolean }
  /** `$"..."`: translated by GRUB, and variables are put in afterwards. */
  | { readonly kind: "translated"; readonly text: string };

export type Word = {
  /** As written, quotes included. */
  readonly text: string;
  readonly segments: readonly Segment[];
};

const VARIABLE = /([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@])/y;
const BRACED = /\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@])\}/y;

/** The variable after a `$` at `at - 1`. */
function variableAt(raw: string, at: number): { name: string; end: number } | undefined {
  for (const pattern of [VARIABLE, BRACED]) {
    pattern.lastIndex = at;
    const name = pattern.exec(raw)?.[1];
    if (name !== undefined) return { name, end: pattern.lastIndex };
  }
  return undefined;
}

/** `undefined` when a `$` in double quotes is not followed by a name, which GRUB takes for an error. */
export function splitWord(raw: string): Segment[] | undefined {
  const out: Segment[] = [];
  let text = "";
  const flush = () => {
    if (text !== "") out.push({ kind: "text", text });
    text = "";
  };
  let at = 0;
  while (at < raw.length) {
    const char = raw[at]!;
    if (char === "\\") {
      const escaped = raw[at + 1] ?? "";
      if (escaped !== "\n") text += escaped;
      at += 2;
    } else if (char === "'") {
      flush();
      const end = raw.indexOf("'", at + 1);
      out.push({ kind: "quoted", text: raw.slice(at + 1, end) });
      at = end + 1;
    } else if (char === '"') {
      flush();
      const end = splitQuoted(raw, at + 1, out);
      if (end === undefined) return undefined;
      at = end;
    } else if (char === "$" && raw[at + 1] === '"') {
      flush();
      at = splitTranslated(raw, at + 2, out);
    } else if (char === "$") {
      flush();
      const variable = variableAt(raw, at + 1);
      if (!variable) return undefined;
      out.push({ kind: "variable", name: variable.name, quoted: false });
      at = variable.end;
    } else {
      text += char;
      at += 1;
    }
  }
  flush();
  return out;
}

/** From after the opening quote; returns the offset after the closing one. */
function splitQuoted(raw: string, start: number, out: Segment[]): number | undefined {
  let at = start;
  let text = "";
  for (;;) {
    const char = raw[at];
    if (char === undefined) return undefined; // the lexer has seen the closing quote
    if (char === '"') {
      out.push({ kind: "quoted", text });
      return at + 1;
    }
    if (char === "$") {
      const variable = variableAt(raw, at + 1);
      if (!variable) return undefined;
      out.push({ kind: "quoted", text }, { kind: "variable", name: variable.name, quoted: true });
      text = "";
      at = variable.end;
    } else if (char === "\\") {
      const escaped = raw[at + 1] ?? "";
      // Only these four lose their backslash in double quotes.
      if (escaped === "$" || escaped === "\\" || escaped === '"') text += escaped;
      else if (escaped !== "\n") text += `\\${escaped}`;
      at += 2;
    } else {
      text += char;
      at += 1;
    }
  }
}

function splitTranslated(raw: string, start: number, out: Segment[]): number {
  let at = start;
  let text = "";
  while (at < raw.length && raw[at] !== '"') {
    if (raw[at] === "\\") {
      const escaped = raw[at + 1] ?? "";
      if (escaped === '"') text += '"';
      else if (escaped !== "\n") text += `\\${escaped}`;
      at += 2;
    } else {
      text += raw[at];
      at += 1;
    }
  }
  out.push({ kind: "translated", text });
  return at + 1;
}

/** Patterns of file names: `*`, `?`, `[a-z]`, `[!a]`, and a backslash before what is meant as it stands. */

type Part =
  | { readonly any: true }
  | { readonly any: false; readonly matches: (c: string) => boolean };

/** Takes at most the product of both lengths. */
export function matchesGlob(pattern: string, text: string): boolean {
  const parts = parseGlob(pattern);
  let at = 0;
  let part = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    const one = parts[part];
    if (one?.any) {
      star = part;
      retry = at;
      part += 1;
    } else if (one?.matches(text[at]!)) {
      part += 1;
      at += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      retry += 1;
      at = retry;
      part = star + 1;
    } else {
      return false;
    }
  }
  return parts.slice(part).every(({ any }) => any);
}

function parseGlob(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === "*") {
      parts.push({ any: true });
    } else if (c === "?") {
      parts.push({ any: false, matches: () => true });
    } else if (c === "[") {
      const end = pattern.indexOf("]", i + 2 + Number(pattern[i + 1] === "!"));
      // Without an end it matches nothing.
      const set = end < 0 ? "" : pattern.slice(i + 1, end);
      parts.push({ any: false, matches: (one) => inSet(set, one) });
      i = end < 0 ? pattern.length : end;
    } else {
      if (c === "\\") i += 1;
      const literal = pattern[i] ?? "\\";
      parts.push({ any: false, matches: (one) => one === literal });
    }
  }
  return parts;
}

function inSet(set: string, c: string): boolean {
  const negated = set.startsWith("!") || set.startsWith("^");
  const body = negated ? set.slice(1) : set;
  if (body === "") return false;
  for (let i = 0; i < body.length; i++) {
    const isRange = body[i + 1] === "-" && i + 2 < body.length;
    const high = isRange ? body[i + 2]! : body[i]!;
    if (c >= body[i]! && c <= high) return !negated;
    if (isRange) i += 2;
  }
  return negated;
}

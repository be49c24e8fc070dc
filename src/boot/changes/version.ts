/**
 * Which of two package versions is newer: the algorithm of Debian policy 5.6.12. For the versions that pacman and rpm
 * write it gives the same order, except for rpm's `^`, which nothing here depends on.
 */

/** Negative when `a` is older than `b`, 0 when they are the same version. Takes any text. */
export function comparePackageVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

/** What going from one version to another is. */
export function changeOf(from: string, to: string): "upgrade" | "downgrade" | "reinstall" {
  const order = comparePackageVersions(from, to);
  return order < 0 ? "upgrade" : order > 0 ? "downgrade" : "reinstall";
}

function splitVersion(version: string): { epoch: number; upstream: string; revision: string } {
  const epoch = /^(\d{1,9}):/.exec(version);
  const rest = epoch ? version.slice(epoch[0].length) : version;
  const dash = rest.lastIndexOf("-");
  return {
    epoch: epoch ? Number(epoch[1]) : 0,
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "" : rest.slice(dash + 1),
  };
}

/** Turns of non-digits and digits; each turn takes a character of one side at least, so it ends. */
function compareParts(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j);
      if (difference !== 0) return difference;
      i += 1;
      j += 1;
    }
    const [endA, endB] = [digitsEnd(a, i), digitsEnd(b, j)];
    const [left, right] = [trimZeroes(a.slice(i, endA)), trimZeroes(b.slice(j, endB))];
    // As text: a number may be longer than a double holds.
    if (left.length !== right.length) return left.length - right.length;
    if (left !== right) return left < right ? -1 : 1;
    [i, j] = [endA, endB];
  }
  return 0;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

/** `~` before the end, the end before letters, letters before everything else. */
function weight(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0;
  const char = text[at]!;
  if (char === "~") return -1;
  return /[A-Za-z]/.test(char) ? char.charCodeAt(0) : char.charCodeAt(0) + 256;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text, at)) at++;
  return at;
}

function trimZeroes(digits: string): string {
  return digits.replace(/^0+/, "");
}

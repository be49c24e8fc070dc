/**
 * The order of versions in boot loader entries: UAPI group, "Version Format Specification"
 * (https://uapi-group.org/specifications/specs/version_format_specification/), which is also what
 * `systemd-analyze compare-versions` compares by.
 */

/** Marks that are looked at one after the other before each part; the side that has one is older. */
const OLDER_THAN_MORE = ["-", "^", "."] as const;

/** Below 0 when `a` is older. Linear in the lengths. */
export function compareUapiVersions(a: string, b: string): number {
  let left = a;
  let right = b;
  // Ends: each turn takes a character from both, or returns.
  const takeMark = (mark: string): number => {
    const order = Number(!left.startsWith(mark)) - Number(!right.startsWith(mark));
    if (order === 0 && left.startsWith(mark)) {
      left = left.slice(1);
      right = right.slice(1);
    }
    return order;
  };
  for (;;) {
    left = left.replace(/^[^A-Za-z0-9~.^-]+/, "");
    right = right.replace(/^[^A-Za-z0-9~.^-]+/, "");
    // `~` is older than even the end.
    const tilde = takeMark("~");
    if (tilde !== 0) return tilde;
    if (left === "" || right === "") return Number(left !== "") - Number(right !== "");
    for (const mark of OLDER_THAN_MORE) {
      const order = takeMark(mark);
      if (order !== 0) return order;
    }
    const isNumber = /^\d/.test(left) || /^\d/.test(right);
    const part = isNumber ? /^\d*/ : /^[A-Za-z]*/;
    const [one, two] = [part.exec(left)![0], part.exec(right)![0]];
    const order = isNumber ? compareNumbers(one, two) : compareText(one, two);
    if (order !== 0) return order;
    left = left.slice(one.length);
    right = right.slice(two.length);
  }
}

/** Of any size; one that is not there is older. */
function compareNumbers(a: string, b: string): number {
  if (a === "" || b === "") return Number(a !== "") - Number(b !== "");
  const [one, two] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return one.length - two.length || compareText(one, two);
}

/** By bytes: capitals are older, and the beginning of a word is older than the word. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

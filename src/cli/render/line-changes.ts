/** Which lines of a text went and which came, in the order of the text. */
export type LineChange = { readonly sign: "-" | "+"; readonly text: string };

/**
 * By the longest common run at both ends and a table in between: configs have some dozens of lines. Above `MAX_CELLS` the
 * middle is given as gone and come whole.
 */
const MAX_CELLS = 4_000_000;

export function lineChanges(before: string, after: string): LineChange[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end))
    end += 1;
  return middle(a.slice(start, a.length - end), b.slice(start, b.length - end));
}

function middle(a: readonly string[], b: readonly string[]): LineChange[] {
  const gone = (text: string): LineChange => ({ sign: "-", text });
  const come = (text: string): LineChange => ({ sign: "+", text });
  const width = b.length + 1;
  if ((a.length + 1) * width > MAX_CELLS) return [...a.map(gone), ...b.map(come)];
  // Length of the longest common subsequence of what is behind each pair.
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const changes: LineChange[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
    } else if (
      j >= b.length ||
      (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      changes.push(gone(a[i]!));
      i += 1;
    } else {
      changes.push(come(b[j]!));
      j += 1;
    }
  }
  return changes;
}

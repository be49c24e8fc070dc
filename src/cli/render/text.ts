/** Words into lines. Widths are in UTF-16 units: what domus prints itself is ASCII, names may come out ragged. */

/** Breaks `text` at spaces into lines of `width` at most; a longer word (a path) stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

const LABEL_WIDTH = 11;

/** `  label  text`, continued under the text. */
export function wrapLabelled(label: string, text: string, width: number): string[] {
  const indent = " ".repeat(2 + LABEL_WIDTH);
  return wrap(text, Math.max(20, width - indent.length)).map((line, index) =>
    `${index === 0 ? `  ${label.padEnd(LABEL_WIDTH)}` : indent}${line}`.trimEnd(),
  );
}

/** Left-aligned columns, two spaces apart; the last column is cut to what the width leaves. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  const last = header.length - 1;
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + 2, 0);
  const room = Math.max(12, width - before);
  return all.map((row) => {
    const cells = row.map((cell, column) =>
      column === last ? cutTo(cell, room) : cell.padEnd(widths[column]!),
    );
    return cells.join("  ").trimEnd();
  });
}

function cutTo(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}

/**
 * A table where the width has room for all of it; on a narrow terminal a paragraph for each row, its first cell as the
 * head, with the others named.
 */
export function tableOrList(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const lines = table(header, rows, Number.MAX_SAFE_INTEGER);
  if (lines.every((line) => line.length <= width)) return lines;
  return rows.flatMap(([first = "", ...rest]) => [
    first,
    ...rest.flatMap((cell, index) =>
      cell === "" ? [] : wrapLabelled(header[index + 1]!.toLowerCase(), cell, width),
    ),
  ]);
}

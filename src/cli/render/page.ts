import type { Output } from "../output.ts";
import { wrap } from "./text.ts";

/** A page of the reference (our own Markdown: headings, paragraphs, lists, code) for a terminal. */
export function pageText(page: string, out: Output): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  let inCode = false;
  const flush = () => {
    if (paragraph.length > 0) lines.push(...wrapItem(paragraph.join(" "), out.width));
    paragraph = [];
  };
  for (const line of page.trimEnd().split("\n")) {
    if (line.startsWith("```")) {
      flush();
      inCode = !inCode;
    } else if (inCode) lines.push(`  ${line}`);
    else if (/^(#|\||$)/.test(line)) {
      flush();
      lines.push(line.startsWith("#") ? out.style("bold", line.replace(/^#+ /, "")) : line);
    } else if (/^\s*([-*]|\d+\.) /.test(line)) {
      flush();
      paragraph = [line];
    } else paragraph.push(paragraph.length === 0 ? line : line.trim());
  }
  flush();
  return lines.join("\n");
}

/** Continued under the text of a list item. */
function wrapItem(text: string, width: number): string[] {
  const indent = " ".repeat(/^\s*(?:[-*] |\d+\. )?/.exec(text)![0].length);
  return wrap(text.slice(indent.length), width - indent.length).map((line, index) =>
    index === 0 ? text.slice(0, indent.length) + line : indent + line,
  );
}

/** Many guests: a line each, and how many of which verdict. */
import { printable } from "../../base/printable.ts";
import { countText } from "../../base/units.ts";
import type { GuestReport } from "../../guest/check/check-guest.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { Output, Style } from "../output.ts";
import { xenVersionText } from "./check-story.ts";
import { wrap } from "./text.ts";

const VERDICT_STYLE: Record<GuestReport["verdict"], Style> = {
  boots: "green",
  fails: "red",
  unknown: "yellow",
};

const HEADER = ["GUEST", "VERDICT", "KERNEL"] as const;
/** With less room the reason goes below its guest. */
const LEAST_WHY_WIDTH = 48;

export function guestTable(reports: readonly GuestReport[], xen: HostFacts, out: Output): string {
  const cells = reports.map((report) => [
    printable(report.name),
    report.verdict,
    printable(report.facts?.boot?.kernel?.version ?? "-"),
  ]);
  const all = [[...HEADER], ...cells];
  const widths = HEADER.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const indent = widths.reduce((sum, width) => sum + width + 2, 0);
  const beside = out.width - indent >= LEAST_WHY_WIDTH;
  const row = (line: readonly string[]) =>
    line.map((cell, column) => cell.padEnd(widths[column]!)).join("  ");
  const lines = [out.style("bold", beside ? `${row(HEADER)}  WHY` : row(HEADER).trimEnd())];
  for (const [index, report] of reports.entries()) {
    const [name = "", verdict = "", kernel = ""] = cells[index]!;
    const styled =
      out.style(VERDICT_STYLE[report.verdict], verdict) + " ".repeat(widths[1]! - verdict.length);
    const head = `${name.padEnd(widths[0]!)}  ${styled}  ${kernel.padEnd(widths[2]!)}`;
    const text = reason(report);
    const why = text === "" ? [] : wrap(text, out.width - (beside ? indent : 2));
    if (beside) {
      lines.push(`${head}  ${why[0] ?? ""}`.trimEnd());
      lines.push(...why.slice(1).map((line) => " ".repeat(indent) + line));
    } else lines.push(head.trimEnd(), ...why.map((line) => `  ${line}`));
  }
  const count = (verdict: GuestReport["verdict"]) =>
    reports.filter((report) => report.verdict === verdict).length;
  const summary = [
    `${reports.length} guests on Xen ${printable(xenVersionText(xen))}:`,
    `${count("boots")} boot, ${count("fails")} fail, ${count("unknown")} unknown.`,
    ...(count("boots") < reports.length ? ["domus check GUEST tells the story of one."] : []),
  ].join(" ");
  return [...lines, "", ...wrap(summary, out.width)].join("\n");
}

/** The first finding that explains the verdict; `2 warnings` where it boots all the same. */
function reason(report: GuestReport): string {
  const first = report.findings.find((one) => one.severity === "error");
  if (first) return `${first.code}: ${printable(first.what)}`;
  const warnings = report.findings.filter((one) => one.severity === "warning");
  if (warnings.length === 0)
    return report.verdict === "unknown" ? printable(report.findings[0]?.what ?? "") : "";
  return `${countText(warnings.length, "warning")}: ${warnings.map((one) => one.code).join(", ")}`;
}

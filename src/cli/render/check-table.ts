/** Many guests: a line each, and how many of which verdict. */
import { printable } from "../../base/printable.ts";
import { countText } from "../../base/units.ts";
import type { GuestReport } from "../../guest/check/check-guest.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { Output, Style } from "../output.ts";
import { xenVersionText } from "./check-story.ts";
import { table, wrap } from "./text.ts";

const VERDICT_STYLE: Record<GuestReport["verdict"], Style> = {
  boots: "green",
  fails: "red",
  unknown: "yellow",
};

export function guestTable(reports: readonly GuestReport[], xen: HostFacts, out: Output): string {
  const rows = reports.map((report) => [
    printable(report.name),
    report.verdict,
    printable(report.facts?.boot?.kernel?.version ?? "-"),
    reason(report),
  ]);
  const [header = "", ...lines] = table(["GUEST", "VERDICT", "KERNEL", "WHY"], rows, out.width);
  const colored = lines.map((line, index) => {
    const { verdict } = reports[index]!;
    // The verdict stands behind the name, which may itself contain the word.
    const at = line.indexOf(verdict, rows[index]![0]!.length);
    const end = at + verdict.length;
    return at < 0
      ? line
      : line.slice(0, at) + out.style(VERDICT_STYLE[verdict], verdict) + line.slice(end);
  });
  const count = (verdict: GuestReport["verdict"]) =>
    reports.filter((report) => report.verdict === verdict).length;
  const summary = [
    `${reports.length} guests on Xen ${printable(xenVersionText(xen))}:`,
    `${count("boots")} boot, ${count("fails")} fail, ${count("unknown")} unknown.`,
    ...(count("boots") < reports.length ? ["domus check GUEST tells the story of one."] : []),
  ].join(" ");
  return [out.style("bold", header), ...colored, "", ...wrap(summary, out.width)].join("\n");
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

/** One guest, told: the verdict, what stops it, what changed, what to do, and what it would boot. */
import type { Finding, Severity } from "../../base/finding.ts";
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import { whereText } from "../../base/where.ts";
import type { GuestFacts, PlannedBoot } from "../../check/facts.ts";
import { RECENT_CHANGE } from "../../check/recent-change.ts";
import type { GuestReport } from "../../guest/check/check-guest.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { Output, Style } from "../output.ts";
import { rootPlace } from "./root-place.ts";
import { wrap, wrapLabelled } from "./text.ts";

const SEVERITY_STYLE: Record<Severity, Style> = {
  error: "red",
  warning: "yellow",
  note: "cyan",
};

/** `4.14.6`, `4.17` */
export function xenVersionText({ version }: HostFacts): string {
  return `${version.major}.${version.minor}${version.extra}`;
}

export function guestStory(report: GuestReport, xen: HostFacts, out: Output): string {
  const [headline, cause] = headlineOf(report, xen, out);
  const lines = [...headline];
  for (const finding of report.findings) {
    // The cause and what changed have been told at the top; what is left of them is the detail.
    const told = finding === cause || finding.code === RECENT_CHANGE.code;
    lines.push("", ...(told ? detailLines(finding, out) : findingLines(finding, out)));
  }
  if (report.facts) lines.push("", ...planLines(report.facts, out));
  return lines.join("\n");
}

/** What somebody reads at night: will it boot, why not, what changed, what to do. And the finding that says so. */
function headlineOf(
  report: GuestReport,
  xen: HostFacts,
  out: Output,
): [lines: string[], cause: Finding | undefined] {
  const name = printable(report.name);
  const on = `on Xen ${printable(xenVersionText(xen))}`;
  if (report.verdict === "boots")
    return [[out.style("green", `${name} will boot ${on}.`)], undefined];
  if (report.verdict === "unknown") {
    const text = `domus cannot tell whether ${name} will boot ${on}: see below.`;
    return [wrap(text, out.width).map((line) => out.style("yellow", line)), undefined];
  }
  const lines = [out.style("red", out.style("bold", `${name} will not boot ${on}.`))];
  const cause = report.findings.find((one) => one.severity === "error");
  const change = report.findings.find((one) => one.code === RECENT_CHANGE.code);
  if (cause) lines.push(...wrapLabelled("because", printable(cause.what), out.width));
  if (change) lines.push(...wrapLabelled("changed", printable(change.what), out.width));
  if (cause?.next) lines.push(...wrapLabelled("do", printable(cause.next), out.width));
  return [lines, cause];
}

function detailLines(finding: Finding, out: Output): string[] {
  return findingLines({ ...finding, what: "", next: "" }, out);
}

export function findingLines(finding: Finding, out: Output): string[] {
  const style = SEVERITY_STYLE[finding.severity];
  return [
    `${out.style(style, finding.severity)} ${out.style("bold", finding.code)}`,
    ...(finding.what ? wrapLabelled("what", printable(finding.what), out.width) : []),
    ...wrapLabelled("where", printable(whereText(finding.where)), out.width),
    ...(finding.why ? wrapLabelled("why", printable(finding.why), out.width) : []),
    ...(finding.next ? wrapLabelled("next", printable(finding.next), out.width) : []),
  ];
}

function planLines(facts: GuestFacts, out: Output): string[] {
  const { boot } = facts;
  const line = (label: string, text: string) => wrapLabelled(label, printable(text), out.width);
  if (!boot)
    return [out.style("bold", "No boot plan"), ...line("", "Nothing on its disks names a kernel.")];
  if (boot.loader === "hvm-disk") {
    // What the disk's own code starts then is not read.
    return [out.style("bold", "What it would boot"), ...line("firmware", boot.because)];
  }
  const { kernel } = boot;
  const ramdisks = boot.files.filter((file) => file.role === "ramdisk").map((file) => file.path);
  return [
    out.style("bold", "What it would boot"),
    ...line("loader", `${boot.loader}, ${whereText(boot.source)}`),
    ...(boot.entry === undefined ? [] : line("entry", `${boot.entry} (${boot.because})`)),
    ...line("kernel", kernelText(boot)),
    ...(kernel?.decompressors
      ? line(
          "",
          `unpacks ${kernel.decompressors.supported.join(", ") || "no initramfs"} (${KNOWN_FROM[kernel.decompressors.source]})`,
        )
      : []),
    ...(ramdisks.length === 0
      ? line("initramfs", "none")
      : ramdisks.flatMap((path) => line("initramfs", initramfsText(path, boot)))),
    ...line("args", boot.args || "(none)"),
    ...line("root", rootText(boot)),
  ];
}

const KNOWN_FROM = {
  table: "read from the kernel's own table",
  ikconfig: "from the configuration inside the kernel",
  config: "from the kernel's /boot/config file",
  version: "guessed from its version",
} as const;

function kernelText(boot: PlannedBoot): string {
  const path = boot.files.find((file) => file.role === "kernel")?.path ?? "";
  const { kernel } = boot;
  if (!kernel) return `${path} (not read)`;
  const can = [kernel.pv ? "PV" : "", kernel.pvh ? "PVH" : ""].filter(Boolean).join(" and ");
  const what = [
    kernel.version ? `version ${kernel.version}` : "version unknown",
    kernel.packing === "none" ? "not packed" : `packed with ${kernel.packing}`,
    ...(kernel.bits ? [`${kernel.bits} bit`] : []),
    can ? `made for ${can}` : "not made for PV or PVH",
  ];
  return `${path} (${what.join(", ")})`;
}

function initramfsText(path: string, boot: PlannedBoot): string {
  const facts = boot.initramfs.find((one) => one.path === path);
  if (!facts) return `${path} (not read)`;
  const packed = facts.segments.map((one) => (one.early ? "early cpio" : one.compression));
  return `${path} (${packed.join(" + ")}, ${facts.generator}, ${sizeText(facts.sizeBytes)}, ${sizeText(facts.unpackedBytes)} unpacked)`;
}

function rootText(boot: PlannedBoot): string {
  const { root } = boot;
  if (!root) return "no root= is given";
  const place = rootPlace(boot);
  return place ? `${root.spec.text}: ${whereText(place)}` : `${root.spec.text}: not found`;
}

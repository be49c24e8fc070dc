/** All that is known of one guest, with every path. */
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import type { DomainFact, ImageFact } from "../../guest/inventory/facts.ts";
import { minuteText } from "../../guest/inventory/image-findings.ts";
import type { Inventory, InventoryGuest } from "../../guest/inventory/inventory.ts";
import { isClosed } from "../../guest/inventory/match.ts";
import type { MatchedBy, Part } from "../../guest/inventory/match.ts";
import { targetPath } from "../../guest/inventory/read-backings.ts";
import type { CheckVerdict } from "../../guest/inventory/verdicts.ts";
import { eventText } from "../../guest/watch/event-text.ts";
import { shorten } from "../../check/remedy.ts";
import type { GuestEvent } from "../../host/records.ts";
import type { SummaryDisk, SummaryNic } from "../../xen/domain-summary.ts";
import type { Output } from "../output.ts";
import { ageText } from "./age.ts";
import { seenBy } from "./events.ts";
import { wrapLabelled } from "./text.ts";

export type PageOptions = { readonly inventory: Inventory; readonly out: Output };

/** `events`: those that are worth showing, oldest first. */
export function guestPage(
  guest: InventoryGuest,
  events: readonly GuestEvent[],
  { inventory, out }: PageOptions,
): string {
  const { name, state, uuid, config, domains, images, has, check } = guest;
  const labelled = (label: string, text: string) => wrapLabelled(label, printable(text), out.width);
  const disks = (has?.disks ?? []).map((disk) => diskText(disk, inventory));
  const lines = [
    out.style("bold", headline(name, state)),
    ...domains.flatMap((part) => labelled("domain", domainText(part))),
    ...labelled("config", config?.path ?? "none that domus knows"),
    ...(config && config.realPath !== config.path ? labelled("is", config.realPath) : []),
    ...(config?.autostart ?? []).flatMap((path) => labelled("autostart", path)),
    ...(uuid === undefined ? [] : labelled("uuid", uuid)),
    ...(has ? labelled("has", machineText(guest)) : []),
    ...disks.flatMap((text) => labelled("disk", text)),
    ...(has?.nics ?? []).flatMap((nic) => labelled("network", nicText(nic))),
    ...images.flatMap((part) => [
      ...labelled("image", imageText(part)),
      ...proofTexts(part.fact).flatMap((text) => labelled("", text)),
    ]),
    ...(check ? labelled("boot check", checkText(check)) : []),
    ...events.flatMap((event) => labelled(...eventLine(event))),
  ];
  return [...lines, ...guest.findings.flatMap((one) => findingLines(one, out))].join("\n");
}

function headline(name: string, state: InventoryGuest["state"]): string {
  if (state === "unknown") return `What ${printable(name)} does is not known.`;
  return `${printable(name)} is ${state}.`;
}

/** Of a finding, with why and what next. */
export function findingLines(
  { severity, code, what, why, next }: InventoryGuest["findings"][number],
  out: Output,
): string[] {
  const style = severity === "error" ? "red" : severity === "warning" ? "yellow" : "dim";
  return [
    "",
    `${out.style(style, severity)}: ${code}`,
    ...wrapLabelled("what", printable(what), out.width),
    ...wrapLabelled("why", printable(why), out.width),
    ...wrapLabelled("next", printable(next), out.width),
  ];
}

/** Where it is not the uuid, it is good to know. */
function byText(by: MatchedBy): string {
  return by === "name" || by === "disks" ? `; matched by its ${by}` : "";
}

function domainText({ fact, by }: Part<DomainFact>): string {
  const { domid, name, state, memoryMib, vcpus } = fact;
  return `${domid} (${name}): ${state}, ${sizeText(memoryMib * 1024 * 1024)}, vcpus ${vcpus}${byText(by)}`;
}

function machineText({ has }: InventoryGuest): string {
  const { type, memoryKib, maxMemoryKib, vcpus, maxVcpus } = has!;
  const upTo = (text: string, most: string | undefined) =>
    most === undefined || most === text ? text : `${text} (up to ${most})`;
  const size = (kib: number | undefined) => (kib === undefined ? undefined : sizeText(kib * 1024));
  const memory = size(memoryKib);
  const cpus = vcpus ?? maxVcpus;
  return [
    ...(type === undefined ? [] : [type]),
    ...(memory === undefined ? [] : [upTo(memory, size(maxMemoryKib))]),
    ...(cpus === undefined ? [] : [`vcpus ${upTo(String(cpus), maxVcpus?.toString())}`]),
  ].join(", ");
}

function diskText(disk: SummaryDisk, { backings }: Inventory): string {
  const { vdev, target, format, readonly, cdrom } = disk;
  const path = targetPath(disk);
  const backing = path === undefined ? undefined : backings.get(path);
  const notes = [
    ...(format === "empty" ? [] : [format]),
    ...(cdrom ? ["CD-ROM"] : readonly ? ["read-only"] : []),
    ...(backing?.sizeBytes === undefined ? [] : [sizeText(backing.sizeBytes)]),
    ...(backing?.kind === "missing" ? ["not there"] : []),
    ...(backing?.kind === "not-visible" ? ["a device: not visible from here"] : []),
    ...(backing?.kind === "unreadable" ? ["not readable"] : []),
    ...(disk.elsewhere ? ["attached by a script or served by another domain"] : []),
  ];
  return `${vdev}: ${target === "" ? "empty" : (path ?? target)} (${notes.join(", ")})`;
}

function nicText({ mac, bridge }: SummaryNic): string {
  return `${mac ?? "a new MAC address at every start"}${bridge === undefined ? "" : ` on ${bridge}`}`;
}

function imageText({ fact, by }: Part<ImageFact>): string {
  const { path, sizeBytes, modifiedMs, restoredAtBoot, image, record } = fact;
  const xen = image?.stream?.xen;
  const notes = [
    sizeText(sizeBytes),
    ...(modifiedMs === undefined ? [] : [`written ${minuteText(modifiedMs)} UTC`]),
    ...(xen && xen.major > 0 ? [`by Xen ${xen.major}.${xen.minor}`] : []),
    ...(image
      ? [END_TEXT[image.end.kind]]
      : [isClosed(fact) ? "readable by root" : "not readable"]),
    ...(image && image.format !== "xl" ? [FORMAT_TEXT[image.format]] : []),
    ...(restoredAtBoot ? ["restored when the host starts"] : []),
    ...(record ? [RECORD_TEXT[record.state]] : []),
  ];
  return `${path} (${notes.join(", ")})${byText(by)}`;
}

/** Nothing where no fingerprint was compared. What comes from disks is escaped in it. */
function proofTexts({ proof }: ImageFact): string[] {
  if (!proof) return [];
  return [
    PROOF_TEXT[proof.verdict],
    ...proof.disks.map(({ vdev, path, same, proof: by, changes, doubts }) => {
      const said = [...changes, ...doubts].join(" ");
      const head =
        changes.length > 0 ? "changed" : same ? `unchanged (${BY_TEXT[by]})` : "not known";
      return `${vdev} (${path}): ${head}${said === "" ? "." : `. ${said}`}`;
    }),
  ];
}

const PROOF_TEXT = {
  unchanged: "good: proven, no disk was written to since the save",
  changed: "no longer fits its disks: proven",
  unknown: "no change of its disks was seen, which does not prove that there was none",
} as const;

const BY_TEXT = {
  counters: "the kernel counted no write",
  whole: "every byte was compared",
  times: "the file's times are the same",
  commits: "every filesystem is at the same commit",
  sample: "samples are the same",
  content: "by its content",
  none: "nothing could be compared",
} as const;

const RECORD_TEXT = {
  saving: "domus has not finished saving it",
  waiting: "recorded by domus",
  restored: "domus has restored it",
  aside: "kept aside by domus",
  missing: "recorded by domus as missing",
} as const;

function checkText({ verdict, atMs }: CheckVerdict): string {
  const said = { boots: "boots", fails: "will not boot", unknown: "could not be told" }[verdict];
  return `${said} (domus check, ${ageText(atMs, Date.now())} ago)`;
}

function eventLine(event: GuestEvent): [label: string, text: string] {
  const { kind, atMs } = event;
  const said = shorten(eventText(event), MAX_DETAIL);
  return [
    kind === "alarm" ? "ALARM" : "event",
    `${minuteText(atMs)} UTC by ${seenBy(event)}: ${said}`,
  ];
}

/** Of what an event has to say, in a list of them. */
const MAX_DETAIL = 400;

const END_TEXT = {
  complete: "complete",
  "cut-off": "cut off",
  unreadable: "damaged",
  unknown: "whether it is complete is not known",
} as const;

const FORMAT_TEXT = {
  "xl-legacy": "in the format before Xen 4.6",
  libvirt: "saved by libvirt, which domus does not look into",
  xend: "saved by xend, which domus does not look into",
} as const;

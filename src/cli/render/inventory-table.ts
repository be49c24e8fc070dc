/** Many guests: a line each, then what contradicts itself. */
import type { Finding } from "../../base/finding.ts";
import { printable } from "../../base/printable.ts";
import { countText, sizeText } from "../../base/units.ts";
import type { Inventory, InventoryGuest } from "../../guest/inventory/inventory.ts";
import { isPutAway } from "../../guest/inventory/match.ts";
import type { GuestState } from "../../guest/inventory/match.ts";
import { targetPath } from "../../guest/inventory/read-backings.ts";
import type { Output, Style } from "../output.ts";
import { shortAge } from "./age.ts";
import { wrap } from "./text.ts";

const STATE_STYLE: Readonly<Record<GuestState, Style>> = {
  running: "green",
  paused: "yellow",
  suspended: "yellow",
  crashed: "red",
  "shut-down": "yellow",
  dying: "yellow",
  unknown: "yellow",
  saved: "cyan",
  stopped: "dim",
};

const HEADER = ["GUEST", "STATE", "MEMORY", "DISKS", "CHECK", "CONFIG", "IMAGE"] as const;
/** Whatever the width. */
const ALWAYS = ["GUEST", "STATE"] as const;
/** The others, as far as there is room for them. */
const MOST_WANTED = ["CONFIG", "IMAGE", "CHECK", "MEMORY", "DISKS"] as const;
/** They are there where there is something in them. */
const SOMETIMES: ReadonlySet<string> = new Set(["CHECK", "IMAGE"]);

type Column = (typeof HEADER)[number];
type Row = Readonly<Record<Column, string>>;

export function inventoryTable(inventory: Inventory, out: Output): string {
  const { guests } = inventory;
  const rows = guests.map((guest) => rowOf(guest, inventory));
  const widths = new Map(
    HEADER.map((column) => [
      column,
      Math.max(column.length, ...rows.map((row) => row[column].length)),
    ]),
  );
  const columns = fitting(rows, widths, out.width);
  const cell = (column: Column, text: string) =>
    column === columns.at(-1) ? text : text.padEnd(widths.get(column)!);
  const head = columns.map((column) => cell(column, column)).join("  ");
  const lines = rows.map((row, index) =>
    columns
      .map((column) => {
        const text = cell(column, row[column]);
        return column === "STATE" ? styled(guests[index]!.state, text, out) : text;
      })
      .join("  ")
      .trimEnd(),
  );
  return [
    out.style("bold", head),
    ...lines,
    "",
    ...wrap(summaryText(guests), out.width),
    ...findingLines(inventory, out),
  ].join("\n");
}

function styled(state: GuestState, text: string, out: Output): string {
  return (
    out.style(STATE_STYLE[state], text.trimEnd()) + " ".repeat(text.length - text.trimEnd().length)
  );
}

function rowOf(guest: InventoryGuest, inventory: Inventory): Row {
  const { has, config, images, check } = guest;
  const [image, ...older] = images.filter(({ fact }) => !isPutAway(fact));
  return {
    GUEST: printable(guest.name),
    STATE: guest.state,
    MEMORY: has?.memoryKib === undefined ? "-" : sizeText(has.memoryKib * 1024),
    DISKS: disksText(guest, inventory),
    CHECK: check ? `${check.verdict} ${shortAge(check.atMs, Date.now())}` : "",
    CONFIG: config ? printable(config.path) : "-",
    IMAGE: image
      ? printable(image.fact.path) + (older.length > 0 ? ` and ${older.length} more` : "")
      : "",
  };
}

/** `2, 12 GiB`; CD-ROM drives are not counted. */
function disksText({ has }: InventoryGuest, { backings }: Inventory): string {
  if (!has) return "-";
  const disks = has.disks.filter(({ cdrom }) => !cdrom);
  const sizes = disks.map((disk) => backings.get(targetPath(disk) ?? "")?.sizeBytes);
  const known = sizes.filter((size) => size !== undefined);
  if (known.length === 0) return String(disks.length);
  const total = sizeText(known.reduce((sum, size) => sum + size, 0));
  return `${disks.length}, ${total}${known.length < sizes.length ? "+" : ""}`;
}

/** Those for which there is room; one that would be empty is none. What is too wide makes room for what is less important. */
function fitting(
  rows: readonly Row[],
  widths: ReadonlyMap<Column, number>,
  width: number,
): readonly Column[] {
  const taken = (columns: ReadonlySet<Column>) =>
    [...columns].reduce((sum, column) => sum + widths.get(column)! + 2, -2);
  const fit = new Set<Column>(ALWAYS);
  for (const column of MOST_WANTED) {
    if (SOMETIMES.has(column) && rows.every((row) => row[column] === "")) continue;
    if (taken(fit) + 2 + widths.get(column)! <= width) fit.add(column);
  }
  return HEADER.filter((column) => fit.has(column));
}

/** `3 guests: 2 running, 1 saved.` */
function summaryText(guests: readonly InventoryGuest[]): string {
  const counts = Map.groupBy(guests, ({ state }) => state);
  const parts = [...counts].map(([state, those]) => `${those.length} ${state}`);
  const total = countText(guests.length, "guest");
  return `${total}: ${parts.toSorted().join(", ")}. domus show GUEST says all of one.`;
}

/** Notes are for `show`. */
function findingLines({ guests, findings }: Inventory, out: Output): string[] {
  const all = [...guests.flatMap((guest) => guest.findings), ...findings];
  const told = all.filter(({ severity }) => severity !== "note");
  if (told.length === 0) return [];
  const errors = told.filter(({ severity }) => severity === "error");
  const others = told.filter(({ severity }) => severity !== "error");
  return ["", ...[...errors, ...others].flatMap((finding) => lineOf(finding, out))];
}

function lineOf({ severity, code, what }: Finding, out: Output): string[] {
  const label = out.style(severity === "error" ? "red" : "yellow", severity);
  const lines = wrap(`${printable(what)} (${code})`, out.width - 9);
  return lines.map((line, index) =>
    index === 0 ? `${label}${" ".repeat(9 - severity.length)}${line}` : `         ${line}`,
  );
}

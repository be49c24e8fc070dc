/** Events in words. Not escaped: names and targets are in them. */
import type { EventKind, GuestEvent } from "../../host/records.ts";

type Detail = GuestEvent["detail"];

/** `stopped: it was destroyed` */
export function eventText({ kind, detail }: Pick<GuestEvent, "kind" | "detail">): string {
  const said = TEXTS[kind](detail);
  return said === "" ? kind : `${kind}${kind === "alarm" ? ":" : ""} ${said}`;
}

const TEXTS: Readonly<Record<EventKind, (detail: Detail) => string>> = {
  created: (detail) => join("and paused", from(detail, "config")),
  started: (detail) => {
    const after = text(detail, "after");
    if (after === "crash") return "again after its crash";
    if (after === "stop") return "again after it stopped";
    return from(detail, "config");
  },
  rebooted: (detail) => {
    const before = detail["from"];
    return typeof before === "number" ? `(it was domain ${before})` : "";
  },
  stopped: (detail) =>
    join(
      STOPS[text(detail, "reason")] ?? "",
      detail["kept"] === true ? "(its domain is kept)" : "",
    ),
  crashed: (detail) =>
    join(
      text(detail, "reason") === "watchdog" ? "(its watchdog fired)" : "",
      text(detail, "action") === "" ? "" : `(on_crash: ${text(detail, "action")})`,
    ),
  saved: (detail) => {
    const goes = text(detail, "goesOn");
    const image = text(detail, "image");
    const to = image === "" ? "" : `to ${image}`;
    return join(to, goes === "" ? "" : goes === "paused" ? "and left paused" : "and goes on");
  },
  restored: (detail) =>
    join(from(detail, "image"), detail["paused"] === true ? "and left paused" : ""),
  paused: () => "",
  resumed: (detail) => (text(detail, "after") === "migration" ? "after a migration failed" : ""),
  attached: device,
  detached: device,
  "config-changed": (detail) => {
    if (typeof detail["config"] === "string") return fileChange(detail);
    const { from: was, to } = detail;
    const what = text(detail, "what");
    const unit = what === "memoryKib" ? " KiB" : "";
    const name = what === "memoryKib" ? "memory" : what;
    const both = was !== undefined && to !== undefined;
    return both ? `${name}: ${value(was)}${unit} -> ${value(to)}${unit}` : name;
  },
  renamed: (detail) => `from ${text(detail, "from")} to ${text(detail, "to")}`,
  migrated: (detail) =>
    text(detail, "direction") === "in" ? "to this host" : "away from this host",
  "image-aside": (detail) => text(detail, "image"),
  alarm: (detail) => text(detail, "what"),
};

const STOPS: Readonly<Record<string, string>> = {
  poweroff: "by itself or by xl shutdown",
  destroyed: "(destroyed)",
  reboot: "(it was to reboot, and did not come back)",
  host: "with the host",
  unknown: "",
};

function device(detail: Detail): string {
  const nic = text(detail, "nic");
  if (nic !== "") return `network card ${nic}`;
  const target = text(detail, "target");
  return join(text(detail, "vdev"), target === "" ? "" : `(${target})`);
}

/** `/etc/xen/web.cfg: memory 512 -> 1024, vcpus is gone` */
function fileChange(detail: Detail): string {
  const { changes, more } = detail;
  const path = text(detail, "config");
  const file = text(detail, "file");
  if (file !== "") return `${path} is ${file}`;
  if (!Array.isArray(changes)) return path;
  if (changes.length === 0) return `${path} (no setting: comments, order or layout)`;
  const told = changes.map((change: Detail) => {
    const [key, was, is] = [text(change, "key"), change["from"], change["to"]];
    if (is === undefined) return `${key} is gone`;
    return was === undefined ? `${key} = ${value(is)}` : `${key} ${value(was)} -> ${value(is)}`;
  });
  const others = typeof more === "number" ? [`${more} more`] : [];
  return `${path}: ${[...told, ...others].join(", ")}`;
}

function from(detail: Detail, key: string): string {
  const it = text(detail, key);
  return it === "" ? "" : `from ${it}`;
}

function text(detail: Detail, key: string): string {
  const it = detail[key];
  return typeof it === "string" ? it : "";
}

function value(it: unknown): string {
  return typeof it === "string" || typeof it === "number" ? String(it) : "?";
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

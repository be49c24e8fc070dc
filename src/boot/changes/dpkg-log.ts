/**
 * /var/log/dpkg.log: `2023-06-20 10:00:00 upgrade linux-image-amd64:amd64 6.1.25-1 6.1.27-1`, in local time without a
 * zone. dpkg says `upgrade` for every change of version; the versions tell which way it went. `purge`, `configure`,
 * `trigproc` and `status` lines change no installed version and are passed over.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { changeOf } from "./version.ts";

const LINE = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (install|upgrade|remove) (\S+) (\S+) (\S+)$/;

export function parseDpkgLog(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  for (const line of logLines(log)) {
    const [, when, verb, name, from, to] = LINE.exec(line.text) ?? [];
    const time = when === undefined ? undefined : parseLogTime(when);
    if (!time || name === undefined) continue;
    const before = version(from);
    const after = version(to);
    changes.push({
      ...time,
      action: verb === "upgrade" ? direction(before, after) : (verb as "install" | "remove"),
      // `linux-image-amd64:amd64`
      package: name.replace(/:[a-z0-9-]+$/, ""),
      // `install` with an old version: only its configuration had been left
      ...(before !== undefined && verb !== "install" && { from: before }),
      ...(after !== undefined && { to: after }),
      manager: "dpkg",
      where: line.where,
    });
  }
  return changes;
}

function version(text: string | undefined): string | undefined {
  return text === "<none>" ? undefined : text;
}

function direction(from?: string, to?: string): "upgrade" | "downgrade" | "reinstall" {
  return from === undefined || to === undefined ? "upgrade" : changeOf(from, to);
}

/**
 * /var/log/dnf5.log: what rpm does is logged as
 * `2026-04-30T03:56:52+0000 [18165] INFO RPM callback install start "cmake-0:3.31.11-1.fc43.x86_64" total 9084`;
 * for an upgrade an `uninstall start` of the old package follows. A run begins with
 * `INFO --- DNF5 launched with arguments: "dnf upgrade" ---`.
 *
 * Source: dnf5 libdnf5/rpm/transaction.cpp (`Transaction::ts_callback`). Not read: its transaction_history.sqlite.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { isInstallOnly, parseRpmName } from "./rpm-name.ts";
import { changeOf } from "./version.ts";

const LINE = /^(\S{16,32}) \[\d{1,10}\] INFO (.+)$/;
const START = /^RPM callback (install|uninstall) start "([^"\s]+)"/;
const LAUNCHED = /^--- DNF5 launched with arguments: "(.*)" ---$/;

export function parseDnf5Log(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  /** name and architecture -> index of an install that may turn out to be an upgrade */
  const open = new Map<string, number>();
  let command: string | undefined;
  for (const line of logLines(log)) {
    const [, when, message] = LINE.exec(line.text) ?? [];
    if (when === undefined || message === undefined) continue;
    const launched = LAUNCHED.exec(message);
    if (launched) {
      command = launched[1];
      open.clear();
    }
    const [, verb, text] = START.exec(message) ?? [];
    const time = verb === undefined ? undefined : parseLogTime(when);
    const what = text === undefined ? undefined : parseRpmName(text);
    if (!time || !what) continue;
    const key = `${what.name}.${what.arch}`;
    const index = open.get(key);
    if (verb === "uninstall" && index !== undefined) {
      const { to = "", ...rest } = changes[index]!;
      changes[index] = {
        ...rest,
        action: changeOf(what.version, to),
        from: what.version,
        to,
      };
      open.delete(key);
      continue;
    }
    if (verb === "install" && !isInstallOnly(what.name)) open.set(key, changes.length);
    changes.push({
      ...time,
      action: verb === "install" ? "install" : "remove",
      package: what.name,
      ...(verb === "install" ? { to: what.version } : { from: what.version }),
      manager: "dnf",
      where: line.where,
      ...(command !== undefined && { command }),
    });
  }
  return changes;
}

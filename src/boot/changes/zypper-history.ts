/**
 * /var/log/zypp/history: fields between `|`, local time without a zone.
 * `2020-04-11 12:38:20|install|cowsay|3.03-5.2|noarch|root@pc1|repo-oss|a28b...|`, `...|remove |...`, and before them
 * `2020-04-11 12:38:20|command|root@pc1|'zypper' 'install' 'cowsay'|`. What scripts print stands behind `#`.
 *
 * Source: libzypp zypp/HistoryLog.h. It says `install` for upgrades, too, and not what was there before: that is
 * known only when the log has it from an earlier time.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { isInstallOnly } from "./rpm-name.ts";
import { changeOf } from "./version.ts";

export function parseZypperHistory(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  /** name and architecture -> the version that the log had last */
  const installed = new Map<string, string>();
  let command: string | undefined;
  for (const line of logLines(log)) {
    if (line.text.startsWith("#")) continue;
    const [when = "", padded = "", name = "", version = "", arch = ""] = line.text.split("|", 6);
    const time = parseLogTime(when);
    const verb = padded.trimEnd();
    if (!time) continue;
    // The third field is who, the fourth what.
    if (verb === "command") command = version.replaceAll("'", "") || undefined;
    if ((verb !== "install" && verb !== "remove") || name === "" || version === "") continue;
    const key = `${name}.${arch}`;
    const before = isInstallOnly(name) ? undefined : installed.get(key);
    if (verb === "install") installed.set(key, version);
    else installed.delete(key);
    changes.push({
      ...time,
      action:
        verb === "remove" ? "remove" : before === undefined ? "install" : changeOf(before, version),
      package: name,
      ...(verb === "remove" ? { from: version } : { to: version }),
      ...(verb === "install" && before !== undefined && { from: before }),
      manager: "zypper",
      where: line.where,
      ...(command !== undefined && { command }),
    });
  }
  return changes;
}

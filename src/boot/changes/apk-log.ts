/**
 * /var/log/apk.log of apk-tools 3 (Alpine 3.23 and later). A run begins with
 * "Running `apk upgrade` at 2026-09-28 06:10:04", in UTC; then `(1/1) Upgrading jq (1.8.1-r0 -> 1.8.2-r0)`.
 *
 * apk-tools 2 kept no log: /lib/apk/db/installed knows when a package was built, not when it was installed.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText, LogTime } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";

const RUNNING = /^Running `(.*)` at (\S+ \S+)$/;
const CHANGE =
  /^\(\s{0,9}\d{1,9}\/\d{1,9}\) (Installing|Upgrading|Downgrading|Replacing|Reinstalling|Purging) (\S+) \(([^()]+)\)$/;

const ACTIONS = {
  Installing: "install",
  Upgrading: "upgrade",
  Downgrading: "downgrade",
  // Another build of the same version.
  Replacing: "reinstall",
  Reinstalling: "reinstall",
  Purging: "remove",
} as const;

/** Changes before the first `Running` line have no time and are left out. */
export function parseApkLog(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  let run: { command: string; time: LogTime } | undefined;
  for (const line of logLines(log)) {
    if (line.text.startsWith("Running `")) {
      const [, command, when] = RUNNING.exec(line.text) ?? [];
      const time = when === undefined ? undefined : parseLogTime(when);
      run = command !== undefined && time ? { command, time } : undefined;
    }
    const [, verb, name, versions] = CHANGE.exec(line.text) ?? [];
    if (!run || verb === undefined || name === undefined || versions === undefined) continue;
    const action = ACTIONS[verb as keyof typeof ACTIONS];
    const [first = versions, second] = versions.split(" -> ");
    changes.push({
      time: run.time.time,
      zoneKnown: true,
      action,
      package: name,
      ...(second !== undefined
        ? { from: first, to: second }
        : action === "remove"
          ? { from: first }
          : action === "reinstall"
            ? { from: first, to: first }
            : { to: first }),
      manager: "apk",
      where: line.where,
      command: run.command,
    });
  }
  return changes;
}

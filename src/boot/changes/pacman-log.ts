/**
 * /var/log/pacman.log. `[2017-07-20 10:35] [ALPM] upgraded linux (4.11.6-1 -> 4.11.7-1)`; since pacman 5.2 the time is
 * `[2019-09-20T12:00:00+0200]`; before 4.1 there is no `[ALPM]`. Local time without a zone in the older form.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";

const LINE = /^\[([^\]]{16,32})\] (?:\[([A-Z-]{1,32})\] )?(.*)$/;
const CHANGE = /^(installed|upgraded|downgraded|removed|reinstalled) (\S+) \(([^()]+)\)$/;
const COMMAND = /^Running '(.*)'$/;

const ACTIONS = {
  installed: "install",
  upgraded: "upgrade",
  downgraded: "downgrade",
  removed: "remove",
  reinstalled: "reinstall",
} as const;

/** In the order of the log. Lines that are not about packages are passed over. */
export function parsePacmanLog(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  let command: string | undefined;
  for (const line of logLines(log)) {
    const [, when, tag, message] = LINE.exec(line.text) ?? [];
    if (when === undefined || message === undefined) continue;
    // What a package's script prints must not pass for pacman's own words.
    if (tag === "PACMAN") command = COMMAND.exec(message)?.[1] ?? command;
    if (tag !== undefined && tag !== "ALPM") continue;
    const [, verb, name, versions] = CHANGE.exec(message) ?? [];
    const time = parseLogTime(when);
    if (!time || verb === undefined || name === undefined || versions === undefined) continue;
    const action = ACTIONS[verb as keyof typeof ACTIONS];
    const [first, second] = versions.split(" -> ");
    changes.push({
      ...time,
      action,
      package: name,
      ...(second !== undefined
        ? { from: first!, to: second }
        : action === "remove"
          ? { from: first! }
          : action === "reinstall"
            ? { from: first!, to: first! }
            : { to: first! }),
      manager: "pacman",
      where: line.where,
      ...(command !== undefined && { command }),
    });
  }
  return changes;
}

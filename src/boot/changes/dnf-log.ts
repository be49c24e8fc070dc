/**
 * /var/log/dnf.rpm.log of DNF 3 and 4: `2023-06-20T10:00:00+0000 SUBDEBUG Upgrade: kernel-core-6.3.8-200.fc38.x86_64`.
 * The new package comes as `Upgrade`, the one that it replaces later as `Upgraded`. Not read: the
 * history database.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { parseRpmName } from "./rpm-name.ts";

const LINE = /^(\S{16,32}) (?:SUBDEBUG|INFO) ([A-Z][a-z]+): (\S+)$/;

const ACTIONS: Readonly<Record<string, PackageChange["action"]>> = {
  Installed: "install",
  Upgrade: "upgrade",
  Downgrade: "downgrade",
  Reinstall: "reinstall",
  Erase: "remove",
  Removed: "remove",
};
/** Lines that name the package which was replaced. */
const REPLACED = new Set(["Upgraded", "Downgraded", "Reinstalled"]);

export function parseDnfLog(log: LogText): PackageChange[] {
  const changes: PackageChange[] = [];
  /** name and architecture -> index of a change that still lacks `from` */
  const open = new Map<string, number>();
  for (const line of logLines(log)) {
    if (line.text.includes("--- logging initialized ---")) open.clear();
    const [, when, verb, nevra] = LINE.exec(line.text) ?? [];
    if (when === undefined || verb === undefined || nevra === undefined) continue;
    const what = parseRpmName(nevra);
    const time = parseLogTime(when);
    if (!time || !what) continue;
    const { name, version, arch } = what;
    const key = `${name}.${arch}`;
    const index = open.get(key);
    if (REPLACED.has(verb) && index !== undefined) {
      changes[index] = { ...changes[index]!, from: version };
      open.delete(key);
      continue;
    }
    const action = Object.hasOwn(ACTIONS, verb) ? ACTIONS[verb] : undefined;
    if (action === undefined) continue;
    if (action !== "install" && action !== "remove") open.set(key, changes.length);
    changes.push({
      ...time,
      action,
      package: name,
      ...(action === "remove" ? { from: version } : { to: version }),
      manager: "dnf",
      where: line.where,
    });
  }
  return changes;
}

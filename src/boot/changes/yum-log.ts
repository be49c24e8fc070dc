/**
 * /var/log/yum.log of yum 2 and 3: `Aug 24 07:15:45 Updated: kernel-3.10.0-1160.71.1.el7.x86_64`, in local time without
 * a year. `Erased:` may have the name alone; yum 2 wrote `Updated: kernel-utils.x86_64 1:2.4-13.1.80`.
 */
import { logLines } from "./log-text.ts";
import type { LogLine, LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { parseRpmName } from "./rpm-name.ts";

const LINE =
  /^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (Installed|Dep-Installed|Updated|Downgraded|Reinstalled|Erased): (\S+)(?: (\S+))?$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY = 86_400;

const ACTIONS: Readonly<Record<string, PackageChange["action"]>> = {
  Installed: "install",
  "Dep-Installed": "install",
  Updated: "upgrade",
  Downgraded: "downgrade",
  Reinstalled: "reinstall",
  Erased: "remove",
};

type Found = { readonly match: RegExpExecArray; readonly line: LogLine };

/**
 * The years are counted back from when the file was last written: a line that would be later than the one after it is
 * a year older. A log that nothing was written to for a year and more comes out too new. Without `log.writtenAt`
 * nothing can be said.
 */
export function parseYumLog(log: LogText): PackageChange[] {
  if (log.writtenAt === undefined) return [];
  const found: Found[] = [];
  for (const line of logLines(log)) {
    const match = LINE.exec(line.text);
    if (match) found.push({ match, line });
  }
  const changes: PackageChange[] = [];
  // Local time may be ahead of UTC; yum writes in the order in which things happen, give or take a change of the clock.
  let latest = log.writtenAt + DAY;
  for (const { match, line } of found.reverse()) {
    const time = lastSuchTime(match, latest);
    const what = packageOf(match[7]!, match[8]);
    if (time === undefined || what === undefined) continue;
    latest = time + DAY;
    const action = ACTIONS[match[6]!]!;
    changes.push({
      time,
      zoneKnown: false,
      action,
      package: what.name,
      ...(what.version !== undefined &&
        (action === "remove" ? { from: what.version } : { to: what.version })),
      manager: "yum",
      where: line.where,
    });
  }
  return changes.reverse();
}

/** The last time before `latest` with the month, day and hour of the line. */
function lastSuchTime(match: RegExpExecArray, latest: number): number | undefined {
  const at = MONTHS.indexOf(match[1]!);
  if (at < 0 || at % 3 !== 0) return undefined;
  const day = Number(match[2]);
  const [hour, minute, second] = [3, 4, 5].map((index) => Number(match[index]));
  if (hour! > 23 || minute! > 59 || second! > 60) return undefined;
  const year = new Date(latest * 1000).getUTCFullYear();
  // 29 February comes every four years, but for a turn of a century.
  for (let back = 0; back <= 8; back++) {
    const ms = Date.UTC(year - back, at / 3, day, hour, minute, second);
    if (new Date(ms).getUTCMonth() !== at / 3) continue;
    if (ms / 1000 <= latest) return ms / 1000;
  }
  return undefined;
}

function packageOf(text: string, version?: string): { name: string; version?: string } | undefined {
  if (version !== undefined) {
    return { name: text.replace(/\.[a-z0-9_]+$/, ""), version: version.replace(/^0:/, "") };
  }
  // `Erased: nfs-utils`: without an architecture there is no version either.
  const full = parseRpmName(text);
  return full?.arch === undefined ? { name: text } : full;
}

/** What a person wrote behind `domus sync`, as what is meant. Pure. */
import { misuse } from "../../base/failure.ts";
import { GIB, KIB, MIB, TIB } from "../../base/units.ts";
import type { SyncEnd } from "../../guest/sync/sync-disks.ts";

/** `hostb`, `root@hostb`, `[fe80::1%eth0]`; what has a slash before the colon is a path, as scp has it. */
const REMOTE = /^((?:[^/:@[\]]+@)?(?:\[[^\]/]+\]|[^/:@[\]]+)):(.*)$/s;

export function parseEnd(text: string): SyncEnd {
  const remote = REMOTE.exec(text);
  if (!remote) {
    if (text === "") throw misuse("A name is empty.", "Name a device, a file or vg/lv.");
    return { path: text };
  }
  const [, host = "", path = ""] = remote;
  if (path === "")
    throw misuse(`${text} names no device or file.`, `Write ${text}/PATH, or ${text}vg/lv.`);
  // ssh would take it for an option.
  if (host.startsWith("-")) throw misuse(`${host} is no host.`, `For a file: ./${text}`);
  // ssh wants an address without the brackets.
  return { host: host.replace(/\[(.*)\]$/, "$1"), path };
}

/** `10M`: bytes in a second. 0 when nothing is said. */
export function parseRate(text: string | undefined): number {
  if (text === undefined) return 0;
  const found = /^(\d{1,6}(?:\.\d{1,3})?)([KMG])(?:i?B)?(?:\/s)?$/i.exec(text);
  const bytes = found ? Math.floor(Number(found[1]) * UNITS[found[2]!.toUpperCase()]!) : 0;
  if (bytes >= KIB) return bytes;
  throw misuse(
    `--bwlimit ${text} is no rate${found ? " that a copy would end with" : ""}.`,
    "Give bytes a second with their unit: 500K, 10M, 1G. (100 Mbit/s are 12M.)",
  );
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: KIB, M: MIB, G: GIB, T: TIB };

/** `8G`, or bytes. Undefined when nothing is said. */
export function parseSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const found = /^(\d{1,15})(?:([KMGT])(?:i?B)?)?$/i.exec(text);
  const bytes = found ? Number(found[1]) * UNITS[(found[2] ?? "").toUpperCase()]! : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw misuse(
    `--size ${text} is no size.`,
    "Give bytes, or a number with K, M, G or T: --size 8G.",
  );
}

export const DEFAULT_TIMEOUT_SECONDS = 60;
const MAX_TIMEOUT_SECONDS = 86_400;

export function parseTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_SECONDS;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_TIMEOUT_SECONDS) return seconds;
  throw misuse(
    `--timeout ${text} is no time.`,
    `Give whole seconds, from 1 to ${MAX_TIMEOUT_SECONDS}.`,
  );
}

/** A command with its arguments, split at blanks; quotes keep a word together, as in a shell. */
export function splitCommand(text: string): readonly string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)/gsy;
  let end = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    end = pattern.lastIndex;
    words.push(
      found[1]!.replaceAll(
        /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
        (_, single?: string, double?: string, escaped?: string) =>
          single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? escaped!,
      ),
    );
  }
  if (words.length > 0 && text.slice(end).trim() === "") return words;
  throw misuse(
    words.length === 0 ? "--ssh names no command." : `--ssh ${text} has a quote that does not end.`,
    "Give a command with its arguments: --ssh 'ssh -p 2222'.",
  );
}

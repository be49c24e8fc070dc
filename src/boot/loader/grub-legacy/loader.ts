/**
 * GRUB 0.97, "GRUB legacy": menu.lst, or grub.conf as Red Hat calls it. GRUB's own installation (stage1, stage2, the
 * path of the menu inside it) is not read; the menu is looked for where distributions put it.
 *
 * Not supported: menus that an entry leads to (`configfile`), BSD partitions, block lists, the network.
 */
import { Budget } from "../../../base/budget.ts";
import type { Finding } from "../../../base/finding.ts";
import { MIB } from "../../../base/units.ts";
import { overLimit } from "../../../base/failure.ts";
import { isFile, readTextFile } from "../boot-file.ts";
import { grubDefault } from "../grub-default.ts";
import type { BootVolume, Loader, LoaderResult } from "../loader.ts";
import { chooseLegacy } from "./choose.ts";
import { parseMenu } from "./parser.ts";
import { runEntry } from "./run-entry.ts";
import type { Ran } from "./run-entry.ts";

/** `grub.conf` is Red Hat's, with a link menu.lst to it. */
const PATHS = ["/boot/grub/menu.lst", "/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"];
/** GRUB reads the file into 32 KiB or so; what a real menu has is a tenth of that. */
const MAX_CONFIG_BYTES = MIB;
const MAX_ENTRIES = 1_000;
const MAX_LOOKS = 10_000;

export const grubLegacyLoader: Loader = { name: "grub-legacy", find: findGrubLegacy };

async function findGrubLegacy(
  volume: BootVolume,
  all: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderResult | undefined> {
  for (const path of PATHS) {
    if (await isFile(volume.fs, path)) {
      return evaluateMenu({ volume, path, volumes: all, ...(signal && { signal }) });
    }
  }
  return undefined;
}

export type LegacyOptions = {
  readonly volume: BootVolume;
  readonly path: string;
  readonly volumes: readonly BootVolume[];
  readonly signal?: AbortSignal;
};

/** Fails with `limit` for a menu larger than any real one, and with what a damaged filesystem says. */
export async function evaluateMenu(options: LegacyOptions): Promise<LoaderResult> {
  const { volume, path, volumes, signal } = options;
  const where = [...volume.fs.where, path];
  const read = { limitBytes: MAX_CONFIG_BYTES, ...(signal && { signal }) };
  const menu = parseMenu((await readTextFile(volume.fs, path, read)) ?? "");
  if (menu.entries.length > MAX_ENTRIES) {
    throw overLimit(where, "the number of entries", `${MAX_ENTRIES}`);
  }
  const beside = path.slice(0, path.lastIndexOf("/") + 1);
  const saved = await readTextFile(volume.fs, `${beside}default`, read);
  const budget = new Budget(MAX_LOOKS, where, "the number of looks at filesystems");
  const hasPassword = menu.settings.some(({ name }) => name === "password");
  const ran: Ran[] = [];
  for (const entry of menu.entries) {
    const run = { volume, volumes, budget, hasPassword, ...(signal && { signal }) };
    ran.push(await runEntry(entry, run));
  }
  const { tried, unmatched, ...choice } = chooseLegacy({ settings: menu.settings, ran, saved });
  const locked = tried.map((index) => ran[index]!).find((one) => one.locked);
  return {
    loader: "grub-legacy",
    volume,
    configPath: path,
    entries: ran.map(({ boot }) => boot),
    ...choice,
    findings: [
      ...(locked ? [passwordFinding(where, locked.boot.title)] : []),
      ...(unmatched === undefined ? [] : [defaultFinding(where, unmatched, choice.because)]),
    ],
    where,
  };
}

function passwordFinding(where: readonly string[], title: string): Finding {
  return {
    code: "grub-password",
    severity: "warning",
    where,
    what: `GRUB asks for a password before it starts "${title}".`,
    why: "The entry has `lock` or `password` in it.",
    next: "In the guest, take `lock` or `password` out of the entry in menu.lst.",
  };
}

function defaultFinding(where: readonly string[], said: string, instead: string): Finding {
  const next =
    "In the guest, correct `default` in menu.lst; where it is saved, grub-set-default N.";
  return grubDefault(where, { said, instead, next });
}

/**
 * The SYSLINUX family: extlinux.conf, syslinux.cfg, isolinux.cfg, all of one format.
 *
 * Not supported: other filesystems than the one of the configuration, the network, checks of the machine that modules
 * do (ifcpu.c32, whichsys.c32), submenus that are the default.
 */
import { Budget } from "../../../base/budget.ts";
import { overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { isFile } from "../boot-file.ts";
import type { BootEntry, BootVolume, Loader, LoaderResult } from "../loader.ts";
import { chooseLabel, menuModule } from "./choose.ts";
import type { Choice } from "./choose.ts";
import { readConfig } from "./config.ts";
import type { Config, Label } from "./config.ts";
import { readEntry } from "./entry.ts";
import type { EntryPlace } from "./entry.ts";
import { readStatements, resolveName } from "./statements.ts";
import type { Place, Statement } from "./statements.ts";

/** Where distributions put it; SYSLINUX itself knows the directory that it was installed into. */
const PATHS = ["/boot/extlinux", "/extlinux", "/boot/syslinux", "/syslinux", "/boot", ""].flatMap(
  (directory) => [`${directory}/extlinux.conf`, `${directory}/syslinux.cfg`],
);
const ISO_PATHS = ["/boot/isolinux/isolinux.cfg", "/isolinux/isolinux.cfg", "/isolinux.cfg"];

const MAX_ENTRIES = 1_000;
const MAX_LOOKS = 10_000;
/** Files that the menu module is given. */
const MAX_MENU_FILES = 16;

export const extlinuxLoader: Loader = { name: "extlinux", find: findExtlinux };

async function findExtlinux(
  volume: BootVolume,
  _all: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderResult | undefined> {
  for (const path of [...PATHS, ...ISO_PATHS]) {
    if (await isFile(volume.fs, path)) {
      return evaluateExtlinux({ volume, path, ...(signal && { signal }) });
    }
  }
  return undefined;
}

export type ExtlinuxOptions = {
  readonly volume: BootVolume;
  readonly path: string;
  readonly signal?: AbortSignal;
};

/** Fails with `limit` for more than any real configuration has, and with what a damaged filesystem says. */
export async function evaluateExtlinux(options: ExtlinuxOptions): Promise<LoaderResult> {
  const { volume, path, signal } = options;
  const where = within(volume.fs.where, path);
  const directory = path.slice(0, path.lastIndexOf("/"));
  const budget = new Budget(MAX_LOOKS, where, "the number of looks at the filesystem");
  const place: EntryPlace = { volume, directory, budget, ...(signal && { signal }) };
  const config = await readWithMenu(path, place);
  if (config.labels.length > MAX_ENTRIES) {
    throw overLimit(where, "the number of labels", `${MAX_ENTRIES}`);
  }
  const choice = chooseLabel(config);
  const entries: BootEntry[] = [];
  for (const label of config.labels) entries.push(await readEntry({ label, config }, place));
  const chosen = await startOf({ choice, config, entries }, place);
  const entry = chosen === undefined ? undefined : entries[chosen];
  return {
    loader: "extlinux",
    volume,
    configPath: path,
    entries,
    ...(chosen !== undefined && { chosen }),
    because: choice.because + whyNot(entry),
    timeout: choice.timeout,
    findings: [],
    where,
  };
}

/** A menu module may be told to read other files in place of the one that started it. */
async function readWithMenu(path: string, place: Place): Promise<Config> {
  const config = readConfig((await readStatements(path, place)) ?? []);
  const files = menuModule(config)?.files ?? [];
  if (files.length === 0) return config;
  const statements: Statement[] = [];
  for (const name of files.slice(0, MAX_MENU_FILES)) {
    const file = resolveName(name, place);
    if (file !== undefined) statements.push(...((await readStatements(file, place)) ?? []));
  }
  const menu = readConfig(statements);
  const ui = config.settings.get("ui") ?? config.settings.get("default")!;
  return { ...menu, settings: new Map([...menu.settings, ["ui", ui]]) };
}

type Start = { readonly choice: Choice; readonly config: Config; readonly entries: BootEntry[] };

/** The index of what is started; what is no label as it stands becomes an entry at the end of the list. */
async function startOf({ choice, config, entries }: Start, place: EntryPlace) {
  const { start } = choice;
  if (!start) return undefined;
  if ("index" in start) {
    const label = config.labels[start.index]!;
    if (start.extra !== "") {
      entries[start.index] = await readEntry({ label, config, extra: start.extra }, place);
    }
    return start.index;
  }
  const { command, line } = start;
  const label: Label = {
    name: command,
    title: command,
    line,
    submenus: [],
    type: "kernel",
    file: command,
    initrd: "",
    hidden: false,
  };
  entries.push(await readEntry({ label, config }, place));
  return entries.length - 1;
}

function whyNot(entry: BootEntry | undefined): string {
  if (!entry) return "";
  const [missing] = entry.missing;
  if (missing) return `; it names ${missing.path}, which is not there`;
  return entry.problem === undefined ? "" : `; it fails: ${entry.problem}`;
}

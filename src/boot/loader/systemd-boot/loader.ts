/**
 * Entries of the Boot Loader Specification without GRUB: systemd-boot on an EFI system partition with its loader.conf,
 * entries that something else is to read, and unified kernel images. What is remembered in UEFI's variables (the entry
 * chosen once or for good with `bootctl`) is not on the disk.
 */
import { fileNames, isFile, quoted, readTextFile } from "../boot-file.ts";
import type { BootVolume, Loader, LoaderResult } from "../loader.ts";
import { parseBlsEntry } from "../grub2/bls.ts";
import { matchesGlob } from "./glob.ts";
import { compareItems } from "./item.ts";
import type { Item } from "./item.ts";
import { readType1 } from "./type1.ts";
import { readUkis, UKI_DIRECTORY } from "./uki.ts";

const LOADER_CONF = "/loader/loader.conf";
const CONFIG_LIMIT = 64 * 1024;
/** Partition types of the Discoverable Partitions Specification. */
const XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172";

export const systemdBootLoader: Loader = {
  name: "systemd-boot",
  yieldsTo: "others on the volume",
  find: findSystemdBoot,
};

async function findSystemdBoot(
  volume: BootVolume,
  all: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderResult | undefined> {
  const { fs } = volume;
  const installed = await isInstalled(volume);
  const sameDisk = all.filter((one) => one !== volume && one.diskIndex === volume.diskIndex);
  const isExtension = volume.partition?.type === XBOOTLDR;
  // Its entries belong to the menu of the EFI system partition.
  if (isExtension && (await anyInstalled(sameDisk))) return undefined;
  const extensions = installed ? sameDisk.filter((one) => one.partition?.type === XBOOTLDR) : [];
  const type1: Item[] = [];
  const images: Item[] = [];
  for (const one of [volume, ...extensions]) {
    type1.push(...(await readType1({ volume: one, base: "", ...(signal && { signal }) })));
    images.push(...(await readUkis(one, signal)));
  }
  let base = "";
  if (type1.length === 0 && images.length === 0 && !installed) {
    base = "/boot";
    type1.push(...(await readType1({ volume, base, ...(signal && { signal }) })));
  }
  if (type1.length === 0 && images.length === 0 && !installed) return undefined;
  // A kernel that is not there keeps an entry out of systemd-boot's menu.
  const items = [...type1, ...images].filter(isInMenu).sort(compareItems);
  const options = { limitBytes: CONFIG_LIMIT, ...(signal && { signal }) };
  const conf = installed ? await readTextFile(fs, LOADER_CONF, options) : undefined;
  const name = installed ? "systemd-boot" : type1.length > 0 ? "bls" : "uki";
  const configPath =
    conf !== undefined ? LOADER_CONF : name === "uki" ? UKI_DIRECTORY : `${base}/loader/entries`;
  return {
    loader: name,
    volume,
    configPath,
    entries: items.map(({ entry }) => entry),
    ...choose(items, name, conf ?? ""),
    findings: [],
    where: [...fs.where, configPath],
  };
}

function isInMenu({ entry }: Item): boolean {
  return !entry.kernel || !entry.missing.includes(entry.kernel);
}

async function isInstalled({ fs }: BootVolume): Promise<boolean> {
  if (await isFile(fs, LOADER_CONF)) return true;
  const names = await fileNames(fs, "/EFI/systemd", { limit: 16 });
  return names.some((name) => /^systemd-boot.*\.efi$/i.test(name));
}

async function anyInstalled(volumes: readonly BootVolume[]): Promise<boolean> {
  for (const volume of volumes) if (await isInstalled(volume)) return true;
  return false;
}

type Choice = Pick<LoaderResult, "chosen" | "because" | "timeout">;

function choose(items: readonly Item[], name: LoaderResult["loader"], conf: string): Choice {
  const fields = parseBlsEntry(conf, "loader.conf").fields;
  const last = (key: string) => fields.findLast(([one]) => one === key)?.[1];
  const timeout = name === "systemd-boot" ? { timeout: readTimeout(last("timeout")) } : {};
  if (items.length === 0) return { because: "there are no entries", ...timeout };
  const pattern = last("default");
  const { index, because } = defaultItem(items, pattern);
  const unsure =
    name === "uki" ? "; which image UEFI starts is in its variables, not on the disk" : "";
  return { chosen: index, because: because + whyNot(items[index]!) + unsure, ...timeout };
}

function defaultItem(items: readonly Item[], pattern: string | undefined) {
  if (pattern === undefined) {
    return { index: 0, because: "first in the order of versions: no default is set" };
  }
  if (pattern.startsWith("@")) {
    const because = `first in the order of versions: default ${pattern} is kept in UEFI's variables`;
    return { index: 0, because };
  }
  const index = items.findIndex(({ id }) => matchesGlob(pattern.toLowerCase(), id.toLowerCase()));
  const text = `default ${quoted(pattern)} in loader.conf`;
  return index < 0
    ? { index: 0, because: `first in the order of versions: ${text} matches no entry` }
    : { index, because: text };
}

function whyNot({ entry: { missing, problem } }: Item): string {
  if (missing[0]) return `; it names ${missing[0].path}, which is not there`;
  return problem === undefined ? "" : `; it fails: ${problem}`;
}

/** In seconds; without one the menu is not shown. */
function readTimeout(value: string | undefined): number {
  if (value === "menu-force") return -1;
  return Number(/^\d{1,9}$/.exec(value ?? "")?.[0] ?? "0");
}

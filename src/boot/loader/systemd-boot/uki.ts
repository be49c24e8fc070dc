/**
 * Unified kernel images, `EFI/Linux/*.efi`: entries of type 2 of the Boot Loader Specification. Kernel, initramfs and
 * command line are sections of one EFI program (https://uapi-group.org/specifications/specs/unified_kernel_image/).
 *
 * Not supported: several profiles in one image, add-ons.
 */
import { attempt, overLimit } from "../../../base/failure.ts";
import type { Result } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { decodeCString } from "../../../bytes/text.ts";
import type { Inode } from "../../../disk/fs/filesystem.ts";
import { findPath } from "../../../disk/fs/resolve.ts";
import { parsePeTable } from "../../kernel/pe.ts";
import type { PeTableEntry } from "../../kernel/pe.ts";
import { fileNames } from "../boot-file.ts";
import type { BootFile, BootVolume } from "../loader.ts";
import { parseCounter } from "./item.ts";
import type { Item } from "./item.ts";

/** The headers are in the first page or two. */
const HEAD_BYTES = 64 * 1024;
/** Of .cmdline and .osrel, in bytes. */
const MAX_TEXT = 64 * 1024;
const MAX_IMAGES = 100;

export const UKI_DIRECTORY = "/EFI/Linux";

/** One that is damaged is in the list, with its problem. */
export async function readUkis(volume: BootVolume, signal?: AbortSignal): Promise<Item[]> {
  const items: Item[] = [];
  const options = { limit: 4 * MAX_IMAGES, ...(signal && { signal }) };
  for (const name of await fileNames(volume.fs, UKI_DIRECTORY, options)) {
    if (name.startsWith(".") || !/[^.]\.efi$/i.test(name)) continue;
    if (items.length >= MAX_IMAGES) break;
    signal?.throwIfAborted();
    const file = { volume, path: `${UKI_DIRECTORY}/${name}` };
    const found = await findPath(volume.fs, file.path);
    if (found?.inode.kind !== "file") continue;
    const read = await attempt(() => readSections(file, found.inode, signal));
    items.push(itemOf(file, name, read));
  }
  return items;
}

type Sections = {
  readonly names: ReadonlySet<string>;
  readonly cmdline: string;
  readonly osRelease: ReadonlyMap<string, string>;
};

async function readSections(
  { volume, path }: BootFile,
  inode: Inode,
  signal?: AbortSignal,
): Promise<Sections> {
  const { fs } = volume;
  const where = within(fs.where, path);
  const table = parsePeTable(await fs.read(inode, 0, HEAD_BYTES, signal), where);
  const text = async (name: string): Promise<string> => {
    const section = table.find((one) => one.name === name);
    return section ? sectionText(section) : "";
  };
  const sectionText = async ({ name, offset, sizeBytes }: PeTableEntry): Promise<string> => {
    if (sizeBytes > MAX_TEXT) {
      throw overLimit(within(where, name), `its size of ${sizeBytes} bytes`, `${MAX_TEXT}`);
    }
    return decodeCString(await fs.read(inode, offset, sizeBytes, signal));
  };
  return {
    names: new Set(table.map(({ name }) => name)),
    cmdline: (await text(".cmdline")).trim(),
    osRelease: parseOsRelease(await text(".osrel")),
  };
}

function itemOf(file: BootFile, name: string, read: Result<Sections>): Item {
  const sections = read.ok ? read.value : undefined;
  const os = (...keys: string[]) =>
    keys.map((key) => sections?.osRelease.get(key)).find((value) => value !== undefined);
  const version = os("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID") ?? "";
  const sortKey = os("IMAGE_ID", "ID");
  const problem = problemOf(read);
  return {
    ...parseCounter(name),
    entry: {
      title: os("PRETTY_NAME", "IMAGE_ID", "NAME", "ID") ?? name,
      id: name,
      submenus: [],
      kind: "linux",
      kernel: file,
      // In the order in which the stub hands them on.
      ramdisks: [".ucode", ".initrd"]
        .filter((section) => sections?.names.has(section))
        .map((section) => ({ ...file, section })),
      args: sections?.cmdline ?? "",
      missing: [],
      line: 1,
      ...(problem !== undefined && { problem }),
    },
    machineId: "",
    version,
    ...(sortKey !== undefined && { sortKey }),
  };
}

function problemOf(read: Result<Sections>): string | undefined {
  if (!read.ok) return "it is no EFI program that can be read";
  return read.value.names.has(".linux") ? undefined : "it has no kernel in it";
}

/** `KEY=value` lines with shell quotes. */
export function parseOsRelease(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim());
    if (!match) continue;
    const quotes = /^(["'])(.*)\1$/.exec(match[2]!);
    out.set(match[1]!, quotes ? quotes[2]!.replace(/\\(["\\$`])/g, "$1") : match[2]!);
  }
  return out;
}

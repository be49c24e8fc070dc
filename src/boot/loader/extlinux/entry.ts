/** A label, or a command line that is none, as an entry: which files, which arguments, what of it is there. */
import type { Budget } from "../../../base/budget.ts";
import { isFile } from "../boot-file.ts";
import type { BootEntry, BootFile } from "../loader.ts";
import type { Config, Label } from "./config.ts";
import { firstWord, resolveName } from "./statements.ts";
import type { Place } from "./statements.ts";

export type EntryPlace = Place & {
  /** Each look at the filesystem costs one. */
  readonly budget: Budget;
};

/** By the extension KERNEL knows what is no kernel: modules, boot sectors, disk images. */
const NOT_A_KERNEL = /\.(c32|com|cbt|bss|bs|bin|0|img)$/i;

export type EntryOptions = {
  readonly label: Label;
  readonly config: Config;
  /** What follows the label's name where it is started: DEFAULT has it at times. */
  readonly extra?: string;
};

export async function readEntry(
  { label, config, extra = "" }: EntryOptions,
  place: EntryPlace,
): Promise<BootEntry> {
  const { title, name, submenus, line, type } = label;
  const own = label.append ?? config.settings.get("append")?.value ?? "";
  // `APPEND -` stands for nothing, in place of the global one.
  const args = [own === "-" ? "" : own, extra].filter(Boolean).join(" ");
  const base = { title, id: name, submenus, line };
  const nothing = { ...base, args, ramdisks: [], missing: [] };
  if (type === "localboot") return { ...nothing, kind: "chain" };
  if (type === "config" || type === "other") return { ...nothing, kind: "other" };
  // Arguments may follow the name here as well.
  const [file, words] = firstWord(label.file);
  const all = [words, args].filter(Boolean).join(" ");
  if (type === "kernel" && /(^|\/)mboot\.c32$/i.test(file)) {
    return { ...base, ...(await multiboot(all, place)) };
  }
  if (type === "kernel" && NOT_A_KERNEL.test(file)) return { ...nothing, args: all, kind: "other" };
  return { ...base, ...(await linux({ file, args: all, initrd: label.initrd }, place)) };
}

type Loaded = Pick<BootEntry, "kind" | "args" | "ramdisks" | "missing"> &
  Partial<Pick<BootEntry, "kernel" | "hypervisor" | "problem">>;

async function linux(
  { file, args, initrd }: { file: string; args: string; initrd: string },
  place: EntryPlace,
): Promise<Loaded> {
  // The last initrd= of the command line goes before the directive; both take several, with commas.
  const word = args.split(/\s+/).findLast((one) => one.startsWith("initrd="));
  const given = word?.slice("initrd=".length) ?? initrd;
  const files = [file, ...given.split(",").filter(Boolean)];
  const { found, missing, problem } = await look(files, place);
  const [kernel, ...ramdisks] = found;
  return { kind: "linux", args, ramdisks, missing, ...(kernel && { kernel }), ...problem };
}

/** `mboot.c32 xen.gz options --- vmlinuz options --- initrd` */
async function multiboot(args: string, place: EntryPlace): Promise<Loaded> {
  const modules = args.split(/(?:^|\s)---(?:\s|$)/).map((module) => firstWord(module.trim()));
  const names = modules.map(([name]) => name).slice(0, MAX_FILES);
  const { found, missing, problem } = await look(names, place);
  const [hypervisor, kernel, ...ramdisks] = found;
  return {
    kind: "hypervisor",
    args: modules[1]?.[1] ?? "",
    ramdisks,
    missing,
    ...(hypervisor && { hypervisor }),
    ...(kernel && { kernel }),
    ...problem,
  };
}

/** More than anybody loads. */
const MAX_FILES = 64;

async function look(
  names: readonly string[],
  place: EntryPlace,
): Promise<{ found: BootFile[]; missing: BootFile[]; problem: { problem?: string } }> {
  const { volume, budget, signal } = place;
  const found: BootFile[] = [];
  const missing: BootFile[] = [];
  for (const name of names.slice(0, MAX_FILES)) {
    const path = resolveName(name, place);
    if (path === undefined) {
      const problem = `${name.slice(0, 80) || "an empty name"} is no file on this filesystem`;
      return { found, missing, problem: { problem } };
    }
    budget.spend();
    signal?.throwIfAborted();
    const file = { volume, path };
    found.push(file);
    if (!(await isFile(volume.fs, path))) missing.push(file);
  }
  return { found, missing, problem: {} };
}

/** What an entry loads and starts: `linux`, `initrd`, `multiboot`, `module`, `chainloader` and their relatives. */
import type { BootFile } from "../../loader.ts";
import { fileExists, parseGrubPath } from "../devices.ts";
import { BAD_ARGUMENT, configWhere, FILE_NOT_FOUND, fileOf, note, OK } from "../machine.ts";
import type { Loaded, Machine } from "../machine.ts";
import type { Call, CommandFunction, CommandTable } from "./call.ts";

/**
 * Words as GRUB hands them to a kernel (grub-core/lib/cmdline.c): a word with a space gets double quotes, and `\`,
 * `'` and `"` get a `\` before them.
 */
function loaderCommandLine(words: readonly string[]): string {
  return words
    .map((word) => {
      const escaped = word.replace(/[\\'"]/g, "\\$&");
      return word.includes(" ") ? `"${escaped}"` : escaped;
    })
    .join(" ");
}

/** The file that a path names and whether it is there; says what is wrong when the path names nothing. */
async function locate(
  machine: Machine,
  path: string,
): Promise<{ file: BootFile; found: boolean } | undefined> {
  const file = fileOf(machine, path);
  if ("problem" in file) {
    machine.problem ??= file.problem;
    return undefined;
  }
  return { file, found: await fileExists(machine.devices, file) };
}

/** Without what stands before the path: `--quirk-bad-kludge`, `--nounzip`. */
function withoutOptions(args: readonly string[]): readonly string[] {
  const first = args.findIndex((word) => !word.startsWith("--"));
  return first < 0 ? [] : args.slice(first);
}

function loadKernel(kind: Loaded["kind"]): CommandFunction {
  return async (machine, { args }: Call) => {
    const [path, ...rest] = kind === "hypervisor" ? withoutOptions(args) : args;
    if (path === undefined) return BAD_ARGUMENT;
    const located = await locate(machine, path);
    const found = located?.found ?? false;
    machine.loaded = {
      kind,
      args: loaderCommandLine(rest),
      ok: found,
      ...(located && { kernel: located.file }),
      ramdisks: [],
      modules: [],
      missing: located && !found ? [located.file] : [],
    };
    return found ? OK : FILE_NOT_FOUND;
  };
}

/**
 * GRUB refuses this without a kernel, and boots without ramdisks when one of them is missing. They are noted all the
 * same: it is what the entry asks for.
 */
async function initrd(machine: Machine, { args }: Call): Promise<number> {
  const { loaded } = machine;
  if (args.length === 0 || loaded?.kind !== "linux") return BAD_ARGUMENT;
  let status = loaded.ok ? OK : BAD_ARGUMENT;
  for (const word of args) {
    // `newc:name:path` puts one file into a cpio archive of its own.
    const located = await locate(machine, word.replace(/^newc:[^:]*:/, ""));
    if (!located) {
      status = FILE_NOT_FOUND;
      continue;
    }
    loaded.ramdisks.push(located.file);
    if (located.found) continue;
    loaded.missing.push(located.file);
    status = FILE_NOT_FOUND;
  }
  return status;
}

async function module(machine: Machine, { args }: Call): Promise<number> {
  const { loaded } = machine;
  const [path, ...rest] = withoutOptions(args);
  if (path === undefined || loaded?.kind !== "hypervisor") return BAD_ARGUMENT;
  const located = await locate(machine, path);
  if (!located) return FILE_NOT_FOUND;
  loaded.modules.push({ file: located.file, args: loaderCommandLine(rest) });
  if (!located.found) loaded.missing.push(located.file);
  return located.found ? OK : FILE_NOT_FOUND;
}

/** A file, or sectors as in `(hd0)+1`. */
async function chainloader(machine: Machine, { args }: Call): Promise<number> {
  const path = args.find((word) => !word.startsWith("--"));
  if (path === undefined) return BAD_ARGUMENT;
  const parsed = parseGrubPath(path);
  const isSectors = parsed !== undefined && /^[0-9]*\+[0-9]/.test(parsed.path);
  const located = isSectors ? undefined : await locate(machine, path);
  const missing = located && !located.found ? [located.file] : [];
  // Sectors can be read of any disk, also of one without a filesystem that domus knows.
  const ok = isSectors || located?.found === true;
  machine.loaded = { kind: "chain", args: "", ok, ramdisks: [], modules: [], missing };
  return ok ? OK : FILE_NOT_FOUND;
}

/** Systems that domus says nothing about, beyond that they are not Linux. */
async function otherKernel(machine: Machine, { args }: Call): Promise<number> {
  machine.loaded = { kind: "other", args: "", ok: true, ramdisks: [], modules: [], missing: [] };
  return args.length > 0 ? OK : BAD_ARGUMENT;
}

function stop(machine: Machine, { name }: Call): number {
  machine.stopped = { by: name };
  return OK;
}

/** An image file as a disk: its inside is not looked at. */
function loopback(machine: Machine, { args, line }: Call): number {
  const image = args.findLast((word) => !word.startsWith("-")) ?? "";
  note(machine, `loopback ${image}`, {
    code: "grub-loopback",
    severity: "note",
    where: [...configWhere(machine.menu.config), `line ${line}`],
    what: `The GRUB configuration boots from inside the image file ${image}.`,
    why: "domus does not look into image files on a guest's disk, so it cannot say what is started from there.",
    next: "Choose another entry in the guest, or check the image by itself.",
  });
  return OK;
}

export const loadCommands: CommandTable = [
  ...["linux", "linux16", "linuxefi"].map((name) => [name, loadKernel("linux")] as const),
  ...["initrd", "initrd16", "initrdefi"].map((name) => [name, initrd] as const),
  ...["multiboot", "multiboot2", "xen_hypervisor"].map(
    (name) => [name, loadKernel("hypervisor")] as const,
  ),
  ...["module", "module2", "xen_module"].map((name) => [name, module] as const),
  ["chainloader", chainloader],
  ...["kfreebsd", "knetbsd", "kopenbsd", "ntldr", "plan9", "xnu_kernel64", "truecrypt"].map(
    (name) => [name, otherKernel] as const,
  ),
  ...["boot", "exit", "reboot", "halt", "fwsetup", "normal_exit"].map(
    (name) => [name, stop] as const,
  ),
  ["loopback", loopback],
];

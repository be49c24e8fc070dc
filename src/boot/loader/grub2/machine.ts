/**
 * The state that GRUB script runs on. Commands change it; `execute.ts` runs them. It is a copy of what GRUB holds
 * in memory, with bounds: the script is the guest's, so what it may cost is fixed here.
 */
import { Budget } from "../../../base/budget.ts";
import type { Finding } from "../../../base/finding.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { BootFile, BootVolume } from "../loader.ts";
import { deviceName, findDevice, parseGrubPath } from "./devices.ts";
import type { Devices } from "./devices.ts";
import { Environment } from "./environment.ts";
import type { Command } from "./parser.ts";
import type { Block, Source } from "./source.ts";
import { viewFor } from "./views.ts";

/** Commands run, turns of loops, statements parsed. A real configuration with 20 entries takes about 1,000. */
const MAX_STEPS = 100_000;
/** A file with so many is none of GRUB's. */
const MAX_SYNTAX_ERRORS = 1_000;
/** Length of all words and variables that are put together. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Length of the words of one command. */
export const MAX_COMMAND_CHARACTERS = 256 * 1024;
/** Looks at a filesystem: `search`, `test -f`, reading a file. */
const MAX_FILE_LOOKUPS = 10_000;
/** Functions, `eval`, `source` and blocks inside each other: bounds the stack. */
export const MAX_CALL_DEPTH = 100;
export const MAX_MENU_ENTRIES = 4_000;
const MAX_FINDINGS = 50;
const MAX_OUTPUT = 64 * 1024;

/** grub_err_t of grub-core (include/grub/err.h), where a script can tell them apart by `$?`. */
export const OK = 0;
export const TEST_FAILED = 1;
export const FILE_NOT_FOUND = 5;
export const BAD_ARGUMENT = 18;

export type MenuEntry = {
  readonly title: string;
  readonly id: string;
  /** True when `id` was given, not taken from the title. */
  readonly hasId: boolean;
  /** What the body sees as `$1`, `$2`...: the title and the words after it. */
  readonly parameters: readonly string[];
  readonly body: Block;
  readonly submenu: boolean;
  /** Only for GRUB's superusers and the users named: asks for a password when superusers are set. */
  readonly restricted: boolean;
  readonly line: number;
};

/** A menu that a configuration has built, and the variables that it is shown with. */
export type Menu = {
  readonly entries: MenuEntry[];
  readonly env: Environment;
  /** The file that was read for it. */
  readonly config: BootFile;
  /** That file, after those whose menus led to it: one that leads back is not entered again. */
  readonly shown: readonly BootFile[];
  /** Has run `blscfg`, which is there only in the GRUB of Fedora and its relatives. */
  usesBls: boolean;
};

/** What the last `linux`, `multiboot` or `chainloader` has loaded. */
export type Loaded = {
  readonly kind: "linux" | "hypervisor" | "chain" | "other";
  readonly kernel?: BootFile;
  readonly args: string;
  /** False when the file was not there: GRUB then has nothing loaded. */
  readonly ok: boolean;
  readonly ramdisks: BootFile[];
  /** Modules of a multiboot kernel, each with its command line. */
  readonly modules: { readonly file: BootFile; readonly args: string }[];
  readonly missing: BootFile[];
};

export type Platform = {
  /** `$grub_platform`: `pc`, `efi`, `xen`, `xen_pvh`. */
  readonly platform: string;
  /** `$grub_cpu` */
  readonly cpu: string;
};

export type Machine = {
  readonly devices: Devices;
  readonly platform: Platform;
  readonly functions: Map<string, readonly Command[]>;
  readonly steps: Budget;
  readonly characters: Budget;
  readonly syntaxErrors: Budget;
  readonly findings: Map<string, Finding>;
  env: Environment;
  menu: Menu;
  /** Parameters of the function or entry that runs. */
  parameters: readonly string[] | undefined;
  /** Loops that are running, and how many of them `break` or `continue` has yet to end. */
  loops: number;
  breaks: number;
  continues: boolean;
  returning: boolean;
  depth: number;
  /**
   * Set when the rest of the script is not reached: `exit` and the like, or another menu that is shown and does
   * not come back.
   */
  stopped?: { readonly by: string; readonly menu?: Menu };
  loaded?: Loaded;
  /** Why something that was named cannot be found, in GRUB's terms; the first one counts. */
  problem?: string;
  output: string;
  /** Runs text; from `execute.ts`, which knows all commands. */
  readonly run: (machine: Machine, source: Source) => Promise<number>;
};

export type MachineOptions = {
  readonly volumes: readonly BootVolume[];
  readonly config: BootFile;
  readonly platform?: Partial<Platform>;
  /** Variables that the image of GRUB sets before it reads the configuration. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly run: Machine["run"];
};

/** Variables that GRUB sets to `y` so that scripts can ask what it knows (grub-core/normal/main.c). */
const FEATURES = [
  "chainloader_bpb",
  "ntldr",
  "platform_search_hint",
  "default_font_path",
  "all_video_module",
  "menuentry_id",
  "menuentry_options",
  "200_final",
  "nativedisk_cmd",
  "timeout_style",
];

/** A GRUB that was started from the volume and the directory that hold `config`. */
export function createMachine(options: MachineOptions): Machine {
  const { config, volumes, signal } = options;
  const where = configWhere(config);
  const platform = { platform: "pc", cpu: "x86_64", ...options.platform };
  const env = new Environment();
  const device = deviceName(config.volume);
  const directory = config.path.slice(0, config.path.lastIndexOf("/"));
  const start: Record<string, string> = {
    root: device,
    prefix: `(${device})${directory}`,
    cmdpath: `(${device})${directory}`,
    grub_platform: platform.platform,
    grub_cpu: platform.cpu,
    color_normal: "light-gray/black",
    color_highlight: "black/light-gray",
    pager: "",
    ...options.variables,
  };
  for (const feature of FEATURES) start[`feature_${feature}`] = "y";
  for (const [name, value] of Object.entries(start)) {
    env.set(name, value);
    env.export(name);
  }
  return {
    devices: { volumes, budget: new Budget(MAX_FILE_LOOKUPS, where, "file lookups"), signal },
    platform,
    functions: new Map(),
    steps: new Budget(MAX_STEPS, where, "commands run"),
    characters: new Budget(MAX_CHARACTERS, where, "length of all words"),
    syntaxErrors: new Budget(MAX_SYNTAX_ERRORS, where, "syntax errors"),
    findings: new Map(),
    env,
    menu: { entries: [], env, config, shown: [config], usesBls: false },
    ...OUTSIDE,
    output: "",
    run: options.run,
  };
}

/** Outside of every function and loop. */
const OUTSIDE = {
  parameters: undefined,
  loops: 0,
  breaks: 0,
  continues: false,
  returning: false,
  depth: 0,
};

/** A machine for one entry of `menu`: shares functions and budgets, and has variables and results of its own. */
export function forkMachine(machine: Machine, menu: Menu, env: Environment): Machine {
  const { loaded: _, problem: __, stopped: ___, ...rest } = machine;
  return {
    ...rest,
    env,
    menu: { ...menu, entries: [], env },
    ...OUTSIDE,
  };
}

export function configWhere(config: BootFile): Where {
  return within(config.volume.fs.where, config.path);
}

/** Notes a thing once; the first of many is enough. */
export function note(machine: Machine, key: string, finding: Finding): void {
  if (machine.findings.size < MAX_FINDINGS && !machine.findings.has(key))
    machine.findings.set(key, finding);
}

export function print(machine: Machine, text: string): void {
  if (machine.output.length + text.length <= MAX_OUTPUT) machine.output += text;
}

/** The volume that a device name, or $root without one, stands for, from where paths on it begin. */
export function deviceOf(machine: Machine, name: string | undefined): BootVolume | undefined {
  const volume = findDevice(machine.devices, name ?? machine.env.get("root") ?? "");
  return volume && viewFor(volume, machine.env.get("btrfs_relative_path"));
}

/** What a command's path names; says what GRUB would complain of when it names nothing. */
export function fileOf(machine: Machine, text: string): BootFile | { readonly problem: string } {
  const parsed = parseGrubPath(text);
  if (!parsed) return { problem: `invalid file name "${text}"` };
  const volume = deviceOf(machine, parsed.device);
  if (!volume) {
    const name = parsed.device ?? machine.env.get("root") ?? "";
    return { problem: name === "" ? "no device is set" : `no such device: ${name}` };
  }
  if (!parsed.path.startsWith("/")) return { problem: `invalid file name "${text}"` };
  return { volume, path: tidy(parsed.path) };
}

/** `//boot/x` is how grub-mkconfig writes a path on a volume that is its own /boot. */
function tidy(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

/**
 * What the commands of an entry lead to. Unlike GRUB 2, GRUB 0.97 leaves an entry at the first command that fails, a
 * missing initrd included, and tries the fallback (stage2/stage2.c run_script, stage2/builtins.c).
 */
import type { Budget } from "../../../base/budget.ts";
import { findPath } from "../../../disk/fs/resolve.ts";
import { latin1 } from "../../../bytes/text.ts";
import { isFile } from "../boot-file.ts";
import type { BootEntry, BootFile, BootVolume } from "../loader.ts";
import { byDevice, findDevice, parseDevicePath } from "./devices.ts";
import { nextWord } from "./parser.ts";
import type { Command, Entry } from "./parser.ts";

export type RunOptions = {
  /** Where the configuration is: the root until a command says something else. */
  readonly volume: BootVolume;
  readonly volumes: readonly BootVolume[];
  /** Each look at a filesystem costs one. */
  readonly budget: Budget;
  /** The menu sets one: only then does `lock` ask for it. */
  readonly hasPassword: boolean;
  readonly signal?: AbortSignal;
};

/** `boots`: a kernel or another loader is started. `stops`: the machine is halted or started anew. */
export type Ran = {
  readonly boot: BootEntry;
  readonly outcome: "boots" | "stops" | "fails";
  /** It asks for a password. */
  readonly locked: boolean;
};

type State = RunOptions & {
  /** `undefined` after `root` has named a device that is not known. */
  root: BootVolume | undefined;
  rootName: string;
  kind: BootEntry["kind"];
  kernel: BootFile | undefined;
  /** The kernel takes an initrd; a hypervisor takes modules. */
  isLinux: boolean;
  args: string;
  readonly modules: { readonly file: BootFile; readonly args: string }[];
  readonly initrds: BootFile[];
  readonly missing: BootFile[];
  problem: string | undefined;
  stopped: boolean;
  locked: boolean;
};

export async function runEntry(entry: Entry, options: RunOptions): Promise<Ran> {
  const state: State = {
    ...options,
    root: options.volume,
    rootName: "",
    kind: "other",
    kernel: undefined,
    isLinux: false,
    args: "",
    modules: [],
    initrds: [],
    missing: [],
    problem: undefined,
    stopped: false,
    locked: false,
  };
  for (const command of entry.commands) {
    if (command.name === "boot") break;
    await runCommand(state, command);
    if (state.problem !== undefined || state.missing.length > 0 || state.stopped) break;
  }
  return { boot: entryOf(entry, state), outcome: outcomeOf(state), locked: state.locked };
}

function outcomeOf({ stopped, missing, problem, kernel, kind }: State): Ran["outcome"] {
  if (stopped) return "stops";
  if (missing.length > 0 || problem !== undefined) return "fails";
  return kernel || kind === "chain" ? "boots" : "fails";
}

function entryOf({ title, line }: Entry, state: State): BootEntry {
  const { kernel, modules, missing, problem, initrds } = state;
  const common = { title, submenus: [], line, missing, ...(problem !== undefined && { problem }) };
  const [first, ...rest] = modules;
  if (kernel && first && !state.isLinux) {
    return {
      ...common,
      kind: "hypervisor",
      hypervisor: kernel,
      kernel: first.file,
      args: first.args,
      ramdisks: rest.map(({ file }) => file),
    };
  }
  return {
    ...common,
    kind: state.kind,
    args: state.args,
    ramdisks: initrds,
    ...(kernel && { kernel }),
  };
}

async function runCommand(state: State, { name, argument }: Command): Promise<void> {
  switch (name) {
    case "root":
    case "rootnoverify":
      if (argument !== "") setRoot(state, argument);
      return;
    case "uuid":
      return setRootByUuid(state, nextWord(argument).word);
    case "find":
      return find(state, argument);
    case "kernel":
      return loadKernel(state, argument);
    case "initrd":
      return loadInitrd(state, argument);
    case "module":
    case "modulenounzip":
      return loadModule(state, argument);
    case "chainloader":
      return chainload(state, argument);
    case "configfile":
      state.problem ??= `it shows the menu ${argument.slice(0, 200)}, which is not followed`;
      return;
    case "halt":
    case "reboot":
    case "quit":
      state.stopped = true;
      return;
    case "lock":
      state.locked ||= state.hasPassword;
      return;
    case "password":
      state.locked = true;
      return;
    default:
  }
}

function setRoot(state: State, argument: string): void {
  const at = parseDevicePath(argument);
  if (!at || at.device === undefined) {
    state.problem = `${argument.slice(0, 80)} is no device`;
    return;
  }
  state.root = findDevice(state.volumes, at.device);
  state.rootName = at.device;
}

function setRootByUuid(state: State, uuid: string): void {
  const wanted = uuid.toLowerCase();
  const found = byDevice(state.volumes).find((one) => one.fs.uuid.toLowerCase() === wanted);
  if (found && wanted !== "") state.root = found;
  else state.problem = `no filesystem has the UUID ${uuid.slice(0, 80)}`;
}

async function find(state: State, argument: string): Promise<void> {
  const words = argument.split(" ").filter(Boolean);
  const path = words.find((word) => !word.startsWith("--"));
  for (const volume of byDevice(state.volumes)) {
    if (path === undefined || !(await exists(state, { volume, path }))) continue;
    if (words.includes("--set-root")) state.root = volume;
    return;
  }
  state.problem = `no filesystem has the file ${path?.slice(0, 200)}`;
}

async function exists({ budget, signal }: State, { volume, path }: BootFile): Promise<boolean> {
  budget.spend();
  signal?.throwIfAborted();
  return isFile(volume.fs, path);
}

/** The file that a command names, when it is there. What keeps GRUB from it is put down. */
async function load(state: State, text: string): Promise<BootFile | undefined> {
  const at = parseDevicePath(text);
  if (!at || !at.path.startsWith("/")) {
    state.problem = text === "" ? "a command without a file" : `${text.slice(0, 80)} is no file`;
    return undefined;
  }
  const volume = at.device === undefined ? state.root : findDevice(state.volumes, at.device);
  if (!volume) {
    const device = at.device ?? state.rootName;
    state.problem = `there is no filesystem on (${device.slice(0, 80)})`;
    return undefined;
  }
  const file = { volume, path: at.path };
  if (!(await exists(state, file))) state.missing.push(file);
  return file;
}

async function loadKernel(state: State, argument: string): Promise<void> {
  let rest = argument;
  while (/^--(type=|no-mem-option)/.test(rest)) rest = nextWord(rest).rest;
  const file = await load(state, rest);
  if (!file) return;
  state.kind = "linux";
  state.kernel = file;
  state.args = nextWord(rest).rest;
  state.modules.length = 0;
  state.initrds.length = 0;
  state.isLinux = state.missing.length === 0 && (await isBzImage(file));
}

async function isBzImage({ volume, path }: BootFile): Promise<boolean> {
  const found = await findPath(volume.fs, path);
  if (!found || found.inode.size < 0x206) return false;
  return latin1(await volume.fs.read(found.inode, 0x202, 4)) === "HdrS";
}

async function loadInitrd(state: State, argument: string): Promise<void> {
  if (!state.kernel) {
    state.problem = "initrd before kernel";
    return;
  }
  const file = await load(state, argument);
  // A second one takes the place of the first.
  if (file) state.initrds.splice(0, Infinity, file);
}

async function loadModule(state: State, argument: string): Promise<void> {
  if (state.isLinux) return loadInitrd(state, argument);
  if (!state.kernel) {
    state.problem = "module before kernel";
    return;
  }
  const file = await load(state, argument);
  if (file) state.modules.push({ file, args: nextWord(argument).rest });
}

async function chainload(state: State, argument: string): Promise<void> {
  const text = argument.replace(/^--force +/, "");
  state.kind = "chain";
  state.kernel = undefined;
  // `+1` is the boot sector of the root; whether there is one is not looked at.
  if (/^(\([^)]*\))?\d*\+\d+/.test(text)) return;
  await load(state, text);
}

/** Commands that read files: other configurations, the environment block, `test`. */
import { attempt } from "../../../../base/failure.ts";
import { fileName } from "../../../../base/path.ts";
import { decodeText } from "../../../../bytes/text.ts";
import type { BootFile } from "../../loader.ts";
import { deviceName, parseGrubPath, readBootFile, statFile } from "../devices.ts";
import { ENV_BLOCK_LIMIT, parseEnvBlock } from "../env-block.ts";
import {
  BAD_ARGUMENT,
  configWhere,
  deviceOf,
  FILE_NOT_FOUND,
  fileOf,
  note,
  OK,
  print,
  TEST_FAILED,
} from "../machine.ts";
import type { Machine, Menu } from "../machine.ts";
import { parseOptions } from "../options.ts";
import type { OptionSpec } from "../options.ts";
import { commandSource, configSource } from "../source.ts";
import { evaluateTest } from "../test-command.ts";
import type { FileInfo } from "../test-command.ts";
import type { Call, CommandTable } from "./call.ts";

/** In bytes. A menu with 500 kernels is about 1 MiB. */
const CONFIG_LIMIT = 4 * 1024 * 1024;
/** Configurations that lead to each other. */
const MAX_CONFIGS = 8;

/** Reads a configuration and runs it for `machine.menu`; false when it is not there. */
export async function runConfig(machine: Machine, file: BootFile): Promise<boolean> {
  const bytes = await readBootFile(machine.devices, file, CONFIG_LIMIT);
  if (!bytes) return false;
  const { env } = machine;
  const before = [env.get("config_file"), env.get("config_directory")] as const;
  const path = `(${deviceName(file.volume)})${file.path}`;
  for (const [name, value] of [
    ["config_file", path],
    ["config_directory", path.slice(0, path.lastIndexOf("/"))],
  ] as const) {
    env.set(name, value);
    env.export(name);
  }
  await machine.run(
    machine,
    configSource(decodeText(bytes), { where: configWhere(file), path: file.path }),
  );
  for (const [i, name] of ["config_file", "config_directory"].entries()) {
    const value = before[i];
    if (value === undefined) env.unset(name);
    else env.set(name, value);
  }
  return true;
}

/** `source FILE`: in this menu, with these variables. A file that is not there does not count as an error. */
async function source(machine: Machine, { args }: Call): Promise<number> {
  if (args.length !== 1) return BAD_ARGUMENT;
  const file = fileOf(machine, args[0]!);
  if (!("problem" in file)) await runConfig(machine, file);
  return OK;
}

/** `configfile FILE` and `normal [FILE]`: another menu, which does not come back once it has an entry. */
function otherMenu(exportedOnly: boolean) {
  return async (machine: Machine, { name, args }: Call): Promise<number> => {
    if (exportedOnly && args.length !== 1) return BAD_ARGUMENT;
    const path = args[0] ?? `${machine.env.get("prefix") ?? ""}/grub.cfg`;
    const file = fileOf(machine, path);
    if ("problem" in file) {
      machine.problem ??= file.problem;
      return OK;
    }
    const { shown } = machine.menu;
    // Back to a menu that is already on the way: a choice for people, nothing that boots.
    if (shown.some((one) => isSame(one, file)) || shown.length >= MAX_CONFIGS) {
      machine.stopped = { by: `${name} ${path}` };
      return OK;
    }
    const menu: Menu = {
      entries: [],
      env: exportedOnly ? machine.env.context() : machine.env,
      config: file,
      shown: [...shown, file],
      usesBls: false,
    };
    const { env, menu: outer } = machine;
    machine.env = menu.env;
    machine.menu = menu;
    const found = await runConfig(machine, file);
    // A configuration that itself went on to another menu has set `stopped`.
    if (!machine.stopped && menu.entries.length > 0) machine.stopped = { by: name, menu };
    if (!found) machine.problem ??= `file \`${path}' not found`;
    machine.env = env;
    machine.menu = outer;
    return OK;
  };
}

function isSame(a: BootFile, b: BootFile): boolean {
  return a.volume === b.volume && a.path === b.path;
}

const ENV_OPTIONS: readonly OptionSpec[] = [
  { long: "file", short: "f", value: "required" },
  { long: "skip-sig", short: "s" },
];

type EnvBlock = {
  readonly file: BootFile;
  readonly names: readonly string[];
  readonly values: readonly (readonly [string, string])[];
};

/** The block that the options name, by default `grubenv` beside the configuration. */
async function envBlock(machine: Machine, { args, line }: Call): Promise<EnvBlock | undefined> {
  const parsed = parseOptions(args, ENV_OPTIONS);
  if (!parsed) return undefined;
  const path = parsed.options.get("file")?.at(-1) ?? `${machine.env.get("prefix") ?? ""}/grubenv`;
  const file = fileOf(machine, path);
  if ("problem" in file) return undefined;
  const read = await attempt(async () => {
    const bytes = await readBootFile(machine.devices, file, ENV_BLOCK_LIMIT);
    return bytes && parseEnvBlock(bytes, configWhere(file));
  });
  if (read.ok) return read.value && { file, names: parsed.rest, values: read.value };
  const { kind } = read.failure;
  if (kind === "corrupt" || kind === "limit") {
    note(machine, `grubenv ${file.path}`, {
      code: "grub-environment",
      severity: "warning",
      where: configWhere(file),
      what: `GRUB cannot use ${file.path}, which line ${line} of its configuration reads.`,
      why: "It is not an environment block. A default that was saved there does not count, and GRUB starts its first entry instead.",
      next: `In the guest: grub-editenv ${file.path} create, then set the default again.`,
    });
  }
  return undefined;
}

async function loadEnv(machine: Machine, call: Call): Promise<number> {
  const block = await envBlock(machine, call);
  if (!block) return FILE_NOT_FOUND;
  for (const [name, value] of block.values) {
    if (block.names.length > 0 && !block.names.includes(name)) continue;
    machine.env.set(name, value, { name, place: fileName(block.file.path) });
  }
  return OK;
}

async function listEnv(machine: Machine, call: Call): Promise<number> {
  const block = await envBlock(machine, call);
  if (!block) return FILE_NOT_FOUND;
  for (const [name, value] of block.values) print(machine, `${name}=${value}\n`);
  return OK;
}

async function evaluate(machine: Machine, { args, line }: Call): Promise<number> {
  if (args.length === 0) return OK;
  const { config } = machine.menu;
  const origin = { where: configWhere(config), path: config.path, line };
  return machine.run(machine, commandSource(args.join(" "), origin));
}

async function test(machine: Machine, { args }: Call): Promise<number> {
  const words = args.at(-1) === "]" ? args.slice(0, -1) : args;
  const value = await evaluateTest(words, (path) => fileInfo(machine, path));
  return value ? OK : TEST_FAILED;
}

/** As `test` finds files: a device alone is its root directory. */
async function fileInfo(machine: Machine, text: string): Promise<FileInfo | undefined> {
  const parsed = parseGrubPath(text);
  const volume = parsed && deviceOf(machine, parsed.device);
  if (!volume) return undefined;
  // Empty names are nothing: slashes in a row, and at the ends.
  const path = `/${parsed.path.split("/").filter(Boolean).join("/")}`;
  const inode = await statFile(machine.devices, { volume, path });
  if (!inode) return undefined;
  return {
    directory: inode.kind === "directory",
    sizeBytes: inode.size,
    mtime: Math.floor(inode.mtime),
  };
}

export const fileCommands: CommandTable = [
  ["source", source],
  [".", source],
  ["configfile", otherMenu(true)],
  ["normal", otherMenu(false)],
  ["load_env", loadEnv],
  ["list_env", listEnv],
  // What it would write is for the next boot, so it does not matter here.
  ["save_env", (_, { args }) => (args.length > 0 ? OK : BAD_ARGUMENT)],
  ["eval", evaluate],
  ["test", test],
  ["[", test],
];

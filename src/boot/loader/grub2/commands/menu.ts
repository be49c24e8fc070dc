/** `menuentry`, `submenu` and `blscfg`: what puts entries into the menu. */
import { overLimit } from "../../../../base/failure.ts";
import { blsBody, blsField, blsFields, isBlsRestricted, readBlsEntries } from "../bls.ts";
import {
  BAD_ARGUMENT,
  configWhere,
  deviceOf,
  FILE_NOT_FOUND,
  MAX_MENU_ENTRIES,
  OK,
} from "../machine.ts";
import type { Machine, MenuEntry } from "../machine.ts";
import { parseOptions } from "../options.ts";
import type { OptionSpec } from "../options.ts";
import { commandSource, wholeBlock } from "../source.ts";
import type { Call, CommandTable } from "./call.ts";

const OPTIONS: readonly OptionSpec[] = [
  { long: "class", value: "required" },
  { long: "users", value: "required" },
  { long: "hotkey", value: "required" },
  { long: "source", value: "required" },
  { long: "id", value: "required" },
  { long: "unrestricted" },
];

function add(machine: Machine, entry: MenuEntry): void {
  machine.steps.spend();
  if (machine.menu.entries.length >= MAX_MENU_ENTRIES) {
    throw overLimit(
      configWhere(machine.menu.config),
      "number of menu entries",
      String(MAX_MENU_ENTRIES),
    );
  }
  machine.menu.entries.push(entry);
}

function menuEntry(machine: Machine, { name, args, block, line }: Call): number {
  const parsed = parseOptions(args, OPTIONS, { acceptDash: true });
  if (!parsed) return BAD_ARGUMENT;
  const { options, rest } = parsed;
  const text = options.get("source")?.at(-1);
  const [title] = rest;
  if (title === undefined || (text === undefined) === (block === undefined)) return BAD_ARGUMENT;
  const { config } = machine.menu;
  const body =
    block ??
    wholeBlock(commandSource(text!, { where: configWhere(config), path: config.path, line }));
  const id = options.get("id")?.at(-1);
  add(machine, {
    title,
    id: id ?? title,
    hasId: id !== undefined,
    parameters: rest,
    body,
    submenu: name === "submenu",
    // Without either option an entry is for superusers, as soon as there are any.
    restricted: options.has("users") || !options.has("unrestricted"),
    line,
  });
  return OK;
}

/** Entries from loader/entries/*.conf, as Fedora's GRUB makes them. */
async function blscfg(machine: Machine, { line }: Call): Promise<number> {
  machine.menu.usesBls = true;
  const volume = deviceOf(machine, undefined);
  if (!volume) return FILE_NOT_FOUND;
  const { signal, budget } = machine.devices;
  const variable = (name: string) => machine.env.get(name);
  const directories = [machine.env.get("blsdir") ?? "/loader/entries", "/boot/loader/entries"];
  for (const directory of directories) {
    budget.spend();
    const entries = await readBlsEntries(volume.fs, directory, {
      spend: () => budget.spend(),
      ...(signal && { signal }),
    });
    if (!entries) continue;
    for (const entry of entries) {
      const body = blsBody(entry, variable);
      if (body === undefined) continue;
      const title = blsField(entry, "title") ?? blsField(entry, "linux") ?? entry.id;
      const path = `${directory}/${entry.id}.conf`;
      add(machine, {
        title,
        id: entry.id,
        hasId: true,
        parameters: [title, ...blsFields(entry, "grub_arg")],
        body: wholeBlock(commandSource(body, { where: [...volume.fs.where, path], path, line: 1 })),
        submenu: false,
        restricted: isBlsRestricted(entry, variable),
        line,
      });
    }
    break;
  }
  return OK;
}

export const menuCommands: CommandTable = [
  ["menuentry", menuEntry],
  ["submenu", menuEntry],
  ["blscfg", blscfg],
];

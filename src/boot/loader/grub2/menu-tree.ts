/** Menus with what each of their entries does: every entry is run on a copy of the variables. */
import { overLimit } from "../../../base/failure.ts";
import type { BootEntry } from "../loader.ts";
import { runBody } from "./execute.ts";
import { configWhere, forkMachine } from "./machine.ts";
import type { Loaded, Machine, Menu, MenuEntry } from "./machine.ts";

export type MenuTree = { readonly menu: Menu; readonly nodes: readonly MenuNode[] };

export type MenuNode = {
  readonly entry: MenuEntry;
  /** `stops`: leaves GRUB by `exit`, `reboot`, or goes back to a menu that it came from. */
  readonly outcome: "boots" | "fails" | "stops" | "menu";
  /** Index into the flat list; undefined for a submenu. */
  readonly index?: number;
  readonly boot?: BootEntry;
  readonly inner?: MenuTree;
  /** For `stops`: the command. */
  readonly stoppedBy?: string;
};

/** Submenus in submenus; real ones have one level. Bounds the stack. */
const MAX_MENU_DEPTH = 20;

type Place = {
  /** Titles of the menus around. */
  readonly submenus: readonly string[];
  /** `$chosen` so far. */
  readonly chosen: readonly string[];
  /** All entries that boot something, in menu order: filled here. */
  readonly flat: BootEntry[];
};

export async function readMenu(
  machine: Machine,
  menu: Menu,
  place: Place = { submenus: [], chosen: [], flat: [] },
): Promise<MenuTree> {
  if (place.submenus.length > MAX_MENU_DEPTH) {
    throw overLimit(configWhere(menu.config), "depth of submenus", String(MAX_MENU_DEPTH));
  }
  const nodes: MenuNode[] = [];
  for (const entry of menu.entries) nodes.push(await readEntry({ machine, menu, entry }, place));
  return { menu, nodes };
}

async function readEntry(
  { machine, menu, entry }: { machine: Machine; menu: Menu; entry: MenuEntry },
  place: Place,
): Promise<MenuNode> {
  const env = entry.submenu ? menu.env.context() : menu.env.layer();
  const chosen = [...place.chosen, entry.id.replaceAll(">", ">>")];
  env.set("chosen", chosen.join(">"));
  env.export("chosen");
  // GRUB puts the part of `default` after the `>` there; which entry that is for is known only later.
  env.unset("default");
  if (entry.submenu) env.set("timeout", "0");
  const fork = forkMachine(machine, menu, env);
  await runBody(fork, entry.body, entry.parameters);
  const inner = fork.stopped?.menu ?? (entry.submenu ? fork.menu : undefined);
  if (inner) {
    const around = { ...place, chosen, submenus: [...place.submenus, entry.title] };
    return { entry, outcome: "menu", inner: await readMenu(fork, inner, around) };
  }
  const boot = bootEntry(entry, fork, place.submenus);
  const index = place.flat.push(boot) - 1;
  const stoppedBy = fork.stopped?.by;
  if (stoppedBy !== undefined && stoppedBy !== "boot") {
    return { entry, outcome: "stops", index, boot, stoppedBy };
  }
  return { entry, outcome: fork.loaded?.ok ? "boots" : "fails", index, boot };
}

function bootEntry(entry: MenuEntry, fork: Machine, submenus: readonly string[]): BootEntry {
  const { loaded, problem } = fork;
  return {
    title: entry.title,
    ...(entry.hasId && { id: entry.id }),
    submenus,
    line: entry.line,
    ...loadedFiles(loaded),
    ...(problem !== undefined && (loaded?.ok ? { lacks: problem } : { problem })),
  };
}

type LoadedFiles = Pick<
  BootEntry,
  "kind" | "kernel" | "ramdisks" | "args" | "hypervisor" | "missing"
>;

function loadedFiles(loaded: Loaded | undefined): LoadedFiles {
  if (!loaded) return { kind: "other", ramdisks: [], args: "", missing: [] };
  const { kind, kernel, args, ramdisks, modules, missing } = loaded;
  const [first, ...more] = modules;
  if (kind === "hypervisor" && first && kernel) {
    return {
      kind,
      hypervisor: kernel,
      kernel: first.file,
      args: first.args,
      ramdisks: more.map((module) => module.file),
      missing,
    };
  }
  // A multiboot kernel without modules is a memory test or another system.
  if (kind !== "linux")
    return { kind: kind === "chain" ? kind : "other", ramdisks: [], args, missing };
  return { kind, args, ramdisks, missing, ...(kernel && { kernel }) };
}

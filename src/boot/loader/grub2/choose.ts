/**
 * Which entry GRUB starts by itself, and why (grub-core/normal/menu.c: run_menu, get_entry_number,
 * grub_menu_execute_with_fallback):
 *
 * - `default` that begins with a number is that number, whatever follows; else it is looked up among titles and ids;
 *   `>` leads into a submenu, and `>>` stands for `>` in a title;
 * - no default, one that matches nothing and a number beyond the menu all mean the first entry;
 * - when an entry comes back, because it has loaded nothing, the numbers in `fallback` are tried, but only if the
 *   entry was started by the timeout and not by a key.
 */
import { quoted } from "../boot-file.ts";
import type { Origin } from "./environment.ts";
import type { MenuNode, MenuTree } from "./menu-tree.ts";
import { readNumber, readTimeout } from "./number.ts";

/** Bounds the sentence, not GRUB: nobody writes more than two or three. */
const MAX_FALLBACKS = 20;
/** Names are the guest's; only their beginning is repeated. */
const MAX_NAME = 200;

export type Choice = {
  /** Index into the flat list of entries. When nothing boots: the entry that is tried first. */
  readonly index?: number;
  /** One sentence, without a full stop. */
  readonly because: string;
  /** Seconds; -1 waits for ever. */
  readonly timeout: number;
  /** Entries whose start was tried, in order, submenus included. */
  readonly tried: readonly MenuNode[];
  /** What `default` says, where that is no entry of the menu and so another one is started. */
  readonly unmatched?: string;
};

export function chooseEntry(tree: MenuTree): Choice {
  const { env } = tree.menu;
  const timeout = readTimeout(env.get("timeout"));
  const tried: MenuNode[] = [];
  const variable = env.variable("default");
  const wanted = variable && { value: variable.value, text: defaultText(variable) };
  const automatic = timeout >= 0;
  const run = runMenu(tree, wanted, { tried, automatic });
  const node = run.node ?? tried.find((one) => one.index !== undefined);
  const notes = [
    ...(automatic || tree.nodes.length === 0
      ? []
      : ["GRUB waits for a key, as there is no timeout"]),
    ...(automatic && tried.length > 0 && !run.node && !env.variable("fallback")
      ? ["there is no fallback"]
      : []),
  ];
  return {
    ...(node?.index !== undefined && { index: node.index }),
    because: joined(run.text, ...notes),
    timeout,
    tried,
    ...(run.unmatched !== undefined && { unmatched: run.unmatched }),
  };
}

function defaultText({ value, origin }: { value: string; origin?: Origin }): string {
  if (!origin) return `default=${quoted(value)}`;
  if (origin.place === "")
    return `default is taken from ${origin.name.slice(0, MAX_NAME)}, which is not set`;
  return `${origin.name}=${quoted(value)} in ${origin.place}`;
}

type Wanted = {
  /** What is left of `default` for this menu. */
  readonly value: string;
  /** How to say it. */
  readonly text: string;
};

type Start = { readonly tried: MenuNode[]; readonly automatic: boolean };

/** `node` is what was started; without one everything came back. `unmatched`: see `Choice`. */
type Run = { readonly node?: MenuNode; readonly text: string; readonly unmatched?: string };

function runMenu(tree: MenuTree, wanted: Wanted | undefined, start: Start): Run {
  if (tree.nodes.length === 0) return { text: "the menu has no entries" };
  const number = wanted && entryNumber(tree, wanted.value);
  const matches = number !== undefined && number >= 0 && number < tree.nodes.length;
  const node = tree.nodes[matches ? number : 0]!;
  const why = whyThis(wanted, matches);
  const { unmatched, ...run } = startNode(node, wanted, start);
  // A submenu that is the first entry instead of the wanted one says nothing of its own.
  const lost = !matches && wanted && wanted.value !== "" ? wanted.text : unmatched;
  const found = lost === undefined ? {} : { unmatched: lost };
  if (run.node) return { node: run.node, text: joined(why, run.text), ...found };
  const failed = joined(why, run.text);
  return start.automatic
    ? { ...fallBack(tree, failed, start), ...found }
    : { text: failed, ...found };
}

function whyThis(wanted: Wanted | undefined, matches: boolean): string {
  if (!wanted) return "first entry: no default is set";
  if (matches) return wanted.text;
  if (wanted.value !== "") return `first entry: ${wanted.text} matches no entry`;
  return wanted.text.endsWith("is not set")
    ? `first entry: ${wanted.text}`
    : "first entry: default is empty";
}

function joined(...parts: string[]): string {
  return parts.filter(Boolean).join("; ");
}

function startNode(node: MenuNode, wanted: Wanted | undefined, start: Start): Run {
  start.tried.push(node);
  const title = quoted(node.entry.title);
  if (node.outcome === "boots") return { node, text: "" };
  if (node.outcome === "stops") {
    return { node, text: `${title} boots nothing, it runs \`${node.stoppedBy}\`` };
  }
  if (!node.inner) return { text: `${title} ${whyFails(node)}` };
  if (node.inner.nodes.length === 0) return { text: `the submenu ${title} is empty` };
  const inner = node.entry.submenu ? innerWanted(node.inner, wanted) : ownDefault(node.inner);
  const run = runMenu(node.inner, inner, start);
  // With the rest of the path the text of `default` has said it all.
  const text = inner && inner.text === wanted?.text ? withoutStart(run.text, inner.text) : run.text;
  return { ...run, text: text && `in the submenu ${title}: ${text}` };
}

function withoutStart(text: string, start: string): string {
  if (text === start) return "";
  return text.startsWith(`${start}; `) ? text.slice(start.length + 2) : text;
}

function whyFails({ boot }: MenuNode): string {
  const kernel = boot?.hypervisor ?? boot?.kernel;
  const missing = boot?.missing.find((file) => file === kernel) ?? boot?.missing[0];
  if (missing) return `names ${missing.path}, which is not there`;
  return boot?.problem === undefined ? "loads no kernel" : `fails: ${boot.problem}`;
}

/** What a submenu is shown with: the rest of the path, unless its own commands set a default. */
function innerWanted(inner: MenuTree, wanted: Wanted | undefined): Wanted | undefined {
  const own = inner.menu.env.own("default");
  if (own) return { value: own.value, text: defaultText(own) };
  const rest = remainder(wanted?.value);
  return rest === undefined || !wanted ? undefined : { value: rest, text: wanted.text };
}

function ownDefault(inner: MenuTree): Wanted | undefined {
  const variable = inner.menu.env.variable("default");
  return variable && { value: variable.value, text: defaultText(variable) };
}

/** What follows the first single `>`; undefined when there is nothing. */
function remainder(value: string | undefined): string | undefined {
  const rest = value === undefined ? "" : value.slice(firstStep(value).length + 1);
  return rest === "" ? undefined : rest;
}

/** The part of a path before its first single `>`, escapes left as they are. */
function firstStep(value: string): string {
  return /^(?:[^>]|>>)*/.exec(value)![0];
}

/** As GRUB's get_entry_number; undefined when nothing matches. */
function entryNumber({ nodes, menu }: MenuTree, value: string): number | undefined {
  const step = firstStep(value).replaceAll(">>", ">");
  const number = readNumber(value);
  // Fedora's GRUB takes a number only when nothing else is in it: ids there begin with hexadecimal digits.
  const isNumber = menu.usesBls ? /^[0-9]+$/.test(step) : number !== undefined;
  if (isNumber && number) return number.value === Infinity ? undefined : number.value | 0;
  const found = nodes.findIndex(({ entry }) => entry.title === step || entry.id === step);
  return found < 0 ? undefined : found;
}

function fallBack(tree: MenuTree, failed: string, start: Start): Run {
  const fallback = tree.menu.env.variable("fallback");
  let text = failed;
  let left = fallback?.value ?? "";
  for (let turn = 0; turn < MAX_FALLBACKS; turn++) {
    const number = readNumber(left);
    if (!number) break;
    left = number.rest.trimStart();
    const node = tree.nodes[number.value];
    if (!node) break;
    text = `${text}; then fallback=${quoted(fallback!.value)}`;
    if (fallback!.origin) text += ` in ${fallback!.origin.place}`;
    const run = startNode(node, undefined, start);
    text = joined(text, run.text);
    if (run.node) return { node: run.node, text };
  }
  return { text: fallback ? `${text}; nothing else in fallback boots` : text };
}

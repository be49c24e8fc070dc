/**
 * What the statements of a SYSLINUX configuration say, as its core and its menu modules read them
 * (com32/menu/readconfig.c).
 */
import { firstWord } from "./statements.ts";
import type { Statement } from "./statements.ts";

export type Setting = { readonly value: string; readonly line: number };

export type Label = {
  readonly name: string;
  readonly line: number;
  /** MENU LABEL, without the mark of its hot key; else the name. */
  readonly title: string;
  /** Titles of the submenus around it. */
  readonly submenus: readonly string[];
  /** `kernel` guesses from the extension; a label without any means a kernel of its name. */
  readonly type: "kernel" | "linux" | "localboot" | "config" | "other";
  readonly file: string;
  readonly initrd: string;
  /** Undefined: the global one counts. */
  readonly append?: string;
  /** Line of its MENU DEFAULT. */
  readonly menuDefault?: number;
  /** It is not among those that a menu can start by itself. */
  readonly hidden: boolean;
};

export type Config = {
  readonly labels: readonly Label[];
  /** What counts is the last of each: `default`, `ui`, `timeout`, `prompt`, `ontimeout`, `implicit`, `append`. */
  readonly settings: ReadonlyMap<string, Setting>;
};

const SETTINGS = new Set(["default", "ui", "timeout", "prompt", "ontimeout", "implicit"]);
const TYPES: Readonly<Record<string, Label["type"]>> = {
  kernel: "kernel",
  linux: "linux",
  localboot: "localboot",
  config: "config",
  boot: "other",
  bss: "other",
  pxe: "other",
  fdimage: "other",
  comboot: "other",
  com32: "other",
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type OpenLabel = Mutable<Omit<Label, "submenus">> & { readonly menus: readonly Menu[] };
/** Titled by MENU TITLE, or by MENU LABEL before its first label. */
type Menu = { title: string };

export function readConfig(statements: readonly Statement[]): Config {
  const labels: OpenLabel[] = [];
  const settings = new Map<string, Setting>();
  const menus: Menu[] = [];
  let label: OpenLabel | undefined;
  for (const { keyword, value, line } of statements) {
    if (keyword === "label") {
      label = newLabel(value, line, menus.slice());
      labels.push(label);
    } else if (keyword === "menu separator") {
      label = undefined;
    } else if (keyword === "menu begin") {
      label = undefined;
      // Deeper ones count as the deepest.
      if (menus.length < MAX_MENU_DEPTH) menus.push({ title: value || "submenu" });
    } else if (keyword === "menu end") {
      label = undefined;
      menus.pop();
    } else if (keyword === "menu title" || (keyword === "menu label" && !label)) {
      const menu = menus.at(-1);
      if (menu) menu.title = withoutHotKey(value);
    } else if (SETTINGS.has(keyword) || (keyword === "append" && !label)) {
      settings.set(keyword, { value, line });
    } else if (label) {
      readLabelLine(label, { keyword, value, line });
    }
  }
  return {
    settings,
    labels: labels.map(({ menus: around, ...one }) => ({
      ...one,
      submenus: around.map(({ title }) => title),
    })),
  };
}

const MAX_MENU_DEPTH = 16;

function newLabel(value: string, line: number, menus: readonly Menu[]): OpenLabel {
  const [name] = firstWord(value);
  return { name, line, menus, title: name, type: "kernel", file: name, initrd: "", hidden: false };
}

function readLabelLine(label: OpenLabel, { keyword, value, line }: Statement): void {
  const type = TYPES[keyword];
  if (type) {
    label.type = type;
    label.file = value;
    return;
  }
  switch (keyword) {
    case "initrd":
      label.initrd = value;
      return;
    case "append":
      label.append = value;
      return;
    case "menu label":
      label.title = withoutHotKey(value);
      return;
    case "menu default":
      label.menuDefault = line;
      return;
    case "menu hide":
    case "menu disable":
      label.hidden = true;
      return;
    case "menu exit":
    case "menu goto":
    case "menu quit":
      label.type = "other";
      return;
    default:
  }
}

function withoutHotKey(title: string): string {
  return title.replace("^", "");
}

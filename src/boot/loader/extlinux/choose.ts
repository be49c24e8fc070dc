/**
 * What SYSLINUX starts when nobody touches a key.
 *
 * Without a menu module its core runs DEFAULT: a label, or the name of a kernel, with arguments. A menu module (UI, or
 * as the DEFAULT itself) starts the label that DEFAULT names, else the one with MENU DEFAULT, else the first. When a
 * timeout runs out, ONTIMEOUT goes before all of them.
 */
import { quoted } from "../boot-file.ts";
import type { Config, Label, Setting } from "./config.ts";
import { firstWord } from "./statements.ts";

export type Choice = {
  /** What is started: an index into the labels, with arguments added, or a command line that names no label. */
  readonly start?:
    | { readonly index: number; readonly extra: string }
    | { readonly command: string; readonly line: number };
  readonly because: string;
  /** In seconds; -1 waits for ever. */
  readonly timeout: number;
};

const MENU = /(^|\/)(vesa)?menu\.c32$/i;

/** Whether a menu module is run, and with which configuration files in place of this one. */
export function menuModule({
  settings,
}: Config): { readonly files: readonly string[] } | undefined {
  const command = settings.get("ui") ?? settings.get("default");
  const [module, rest] = firstWord(command?.value ?? "");
  if (!MENU.test(module)) return undefined;
  return { files: rest.split(/\s+/).filter((word) => word !== "" && word !== "~") };
}

export function chooseLabel(config: Config): Choice {
  const { settings, labels } = config;
  const isMenu = menuModule(config) !== undefined;
  const tenths = readNumber(settings.get("timeout"));
  const prompts = isMenu || readNumber(settings.get("prompt")) !== 0;
  const timeout = prompts ? (tenths > 0 ? tenths / 10 : -1) : 0;
  const onTimeout = settings.get("ontimeout");
  if (timeout > 0 && onTimeout) {
    return { ...named(config, onTimeout, "ONTIMEOUT"), timeout };
  }
  const waits = timeout < 0 ? "; it waits for a key, as there is no timeout" : "";
  if (!isMenu) {
    const setting = settings.get("default");
    if (settings.has("ui")) {
      const ui = quoted(settings.get("ui")!.value);
      return { because: `it starts UI ${ui}, which is not followed`, timeout };
    }
    if (!setting) return { because: "there is no DEFAULT: it waits at its prompt", timeout: -1 };
    const choice = named(config, setting, "DEFAULT");
    return { ...choice, because: choice.because + waits, timeout };
  }
  const choice = menuChoice(labels, settings.get("default"));
  return { ...choice, because: choice.because + waits, timeout };
}

/** One that the first menu can start by itself. */
function inMenu({ submenus, hidden }: Label): boolean {
  return submenus.length === 0 && !hidden;
}

function menuChoice(
  labels: readonly Label[],
  setting: Setting | undefined,
): Pick<Choice, "start" | "because"> {
  const wanted = labels.findIndex((label) => label.name === firstWord(setting?.value ?? "")[0]);
  if (wanted >= 0 && setting) {
    const because = `DEFAULT ${quoted(setting.value)} in line ${setting.line}`;
    return { start: { index: wanted, extra: "" }, because };
  }
  const marked = labels.findLastIndex((label) => inMenu(label) && label.menuDefault !== undefined);
  if (marked >= 0) {
    const because = `MENU DEFAULT in line ${labels[marked]!.menuDefault}`;
    return { start: { index: marked, extra: "" }, because };
  }
  const first = labels.findIndex(inMenu);
  if (first < 0) return { because: "the menu has no entries" };
  return { start: { index: first, extra: "" }, because: "first entry: no default is set" };
}

/** A command: a label with arguments, else a file name with arguments, unless IMPLICIT forbids that. */
function named(
  { labels, settings }: Config,
  { value, line }: Setting,
  what: string,
): Pick<Choice, "start" | "because"> {
  const [name, extra] = firstWord(value);
  const index = labels.findIndex((label) => label.name === name);
  const because = `${what} ${quoted(value)} in line ${line}`;
  if (index >= 0) return { start: { index, extra }, because };
  const implicit = settings.get("implicit");
  if (name === "" || (implicit && readNumber(implicit) === 0)) {
    return { because: `${because} names no label: it waits at its prompt` };
  }
  return { start: { command: value, line }, because: `${because}, which is no label but a file` };
}

/** As atoi: digits at the beginning; none are 0. */
function readNumber(setting: Setting | undefined): number {
  return Number(/^\d{1,9}/.exec(setting?.value ?? "")?.[0] ?? "0");
}

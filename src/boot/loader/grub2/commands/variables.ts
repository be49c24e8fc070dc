/** Variables, control of loops and functions, and text: the commands that need nothing but the script's own state. */
import { fileName } from "../../../../base/path.ts";
import type { Origin } from "../environment.ts";
import { BAD_ARGUMENT, OK, print, TEST_FAILED } from "../machine.ts";
import type { Machine } from "../machine.ts";
import { readNumber } from "../number.ts";
import type { Call, CommandTable } from "./call.ts";

/** Sets `name=value`. Where the value comes from is kept for `default`, so that the choice can be explained. */
export function assign(machine: Machine, text: string, call: Call): void {
  const equals = text.indexOf("=");
  const name = text.slice(0, equals);
  const value = text.slice(equals + 1);
  // `$1`, `$#` and the like cannot be set.
  if (/^[0-9]/.test(name) || name === "#" || name === "*" || name === "@") return;
  machine.env.set(name, value, originOf(machine, { name, value, call }));
}

function originOf(
  machine: Machine,
  { name, value, call }: { name: string; value: string; call: Call },
): Origin {
  const variables = call.words.flatMap((word) =>
    word.segments.flatMap((segment) => (segment.kind === "variable" ? [segment.name] : [])),
  );
  const [only] = variables;
  if (only !== undefined && variables.length === 1) {
    // `set default="${saved_entry}"`: what matters is where saved_entry was set.
    const source = machine.env.variable(only);
    if (source?.origin && source.value === value) return source.origin;
    if (!source && value === "") return { name: only, place: "" };
  }
  return { name, place: `${fileName(machine.menu.config.path)} line ${call.line}` };
}

function set(machine: Machine, call: Call): number {
  const [text] = call.args;
  if (text === undefined) return OK;
  if (!text.includes("=")) return BAD_ARGUMENT;
  assign(machine, text, call);
  return OK;
}

function unset(machine: Machine, { args }: Call): number {
  if (args[0] === undefined) return BAD_ARGUMENT;
  machine.env.unset(args[0]);
  return OK;
}

function exportVariables(machine: Machine, { args }: Call): number {
  if (args.length === 0) return BAD_ARGUMENT;
  for (const name of args) machine.env.export(name);
  return OK;
}

function breakLoops(machine: Machine, { name, args }: Call): number {
  const count = args.length === 0 ? 1 : readNumber(args[0]!)?.value;
  if (args.length > 1 || !count) return BAD_ARGUMENT;
  machine.continues = name === "continue";
  machine.breaks = Math.min(count, machine.loops);
  return OK;
}

function returnFromFunction(machine: Machine, { args }: Call): number {
  if (machine.parameters === undefined || args.length > 1) return BAD_ARGUMENT;
  const status = readNumber(args[0] ?? machine.env.get("?") ?? "0");
  if (!status || (args.length === 1 && status.rest !== "")) return BAD_ARGUMENT;
  machine.returning = true;
  return status.value;
}

function shift(machine: Machine, { args }: Call): number {
  if (machine.parameters === undefined) return OK;
  const count = args.length === 0 ? 1 : readNumber(args[0]!)?.value;
  if (args.length > 1 || count === undefined || count > machine.parameters.length)
    return BAD_ARGUMENT;
  machine.parameters = machine.parameters.slice(count);
  return OK;
}

function setParameters(machine: Machine, { args }: Call): number {
  if (machine.parameters === undefined) return BAD_ARGUMENT;
  machine.parameters = args;
  return OK;
}

function echo(machine: Machine, { args }: Call): number {
  let at = 0;
  let newline = true;
  let escapes = false;
  for (; /^-[ne]+$/.test(args[at] ?? ""); at++) {
    newline &&= !args[at]!.includes("n");
    escapes ||= args[at]!.includes("e");
  }
  if (args[at] === "--") at += 1;
  const text = args.slice(at).join(" ");
  print(machine, (escapes ? unescapeEcho(text) : text) + (newline ? "\n" : ""));
  return OK;
}

const ECHO: Record<string, string> = { a: "", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", c: "" };

function unescapeEcho(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => ECHO[char] ?? char);
}

/** Counters of Fedora's GRUB: `increment boot_counter`. */
function countUpOrDown(machine: Machine, { name, args }: Call): number {
  const [variable] = args;
  if (variable === undefined) return BAD_ARGUMENT;
  const value = readNumber(machine.env.get(variable) ?? "")?.value ?? 0;
  if (name === "decrement" && value === 0) return BAD_ARGUMENT;
  machine.env.set(variable, String(name === "increment" ? value + 1 : value - 1));
  return OK;
}

export const variableCommands: CommandTable = [
  ["set", set],
  ["unset", unset],
  ["export", exportVariables],
  ["break", breakLoops],
  ["continue", breakLoops],
  ["return", returnFromFunction],
  ["shift", shift],
  ["setparams", setParameters],
  ["echo", echo],
  ["increment", countUpOrDown],
  ["decrement", countUpOrDown],
  ["true", () => OK],
  ["false", () => TEST_FAILED],
];

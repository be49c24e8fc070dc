/** `regexp [--set [NUMBER:]NAME] PATTERN TEXT` (grub-core/commands/regexp.c). */
import { BAD_ARGUMENT, configWhere, OK, TEST_FAILED } from "../machine.ts";
import type { Machine } from "../machine.ts";
import { parseOptions } from "../options.ts";
import { compilePattern, matchPattern } from "../pattern.ts";
import type { Call, CommandTable } from "./call.ts";

function regexp(machine: Machine, { args }: Call): number {
  const parsed = parseOptions(args, [{ long: "set", short: "s", value: "required" }]);
  const [pattern, text, ...more] = parsed?.rest ?? [];
  if (!parsed || pattern === undefined || text === undefined || more.length > 0)
    return BAD_ARGUMENT;
  const where = configWhere(machine.menu.config);
  machine.characters.spend(16 * pattern.length);
  const compiled = compilePattern(pattern, where);
  if (!compiled) return TEST_FAILED;
  // Each match is bounded by itself; this bounds all of them together.
  machine.characters.spend(Math.ceil((compiled.program.length * (text.length + 1)) / 8));
  const match = matchPattern(compiled, text, where);
  if (!match) return TEST_FAILED;
  for (const set of parsed.options.get("set") ?? []) {
    const [, number = "1", name] = /^(?:([0-9]+):)?(.*)$/s.exec(set)!;
    if (!name || name.includes(":")) return BAD_ARGUMENT;
    const start = match[2 * Number(number)] ?? -1;
    const end = match[2 * Number(number) + 1] ?? -1;
    if (start < 0 || end < 0) machine.env.unset(name);
    else machine.env.set(name, text.slice(start, end));
  }
  return OK;
}

export const regexpCommands: CommandTable = [["regexp", regexp]];

/**
 * Runs GRUB script (grub-core/script/execute.c). Errors of commands do not stop a script: they are printed, `$?` says
 * so, and the next command runs. A command that GRUB does not know counts as a success, oddly: `if nosuch; then` takes
 * the first branch.
 */
import { overLimit } from "../../../base/failure.ts";
import { expandWords } from "./expand.ts";
import {
  BAD_ARGUMENT,
  configWhere,
  MAX_CALL_DEPTH,
  MAX_COMMAND_CHARACTERS,
  note,
  OK,
  TEST_FAILED,
} from "./machine.ts";
import type { Machine } from "./machine.ts";
import { commands } from "./commands/table.ts";
import type { Call } from "./commands/call.ts";
import { assign } from "./commands/variables.ts";
import { parseStatement } from "./parser.ts";
import type { Command } from "./parser.ts";
import { blockSource } from "./source.ts";
import type { Block, Source } from "./source.ts";
import type { Word } from "./word.ts";

/** Runs a text statement by statement; one that does not parse is noted and passed over. */
export async function runSource(machine: Machine, source: Source): Promise<number> {
  enter(machine);
  let status = OK;
  let at = 0;
  while (at < source.text.length && !isInterrupted(machine)) {
    machine.steps.spend();
    machine.devices.signal?.throwIfAborted();
    const statement = parseStatement(source, at);
    machine.characters.spend(statement.next - at);
    at = statement.next;
    for (const { name, body } of statement.functions) machine.functions.set(name, body);
    if (statement.failure?.kind === "syntax") {
      machine.syntaxErrors.spend();
      const { line, column, found, expected } = statement.failure;
      note(machine, `syntax ${line}`, {
        code: "grub-syntax",
        severity: "warning",
        where: [...source.where, `line ${line}`],
        what: `GRUB cannot read line ${line} of ${source.path}.`,
        why: `Column ${column} has ${found} where ${expected} should be. GRUB passes over the statement and goes on with the next line.`,
        next: "Mend the file under /etc/grub.d or /etc/default/grub in the guest, then run update-grub (or grub2-mkconfig).",
      });
      continue;
    }
    status = await runCommands(machine, statement.commands);
  }
  machine.depth -= 1;
  return status;
}

function enter(machine: Machine): void {
  machine.depth += 1;
  if (machine.depth > MAX_CALL_DEPTH) {
    throw overLimit(
      configWhere(machine.menu.config),
      "depth of functions, blocks and files",
      String(MAX_CALL_DEPTH),
    );
  }
}

/** True when what follows is not to be run: `break`, `return`, `exit`, a menu that was entered. */
function isInterrupted(machine: Machine): boolean {
  return machine.breaks > 0 || machine.returning || machine.stopped !== undefined;
}

async function runCommands(machine: Machine, list: readonly Command[]): Promise<number> {
  let status = OK;
  for (const command of list) {
    if (isInterrupted(machine)) break;
    status = await runCommand(machine, command);
    machine.env.set("?", String(status));
  }
  return status;
}

async function runCommand(machine: Machine, command: Command): Promise<number> {
  machine.steps.spend();
  machine.devices.signal?.throwIfAborted();
  switch (command.kind) {
    case "simple":
      return runSimple(machine, command);
    case "if": {
      for (const clause of command.clauses) {
        await runCommands(machine, clause.condition);
        if (machine.returning || machine.stopped) return OK;
        if (machine.env.get("?") === "0") return runBlock(machine, clause.body);
      }
      return runBlock(machine, command.otherwise);
    }
    case "for":
      return runFor(machine, command);
    case "while":
      return runWhile(machine, command);
  }
}

async function runBlock(machine: Machine, list: readonly Command[]): Promise<number> {
  enter(machine);
  const status = await runCommands(machine, list);
  machine.depth -= 1;
  return status;
}

async function runFor(
  machine: Machine,
  command: Extract<Command, { kind: "for" }>,
): Promise<number> {
  const values = expand(machine, command.words);
  let status = OK;
  machine.loops += 1;
  for (const value of values) {
    machine.steps.spend();
    if (machine.continues && machine.breaks === 1) machine.breaks = 0;
    if (machine.breaks > 0) break;
    machine.env.set(command.name, value);
    status = await runBlock(machine, command.body);
    if (machine.returning || machine.stopped) break;
  }
  if (machine.breaks > 0) machine.breaks -= 1;
  machine.loops -= 1;
  return status;
}

async function runWhile(
  machine: Machine,
  command: Extract<Command, { kind: "while" }>,
): Promise<number> {
  let status = OK;
  machine.loops += 1;
  for (;;) {
    machine.steps.spend();
    status = await runBlock(machine, command.condition);
    if (machine.returning || machine.stopped) break;
    if (command.until ? status === OK : status !== OK) break;
    status = await runBlock(machine, command.body);
    if (machine.returning || machine.stopped) break;
    if (machine.continues && machine.breaks === 1) machine.breaks = 0;
    if (machine.breaks > 0) break;
  }
  if (machine.breaks > 0) machine.breaks -= 1;
  machine.loops -= 1;
  return status;
}

function expand(machine: Machine, words: readonly Word[]): string[] {
  let left = MAX_COMMAND_CHARACTERS;
  return expandWords(words, {
    get: (name) => machine.env.get(name),
    parameters: machine.parameters,
    spend(length) {
      left -= length;
      if (left < 0) {
        throw overLimit(
          configWhere(machine.menu.config),
          "length of a command",
          String(MAX_COMMAND_CHARACTERS),
        );
      }
      machine.characters.spend(length);
    },
  });
}

async function runSimple(
  machine: Machine,
  command: Extract<Command, { kind: "simple" }>,
): Promise<number> {
  const argv = expand(machine, command.words);
  const invert = argv[0] === "!";
  if (invert) argv.shift();
  const name = argv.shift();
  if (name === undefined) return invert ? BAD_ARGUMENT : OK;
  const call: Call = { name, args: argv, ...command };
  const found = commands.get(name);
  const body = machine.functions.get(name);
  if (!found && !body) return assignOrPassOver(machine, call);
  const status = found ? await found(machine, call) : await callFunction(machine, body!, call.args);
  if (!invert) return status;
  return status === OK ? TEST_FAILED : OK;
}

/** What is neither a command nor a function; always a success, even after `!`. */
function assignOrPassOver(machine: Machine, call: Call): number {
  if (call.name.includes("=")) {
    assign(machine, call.name, call);
    return OK;
  }
  note(machine, `unknown ${call.name}`, {
    code: "grub-unknown-command",
    severity: "note",
    where: [...configWhere(machine.menu.config), `line ${call.line}`],
    what: `The GRUB configuration uses the command "${call.name}", which domus does not know.`,
    why: "It was passed over. If it decides over what is booted, the entry that domus names may be another one than GRUB's.",
    next: "Look at the line named above, and compare with the boot menu of the guest.",
  });
  return OK;
}

async function callFunction(
  machine: Machine,
  body: readonly Command[],
  args: readonly string[],
): Promise<number> {
  const { loops, parameters } = machine;
  machine.loops = 0;
  machine.parameters = args;
  const status = await runBlock(machine, body);
  machine.returning = false;
  machine.loops = loops;
  machine.parameters = parameters;
  return status;
}

/** Runs text with parameters of its own, as a menu entry's body is run. */
export async function runBody(
  machine: Machine,
  block: Block,
  parameters: readonly string[],
): Promise<number> {
  machine.parameters = parameters;
  // Cutting it out costs as much as reading it; a menu of many entries can share one large body.
  machine.characters.spend(block.end - block.start);
  return runSource(machine, blockSource(block));
}

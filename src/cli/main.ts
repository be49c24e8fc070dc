#!/usr/bin/env node
/** `domus`: parses the command line, calls one command, and ends with its exit code. */
import { localHost } from "../host/local/local-host.ts";
import { treeHost } from "../host/local/tree-host.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { openFacts } from "./facts.ts";
import { keepVerdicts, openGuestState } from "./guest-state.ts";
import { terminalOutput } from "./output.ts";
import { runApp } from "./run-app.ts";

/** Their result is all there is to them. What the others do goes on when nobody listens, and the exit code says how it ended. */
const ONLY_SAY = new Set([
  "check",
  "disk",
  "entries",
  "explain",
  "history",
  "list",
  "show",
  "watch",
]);

function onlySays([command = "", sub]: readonly string[]): boolean {
  return ONLY_SAY.has(command) && sub !== "cp";
}

async function main(): Promise<void> {
  const interrupt = new AbortController();
  const out = terminalOutput(process.stdout, process.stderr, process.env);
  // The first Ctrl-C lets the command end in order, the second ends it at once.
  process.on("SIGINT", () => {
    out.progress("");
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  });
  process.on("SIGTERM", () => interrupt.abort());
  // The connection to the host is gone: what was begun ends in order. Node undoes what nohup does, before anybody could see it.
  process.on("SIGHUP", () => interrupt.abort());
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // `domus check | head`: the reader has seen enough.
    if (error.code === "EPIPE") {
      if (onlySays(process.argv.slice(2))) process.exit(EXIT.done);
      return;
    }
    out.say(`domus: the result could not be written to stdout: ${error.code ?? error.message}`);
    process.exit(EXIT.failed);
  });
  // Who does not listen to what is going on is no reason to leave it half done.
  process.stderr.on("error", () => {});
  const state: Context["process"] = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
  };
  const context: Context = {
    process: state,
    out,
    openHost: (root) => (root === undefined ? localHost() : treeHost(root)),
    openFacts: () => openFacts(process.env),
    openState: openGuestState(process.env),
    keepVerdicts: keepVerdicts(process.env),
    isRoot: process.geteuid?.() === 0,
    signal: interrupt.signal,
  };
  process.exitCode = await runApp(process.argv.slice(2), context);
}

void main();

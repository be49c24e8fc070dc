#!/usr/bin/env node
/** `domus`: parses the command line, calls one command, and ends with its exit code. */
import { run } from "@stricli/core";
import { localHost } from "../host/local/local-host.ts";
import { treeHost } from "../host/local/tree-host.ts";
import { app } from "./app.ts";
import type { Context } from "./context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { openFacts } from "./facts.ts";
import { keepVerdicts, openGuestState } from "./guest-state.ts";
import { terminalOutput } from "./output.ts";

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
  // `domus check | head`: the reader has seen enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.done);
    throw error;
  });
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
  await run(app, process.argv.slice(2), context);
  process.exitCode = exitCodeOf(state.exitCode);
}

void main();

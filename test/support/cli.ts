/** Runs a command of `domus` in this process, with captured output and a host of the test's choosing. */
import type { Context } from "../../src/cli/context.ts";
import type { GuestState, KeepVerdicts } from "../../src/cli/guest-state.ts";
import { terminalOutput } from "../../src/cli/output.ts";
import { runApp } from "../../src/cli/run-app.ts";
import type { FactsCache } from "../../src/guest/check/facts-cache.ts";
import type { BootPorts } from "../../src/guest/console/watch-boot.ts";
import type { LifecyclePorts } from "../../src/guest/lifecycle/ports.ts";
import type { Host } from "../../src/host/host.ts";
import type { Records } from "../../src/host/records.ts";
import { localHost } from "../../src/host/local/local-host.ts";
import { treeHost } from "../../src/host/local/tree-host.ts";

export type CliRun = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type CliOptions = {
  readonly host?: Host;
  readonly columns?: number;
  readonly signal?: AbortSignal;
  /** Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Left out: nothing is kept from one run to the next. */
  readonly facts?: FactsCache;
  /** What is kept of guests. Left out: nothing. */
  readonly state?: Partial<GuestState>;
  /** Left out: as root. */
  readonly isRoot?: boolean;
  /** Told what a check would keep. */
  readonly keepVerdicts?: KeepVerdicts;
  /** For commands that change guests; their records are those that all commands see. */
  readonly lifecycle?: LifecyclePorts;
  readonly boot?: BootPorts;
};

export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const { lifecycle, boot } = options;
  const stdout = sink(options.columns);
  const stderr = sink(options.columns);
  const state: Context["process"] = { stdout, stderr, env: options.env ?? {} };
  const out = terminalOutput(stdout, stderr, {});
  const host = options.host ?? lifecycle?.host;
  const context: Context = {
    process: state,
    out,
    openHost: (root) => host ?? (root === undefined ? localHost() : treeHost(root)),
    openFacts: () => Promise.resolve(options.facts),
    ...(options.state && { openState: () => Promise.resolve(stateOf(options.state!)) }),
    ...(options.isRoot !== undefined && { isRoot: options.isRoot }),
    ...(options.keepVerdicts && { keepVerdicts: options.keepVerdicts }),
    signal: options.signal ?? new AbortController().signal,
    ...(lifecycle && {
      openLifecycle: () => ({
        ...lifecycle,
        records: closedOnce(lifecycle.records),
        tell: (text) => out.say(text),
      }),
      openState: () => Promise.resolve(stateOf({ ...options.state, records: lifecycle.records })),
    }),
    ...(boot && { openBoot: () => boot }),
  };
  const code = await runApp(argv, context);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function stateOf(known: Partial<GuestState>): GuestState {
  return { verdicts: new Map(), [Symbol.dispose]: () => {}, ...known };
}

/** As a database is: of no use to who goes on after it was closed. The next command has another. */
function closedOnce(records: Records): Records {
  let isClosed = false;
  return new Proxy(records, {
    get(target, key) {
      if (key === Symbol.dispose) return () => void (isClosed = true);
      if (isClosed) throw new Error("the records are closed");
      return Reflect.get(target, key, target) as unknown;
    },
  });
}

/** Enough of a WriteStream for `terminalOutput`. */
function sink(columns: number | undefined): NodeJS.WriteStream & { text(): string } {
  const parts: Buffer[] = [];
  const stream = {
    isTTY: false,
    columns,
    write(chunk: string | Uint8Array, done?: (error?: Error) => void) {
      parts.push(Buffer.from(chunk as Uint8Array));
      done?.();
      return true;
    },
    text: () => Buffer.concat(parts).toString("utf8"),
  };
  return stream as unknown as NodeJS.WriteStream & { text(): string };
}

/** `domus sync`: parses, shows, and ends with the right words; guest/sync does the work. */
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { misuse } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import type { GivenEnd } from "../../guest/sync/given-end.ts";
import type { SyncPlan } from "../../guest/sync/plan.ts";
import { serveSync } from "../../guest/sync/serve.ts";
import { SessionStream } from "../../guest/sync/session-stream.ts";
import { syncDisks } from "../../guest/sync/sync-disks.ts";
import type { StartedRun, SyncEnd, SyncOutcome, SyncRequest } from "../../guest/sync/sync-disks.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { Output } from "../output.ts";
import {
  doneJson,
  dryText,
  planJson,
  planText,
  startedLines,
  summaryText,
} from "../render/sync-summary.ts";
import { keepYoungHeapSmall } from "../../host/local/young-heap.ts";
import { connectFar, servedChannel } from "../sync/connect-far.ts";
import { localSyncPorts } from "../sync/local-sync.ts";
import { showProgress } from "../sync/show-progress.ts";
import { isStdinFile, pipeSource, pipeTarget } from "../sync/pipe-ends.ts";
import {
  parseEnd,
  parseRate,
  parseSize,
  parseTimeout,
  splitCommand,
} from "../sync/sync-arguments.ts";
import { VERSION } from "../version.ts";

export type SyncFlags = {
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly check: boolean;
  readonly allBlocks: boolean;
  readonly shutDown: boolean;
  readonly since?: string;
  readonly keepIndex: boolean;
  readonly full: boolean;
  readonly verify: boolean;
  readonly stateDir?: string;
  readonly size?: string;
  readonly bwlimit?: string;
  readonly nice: boolean;
  readonly timeout?: string;
  readonly ssh?: string;
  readonly farDomus?: string;
  readonly bootstrap: boolean;
  readonly serve: boolean;
};

const PROGRAM = `domus ${VERSION}`;

export const run = failing(
  async function (this: Context, flags: SyncFlags, ...names: string[]) {
    keepYoungHeapSmall();
    if (flags.serve) {
      await serve();
      return EXIT.done;
    }
    const request = requestOf(flags, names);
    const given = givenEnd(request, flags);
    return copy(this, named(request, given), { json: flags.json, ...(given && { given }) });
  },
  { jsonLines: true },
);

async function serve(): Promise<void> {
  const stream = new SessionStream(servedChannel(), ["the near side"]);
  await serveSync({ stream, ports: localSyncPorts(), program: PROGRAM });
}

function requestOf(flags: SyncFlags, names: readonly string[]): SyncRequest {
  const [source, destination] = names;
  if (source === undefined || destination === undefined)
    throw misuse(
      names.length === 0 ? "Nothing to copy is named." : "It is not said where to copy it to.",
      "domus sync SRC [HOST:]DST; domus sync --help has examples.",
    );
  return {
    source: withFileOfStdin(parseEnd(source)),
    destination: parseEnd(destination),
    dryRun: flags.dryRun,
    checkOnly: flags.check,
    ...pickFlags(flags),
    ...(flags.since !== undefined && { since: flags.since }),
    ...(flags.stateDir !== undefined && { stateDir: resolve(flags.stateDir) }),
    ssh: splitCommand(flags.ssh ?? "ssh"),
    farDomus: flags.farDomus ?? "domus",
    bootstrap: flags.bootstrap,
    timeoutSeconds: parseTimeout(flags.timeout),
    bytesPerSecond: parseRate(flags.bwlimit),
  };
}

/** A pipe, when one of them is `-`. */
function givenEnd({ source, destination }: SyncRequest, flags: SyncFlags): GivenEnd | undefined {
  const [from, to] = [isPipe(source), isPipe(destination)];
  if (from && to)
    throw misuse("Both ends are pipes.", "cat does that. Name a device or a file on one side.");
  if (from) return pipeSource(process.stdin, parseSize(flags.size));
  if (flags.size !== undefined)
    throw misuse("--size is for stdin as the source.", "A device or file knows its size.");
  if (!to) return undefined;
  if (flags.json) throw misuse("The copy and --json both go to stdout.", "Leave one of them out.");
  return pipeTarget();
}

/** A pipe under the name that people know. */
function named(request: SyncRequest, given: GivenEnd | undefined): SyncRequest {
  if (!given) return request;
  const path = given.role === "source" ? "stdin" : "stdout";
  return { ...request, [given.role]: { path } };
}

function isPipe({ host, path }: SyncEnd): boolean {
  return host === undefined && path === "-";
}

/** A file that the shell has opened for us (`< FILE`) is read as any other: as often as need be, without its holes. */
function withFileOfStdin(end: SyncEnd): SyncEnd {
  return isPipe(end) && isStdinFile() ? { path: "/dev/stdin" } : end;
}

function pickFlags({ allBlocks, shutDown, keepIndex, full, verify, nice }: SyncFlags) {
  return { allBlocks, shutDown, keepIndex, full, verify, nice };
}

type How = { readonly json: boolean; readonly given?: GivenEnd };

async function copy(
  context: Context,
  request: SyncRequest,
  { json, given }: How,
): Promise<ExitCode> {
  const { out, signal } = context;
  const show = json ? jsonShow(out) : textShow(out, given?.role === "destination");
  let begun = false;
  let endProgress = () => {};
  try {
    const outcome = await syncDisks(request, {
      ports: localSyncPorts(),
      connect: connectFar,
      program: PROGRAM,
      signal,
      attended: hasTerminal(),
      ...(given && { given }),
      onPlan: show.plan,
      onRun(started) {
        begun = true;
        show.started(started);
        endProgress = showProgress({ out, json, run: started });
      },
    });
    endProgress();
    show.done(outcome);
    return outcome.done?.differing?.equal === false ? EXIT.findings : EXIT.done;
  } catch (error) {
    endProgress();
    if (begun && !request.checkOnly) out.say(unfinishedText(request, given));
    throw error;
  }
}

/** Where ssh asks for passwords, whatever stdin is: a job of cron or systemd has none. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Said whatever it was that ended the run. */
function unfinishedText({ destination }: SyncRequest, given: GivenEnd | undefined): string {
  const { host, path } = destination;
  if (given?.role === "destination") return "What came out is not whole: throw it away.";
  const name = printable(host === undefined ? path : `${host}:${path}`);
  return `${name} is unfinished. Run the same command again: it goes on where it was.`;
}

type Show = {
  readonly plan: (plan: SyncPlan) => void;
  readonly started: (run: StartedRun) => void;
  readonly done: (outcome: SyncOutcome) => void;
};

/** `toStdout`: the copy goes there, so words do not. */
function textShow(out: Output, toStdout: boolean): Show {
  return {
    plan: (plan) => out.say(planText(plan, out.width)),
    started: (found) => {
      for (const line of startedLines(found, out.width)) out.say(line);
    },
    done: ({ plan, done, dry }) => {
      if (dry) out.result(dryText(dry, out.width));
      if (!done) return;
      const text = summaryText(plan, done, out.width);
      if (toStdout) out.say(text);
      else out.result(text);
    },
  };
}

function jsonShow(out: Output): Show {
  return {
    plan: (plan) => out.line({ event: "plan", ...planJson(plan) }),
    started: ({ source, destination }) => out.line({ event: "begin", source, destination }),
    done: ({ plan, done, dry }) =>
      out.line({
        domus: 1,
        ...planJson(plan),
        done: done ? doneJson(done) : null,
        ...(dry && { dry }),
      }),
  };
}

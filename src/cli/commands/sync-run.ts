/** `domus sync`: parses, shows, and ends with the right words; guest/sync does the work. */
import { misuse } from "../../base/failure.ts";
import { serveSync } from "../../guest/sync/serve.ts";
import { SessionStream } from "../../guest/sync/session-stream.ts";
import { syncDisks } from "../../guest/sync/sync-disks.ts";
import type { SyncRequest } from "../../guest/sync/sync-disks.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { doneJson, planJson, planText, summaryText } from "../render/sync-summary.ts";
import { connectFar, localSyncPorts, servedChannel } from "../sync/local-sync.ts";
import { showProgress } from "../sync/show-progress.ts";
import { parseEnd, parseRate, parseTimeout, splitCommand } from "../sync/sync-arguments.ts";
import { VERSION } from "../version.ts";

export type SyncFlags = {
  readonly json: boolean;
  readonly dryRun: boolean;
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
    if (flags.serve) {
      await serve();
      return EXIT.done;
    }
    const request = requestOf(flags, names);
    await copy(this, request, flags.json);
    return EXIT.done;
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
    source: parseEnd(source),
    destination: parseEnd(destination),
    dryRun: flags.dryRun,
    ssh: splitCommand(flags.ssh ?? "ssh"),
    farDomus: flags.farDomus ?? "domus",
    bootstrap: flags.bootstrap,
    timeoutSeconds: parseTimeout(flags.timeout),
    bytesPerSecond: parseRate(flags.bwlimit),
    nice: flags.nice,
  };
}

async function copy(context: Context, request: SyncRequest, json: boolean): Promise<void> {
  const { out, signal } = context;
  let begun = false;
  let endProgress = () => {};
  try {
    const { plan, done } = await syncDisks(request, {
      ports: localSyncPorts(),
      connect: connectFar,
      program: PROGRAM,
      signal,
      onPlan(found) {
        if (json) out.line({ event: "plan", ...planJson(found) });
        else out.say(planText(found, out.width));
      },
      onRun(found, counters) {
        begun = true;
        endProgress = showProgress({ out, json, counters, totalBytes: found.sizeBytes });
      },
    });
    endProgress();
    if (json) out.line({ domus: 1, ...planJson(plan), done: done ? doneJson(done) : null });
    else if (done) out.result(summaryText(plan, done, out.width));
  } catch (error) {
    endProgress();
    if (begun) {
      const { host, path } = request.destination;
      const name = host === undefined ? path : `${host}:${path}`;
      out.say(`${name} is unfinished. Run the same command again: it goes on where it was.`);
    }
    throw error;
  }
}

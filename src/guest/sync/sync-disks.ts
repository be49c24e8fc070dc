/**
 * Makes one disk equal to another, here or on another host: survey, plan, run (docs/design/sync-session.md). The command
 * and the library call this.
 */
import { attempt, FailureError, misuse } from "../../base/failure.ts";
import { newCounters } from "../../sync/counters.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import { parseEndFacts } from "./end-facts.ts";
import type { EndFacts, Role } from "./end-facts.ts";
import type { Fields } from "./message-fields.ts";
import { NearSession } from "./near-session.ts";
import { planSync } from "./plan.ts";
import type { SyncPlan } from "./plan.ts";
import type { Connect, SyncPorts } from "./ports.ts";
import { openEnd } from "./run-end.ts";
import type { EndReport } from "./run-end.ts";
import { orderMessage } from "./run-order.ts";
import type { RunOrder } from "./run-order.ts";
import { surveyEnd } from "./survey.ts";

export type SyncEnd = {
  /** Undefined: this machine. */
  readonly host?: string;
  readonly path: string;
};

export type SyncRequest = {
  readonly source: SyncEnd;
  readonly destination: SyncEnd;
  readonly dryRun: boolean;
  /** The command and its arguments in place of `ssh`. */
  readonly ssh: readonly string[];
  readonly farDomus: string;
  readonly bootstrap: boolean;
  /** Of silence. */
  readonly timeoutSeconds: number;
  /** Of what is sent, in each direction; 0 for no limit. */
  readonly bytesPerSecond: number;
  readonly nice: boolean;
};

export type SyncWorld = {
  readonly ports: SyncPorts;
  readonly connect: Connect;
  /** Name and version of the program. */
  readonly program: string;
  readonly signal: AbortSignal;
  /** What will be done; nothing was changed by then. */
  readonly onPlan?: (plan: SyncPlan) => void;
  /** The engine begins; its counters grow until it ends. */
  readonly onRun?: (plan: SyncPlan, counters: SyncCounters) => void;
};

export type SyncOutcome = {
  readonly plan: SyncPlan;
  /** Absent after a dry run. */
  readonly done?: SyncDone;
};

export type SyncDone = EndReport & {
  /** Of the near side. */
  readonly counters: Readonly<SyncCounters>;
  readonly seconds: number;
};

/** How long the far side is asked why, when a run has failed. */
const REASON_MS = 5000;

/** Fails with what either side has met, `refused` when it was not begun, the signal's reason when that ended it. */
export async function syncDisks(request: SyncRequest, world: SyncWorld): Promise<SyncOutcome> {
  const { source, destination } = request;
  if (source.host !== undefined && destination.host !== undefined)
    throw misuse(
      "Both ends are on other hosts.",
      `Run it on one of them: ssh ${source.host} domus sync ${source.path} ${destination.host}:${destination.path}`,
    );
  const { ports, connect, signal } = world;
  await using session = await NearSession.open(connect, {
    ...(source.host !== undefined && { host: source.host }),
    ...(destination.host !== undefined && { host: destination.host }),
    ssh: request.ssh,
    domus: request.farDomus,
    bootstrap: request.bootstrap,
    timeoutSeconds: request.timeoutSeconds,
  });
  signal.throwIfAborted();
  const nearRole: Role = source.host === undefined ? "source" : "destination";
  const plan = await makePlan({ request, ports, session, nearRole });
  world.onPlan?.(plan);
  signal.throwIfAborted();
  if (request.dryRun) return { plan };
  return { plan, done: await runPlan({ plan, request, world, session, nearRole }) };
}

type Planning = {
  readonly request: SyncRequest;
  readonly ports: SyncPorts;
  readonly session: NearSession;
  readonly nearRole: Role;
};

async function makePlan({ request, ports, session, nearRole }: Planning): Promise<SyncPlan> {
  const ends = { source: request.source, destination: request.destination };
  const farRole: Role = nearRole === "source" ? "destination" : "source";
  const asking = session.ask({ ask: "survey", role: farRole, path: ends[farRole].path });
  // When the near end fails first, nobody waits for it.
  asking.catch(() => {});
  const near = await surveyEnd(ports, nearRole, ends[nearRole].path);
  const far = parseEndFacts((await asking).object("facts"));
  const facts = { [nearRole]: near, [farRole]: far } as Record<Role, EndFacts>;
  const sameMachine = session.bootId === (await ports.hostNames()).bootId;
  return planSync({
    source: { ...facts.source, ...ends.source },
    destination: { ...facts.destination, ...ends.destination },
    same:
      sameMachine &&
      facts.destination.kind !== "missing" &&
      (await ports.sameDevice(facts.source.resolved, facts.destination.resolved)),
  });
}

type Running = {
  readonly plan: SyncPlan;
  readonly request: SyncRequest;
  readonly world: SyncWorld;
  readonly session: NearSession;
  readonly nearRole: Role;
};

async function runPlan({ plan, request, world, session, nearRole }: Running): Promise<SyncDone> {
  const { ports, program, signal } = world;
  const order = (role: Role): RunOrder => {
    const { path, identity, sizeBytes, kind } = plan[role];
    const { timeoutSeconds, bytesPerSecond, nice } = request;
    const seen = { identity, sizeBytes, kind };
    return { role, path, seen, sizeBytes: plan.sizeBytes, timeoutSeconds, bytesPerSecond, nice };
  };
  await using near = await openEnd(ports, order(nearRole));
  await session.ask(orderMessage(order(nearRole === "source" ? "destination" : "source")));
  const counters = newCounters();
  const started = performance.now();
  world.onRun?.(plan, counters);
  const channel = session.records();
  const stop = () => channel.close();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const ours = await attempt(() => near.run({ channel, program, counters }));
    if (!ours.ok) throw await reasonOf(new FailureError(ours.failure), session, signal);
    const far = parseReport((await session.report()).object("report"));
    return {
      writtenBytes: ours.value.writtenBytes + far.writtenBytes,
      zeroedBytes: ours.value.zeroedBytes + far.zeroedBytes,
      counters,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function parseReport(fields: Fields): EndReport {
  return { writtenBytes: fields.count("writtenBytes"), zeroedBytes: fields.count("zeroedBytes") };
}

/** How the engine calls the other side in its failures. */
const PEERS = ["the source", "the destination"];

/** The side that failed first knows why; the other one only that it has ended. */
async function reasonOf(
  ours: FailureError,
  session: NearSession,
  signal: AbortSignal,
): Promise<unknown> {
  const asked = await attempt(() => session.report(REASON_MS));
  if (signal.aborted) return signal.reason;
  const aboutPeer = PEERS.includes(ours.failure.where[0] ?? "");
  if (!aboutPeer) return ours;
  if (asked.ok) return ours;
  const theirs = asked.failure;
  // What they say of us is our own reason.
  return theirs.where.some((step) => PEERS.includes(step)) ? ours : new FailureError(theirs);
}

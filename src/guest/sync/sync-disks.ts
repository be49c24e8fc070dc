/**
 * Makes one disk equal to another, here or on another host: survey, plan, run (docs/design/sync-session.md). The command
 * and the library call this.
 */
import { attempt, FailureError, misuse } from "../../base/failure.ts";
import type { Result } from "../../base/failure.ts";
import { newCounters } from "../../sync/counters.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import type { SyncSource } from "../../sync/device.ts";
import { parseEndFacts } from "./end-facts.ts";
import type { EndFacts, Role } from "./end-facts.ts";
import { estimateOf, sampleReading } from "./estimate.ts";
import type { Estimate } from "./estimate.ts";
import { givenFacts, openGivenEnd } from "./given-end.ts";
import type { GivenEnd } from "./given-end.ts";
import { NearSession } from "./near-session.ts";
import { endName, planSync } from "./plan.ts";
import type { SyncPlan } from "./plan.ts";
import type { Connect, SyncPorts } from "./ports.ts";
import { parseAbout, parseReport } from "./end-report.ts";
import type { EndAbout, EndReport } from "./end-report.ts";
import { openEnd } from "./run-end.ts";
import type { OpenedEnd } from "./run-end.ts";
import { orderMessage } from "./run-order.ts";
import type { RunOrder } from "./run-order.ts";
import { surveyEnd } from "./survey.ts";
import type { Survey } from "./survey.ts";

export type SyncEnd = {
  /** Undefined: this machine. */
  readonly host?: string;
  readonly path: string;
};

export type SyncRequest = FarChoice &
  Pick<
    RunOrder,
    | "timeoutSeconds"
    | "bytesPerSecond"
    | "nice"
    | "checkOnly"
    | "allBlocks"
    | "shutDown"
    | "keepIndex"
    | "full"
    | "verify"
    | "stateDir"
  > & {
    readonly source: SyncEnd;
    readonly destination: SyncEnd;
    readonly dryRun: boolean;
    /** The snapshot of the source's volume that the destination was made equal to. */
    readonly since?: string;
  };

/** How the far side is reached. */
export type FarChoice = {
  /** The command and its arguments in place of `ssh`. */
  readonly ssh: readonly string[];
  readonly farDomus: string;
  readonly bootstrap: boolean;
};

export type SyncWorld = {
  readonly ports: SyncPorts;
  readonly connect: Connect;
  /** Name and version of the program. */
  readonly program: string;
  /** The near end of its role is this, and not what the request's path names: that is what people are told. */
  readonly given?: GivenEnd;
  readonly signal: AbortSignal;
  /** ssh can ask somebody for a password: how long the far side takes to answer is not bounded then. */
  readonly attended?: boolean;
  /** What will be done; nothing was changed by then. */
  readonly onPlan?: (plan: SyncPlan) => void;
  /** Both ends are open, and the engine begins; its counters grow until it ends. */
  readonly onRun?: (run: StartedRun) => void;
};

export type StartedRun = {
  readonly plan: SyncPlan;
  readonly source: EndAbout;
  readonly destination: EndAbout;
  /** Of this process. */
  readonly counters: Readonly<SyncCounters>;
  readonly nearRole: Role;
};

export type SyncOutcome = {
  readonly plan: SyncPlan;
  /** Absent after a dry run. */
  readonly done?: SyncDone;
  /** Of a dry run only. */
  readonly dry?: DryRun;
};

export type DryRun = { readonly source: EndAbout; readonly estimate: Estimate };

export type SyncDone = EndReport & {
  /** Of the near side. */
  readonly counters: Readonly<SyncCounters>;
  readonly seconds: number;
  readonly source: EndAbout;
  readonly destination: EndAbout;
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
  const { connect, signal } = world;
  const far = {
    ...(source.host !== undefined && { host: source.host }),
    ...(destination.host !== undefined && { host: destination.host }),
    ssh: request.ssh,
    domus: request.farDomus,
    bootstrap: request.bootstrap,
    timeoutSeconds: request.timeoutSeconds,
    attended: world.attended ?? false,
  };
  const nearRole: Role =
    world.given?.role ?? (source.host === undefined ? "source" : "destination");
  // While the far side starts: that takes as long.
  const looking = attempt(() => surveyNear(request, world, nearRole));
  await using session = await NearSession.open(connect, far, signal);
  signal.throwIfAborted();
  const { plan, source: given } = await makePlan({ request, world, session, nearRole, looking });
  world.onPlan?.(plan);
  signal.throwIfAborted();
  if (request.dryRun)
    return { plan, dry: await dryRun({ plan, request, world, session, nearRole }) };
  const done = await runPlan({ plan, request, world, session, nearRole, ...(given && { given }) });
  return { plan, done };
}

type Planning = {
  readonly request: SyncRequest;
  readonly world: SyncWorld;
  readonly session: NearSession;
  readonly nearRole: Role;
};

/** `source`: the one that was given, open. */
type Planned = { readonly plan: SyncPlan; readonly source?: SyncSource };

/** What is only compared has to be there, and may be in use. */
function surveyOf(request: SyncRequest, role: Role): Survey {
  const { checkOnly, stateDir } = request;
  return {
    role: checkOnly ? "source" : role,
    path: request[role].path,
    ...(stateDir !== undefined && { stateDir }),
  };
}

async function surveyNear(
  request: SyncRequest,
  { ports, given }: SyncWorld,
  role: Role,
): Promise<EndFacts> {
  return given ? givenFacts(given, request[role].path) : surveyEnd(ports, surveyOf(request, role));
}

async function makePlan({
  request,
  world,
  session,
  nearRole,
  looking,
}: Planning & { readonly looking: Promise<Result<EndFacts>> }): Promise<Planned> {
  const { ports, given } = world;
  const { checkOnly, since } = request;
  const ends = { source: request.source, destination: request.destination };
  const farRole = otherRole(nearRole);
  const asking = session.ask({ ask: "survey", ...surveyOf(request, farRole) });
  const [near, far] = await Promise.all([
    looking,
    attempt(async () => parseEndFacts((await asking).object("facts"))),
  ]);
  const found = { [nearRole]: near, [farRole]: far } as Record<Role, Result<EndFacts>>;
  const facts = bothOf(found, ends);
  const sameMachine = session.bootId === (await ports.hostNames()).bootId;
  const source =
    given?.role === "source" ? await given.open(facts.destination.sizeBytes) : undefined;
  const plan = planSync({
    source: { ...facts.source, ...ends.source, ...(source && { sizeBytes: source.size }) },
    destination: { ...facts.destination, ...ends.destination },
    same:
      sameMachine &&
      !given &&
      facts.destination.kind !== "missing" &&
      (await ports.sameDevice(facts.source.resolved, facts.destination.resolved)),
    checkOnly,
    ...(since !== undefined && { since }),
  });
  return { plan, ...(source && { source }) };
}

/** When only the source is not there, they may be the wrong way round. */
function bothOf(
  { source, destination }: Readonly<Record<Role, Result<EndFacts>>>,
  ends: Readonly<Record<Role, SyncEnd>>,
): Readonly<Record<Role, EndFacts>> {
  if (!source.ok) {
    const { failure } = source;
    const there = destination.ok && destination.value.kind !== "missing";
    if (failure.kind !== "missing" || !there) throw new FailureError(failure);
    const [from, to] = [endName(ends.source), endName(ends.destination)];
    const swapped = `${to} is there. If they are swapped: domus sync ${to} ${from}. Else look at the name.`;
    throw new FailureError({ ...failure, next: swapped });
  }
  if (!destination.ok) throw new FailureError(destination.failure);
  return { source: source.value, destination: destination.value };
}

function otherRole(role: Role): Role {
  return role === "source" ? "destination" : "source";
}

type Running = {
  readonly plan: SyncPlan;
  readonly request: SyncRequest;
  readonly world: SyncWorld;
  readonly session: NearSession;
  readonly nearRole: Role;
  readonly given?: SyncSource;
};

async function runPlan(running: Running): Promise<SyncDone> {
  const { world, plan, session } = running;
  await using ends = await openEnds(running);
  const { near, abouts } = ends;
  const lookAtAll = abouts.source.partial && !abouts.destination.unchanged;
  await session.ask({ ask: "run", lookAtAll });
  const counters = newCounters();
  const started = performance.now();
  world.onRun?.({ plan, ...abouts, counters, nearRole: running.nearRole });
  const channel = session.records();
  const stop = () => {
    channel.close();
    world.given?.stop?.();
  };
  world.signal.addEventListener("abort", stop);
  if (world.signal.aborted) stop();
  try {
    const { program, signal } = world;
    const ours = await attempt(() => near.run({ channel, program, counters, lookAtAll }));
    if (!ours.ok) throw await reasonOf(new FailureError(ours.failure), session, signal);
    const far = parseReport((await session.report()).object("report"));
    const differing = ours.value.differing ?? far.differing;
    return {
      writtenBytes: ours.value.writtenBytes + far.writtenBytes,
      zeroedBytes: ours.value.zeroedBytes + far.zeroedBytes,
      rereadBytes: ours.value.rereadBytes + far.rereadBytes,
      knownZeroBytes: ours.value.knownZeroBytes + far.knownZeroBytes,
      ...((ours.value.sourceChanged ?? far.sourceChanged) && { sourceChanged: true }),
      ...(differing && { differing }),
      counters,
      seconds: (performance.now() - started) / 1000,
      ...abouts,
    };
  } finally {
    world.signal.removeEventListener("abort", stop);
  }
}

/** Opens the source, which changes nothing, and measures. A pipe is not read: it can be read once only. */
async function dryRun(running: Running): Promise<DryRun> {
  const { plan, request, world, session, nearRole } = running;
  if (world.given)
    throw misuse("--dry-run is not for a pipe.", "Leave it out, or name a device or file.");
  const { ports } = world;
  const order = orderOf(plan, request, "source");
  const source =
    nearRole === "source"
      ? await aboutNear(ports, order)
      : parseAbout((await session.ask(orderMessage(order))).object("about"));
  const rateOf = async (role: Role) => {
    const { kind, path } = plan[role];
    if (kind === "missing") return 0;
    if (role === nearRole) return sampleReading(ports, path);
    return (await session.ask({ ask: "sample", path })).count("bytesPerSecond");
  };
  const sourceRate = await rateOf("source");
  const destinationRate = await rateOf("destination");
  const wireRate = await session.probe();
  const readBytes = source.partial
    ? source.lookBytes
    : Math.min(plan.source.allocatedBytes ?? plan.sizeBytes, plan.sizeBytes - source.unusedBytes);
  const destinationBytes = plan.destination.kind === "missing" ? 0 : readBytes;
  const { bytesPerSecond } = request;
  const measured = { readBytes, sourceRate, destinationRate, wireRate };
  return { source, estimate: estimateOf({ ...measured, destinationBytes, bytesPerSecond }) };
}

async function aboutNear(ports: SyncPorts, order: RunOrder): Promise<EndAbout> {
  await using end = await openEnd(ports, order);
  return end.about;
}

type OpenedEnds = AsyncDisposable & {
  readonly near: OpenedEnd;
  readonly abouts: Readonly<Record<Role, EndAbout>>;
};

/** The source first: when it cannot be had, no file is made at the destination. */
async function openEnds(running: Running): Promise<OpenedEnds> {
  const { plan, request, world, session, nearRole, given } = running;
  const order = (role: Role) => orderOf(plan, request, role);
  const openFar = async (role: Role) =>
    parseAbout((await session.ask(orderMessage(order(role)))).object("about"));
  const farFirst = nearRole === "destination" ? await openFar("source") : undefined;
  const near = world.given
    ? await openGivenEnd(world.given, order(nearRole), given)
    : await openEnd(world.ports, order(nearRole));
  try {
    const far = farFirst ?? (await openFar("destination"));
    const abouts = { [nearRole]: near.about, [otherRole(nearRole)]: far } as Record<Role, EndAbout>;
    return { near, abouts, [Symbol.asyncDispose]: () => near[Symbol.asyncDispose]() };
  } catch (error) {
    await near[Symbol.asyncDispose]();
    throw error;
  }
}

function orderOf(plan: SyncPlan, request: SyncRequest, role: Role): RunOrder {
  const { path, identity, sizeBytes, kind } = plan[role];
  const { snapshotState } = plan.source;
  const { timeoutSeconds, bytesPerSecond, nice, checkOnly, allBlocks, shutDown } = request;
  const { keepIndex, full, verify, stateDir } = request;
  return {
    ...{ role, path, seen: { identity, sizeBytes, kind } },
    sizeBytes: plan.sizeBytes,
    sourceIdentity: plan.source.identity,
    sourceName: endName(plan.source),
    ...{ timeoutSeconds, bytesPerSecond, nice, checkOnly, allBlocks, shutDown },
    ...{ keepIndex, full, verify },
    ...(plan.since && { since: plan.since }),
    ...(snapshotState !== undefined && { sourceState: snapshotState }),
    ...(stateDir !== undefined && { stateDir }),
  };
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
  if (asked.ok) return session.lost(ours);
  const theirs = asked.failure;
  // What they say of us is our own reason.
  const ofUs = theirs.where.some((step) => PEERS.includes(step));
  return session.lost(ofUs ? ours : new FailureError(theirs));
}

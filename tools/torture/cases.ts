/** What is done to a copy, made up from a seed. Plain data: a case that went wrong is shown again by its seed. */
import { MIB } from "../../src/base/units.ts";
import { randomSource } from "../../test/support/mutate.ts";

export type Side = "source" | "destination";

/** What a side does to itself, or has done to it, when it has come so far. */
export type Fault = {
  readonly side: Side;
  /** Calls are counted from 1; what does not come so often does no harm. */
  readonly at: `${FaultPoint} ${number}`;
  readonly does: FaultAction;
};

export type FaultPoint =
  | "read"
  | "tags"
  | "write"
  | "zero"
  | "flush"
  | "verified"
  | "begin"
  | "begun"
  | "finish"
  | "finished";

/**
 * `kill`: SIGKILL, at once. `half`: half of what is to be written, then SIGKILL. `power`: what was written since the last
 * flush is lost in part, then SIGKILL. `stop`: SIGSTOP until the other side has ended. `pause`: SIGSTOP for a moment. `fail`:
 * the system says EIO. `full`: it says ENOSPC. `cut-up`, `cut-down`: the transport to the destination or back is killed.
 * `stall`: the transport is stopped until both sides have ended. `terminate`: SIGTERM.
 */
export type FaultAction =
  | "kill"
  | "half"
  | "power"
  | "stop"
  | "pause"
  | "fail"
  | "full"
  | "cut-up"
  | "cut-down"
  | "stall";

/** At a system call of a process of the command, counted from 1 in each of its threads; done by strace. */
export type CommandFault = {
  /** `up` and `down`: the transport to the far side and back. */
  readonly process: "near" | "far" | "up" | "down";
  readonly call: string;
  readonly at: number;
  readonly action: "KILL" | "STOP" | "EIO" | "ENOSPC";
};

export type Attempt = {
  readonly fault?: Fault;
  /** What takes its place when the command itself is tried. */
  readonly commandFault?: CommandFault;
  readonly keepIndex: boolean;
  readonly full: boolean;
  /** Only what is known to have changed is looked at, when that is right. */
  readonly since: boolean;
  /** Before the attempt. */
  readonly before: {
    /** How many runs of bytes of the source change; 0: none. */
    readonly sourceChanges: number;
    /** The source goes back to what it was before its last change. */
    readonly sourceGoesBack: boolean;
    /** Somebody else writes to the destination. */
    readonly strangerWrites: boolean;
    /** The record is lost, or damaged. */
    readonly record?: "lost" | "damaged";
  };
};

export type DiskKind = "file" | "loop";

export type Case = {
  readonly seed: number;
  readonly sizeBytes: number;
  readonly source: DiskKind;
  readonly destination: DiskKind;
  /** The far side of the command is the source. */
  readonly pull: boolean;
  /** What the destination is at the beginning. */
  readonly old: "none" | "equal" | "like" | "other" | "longer" | "shorter";
  /** The last one has no fault. */
  readonly attempts: readonly Attempt[];
};

const POINTS: readonly (readonly [side: Side, point: FaultPoint, most: number])[] = [
  ["source", "read", 6],
  ["source", "tags", 3],
  ["destination", "tags", 3],
  ["destination", "read", 20],
  ["destination", "write", 40],
  ["destination", "write", 4],
  ["destination", "zero", 5],
  ["destination", "verified", 12],
  ["destination", "verified", 3],
  ["destination", "begin", 1],
  ["destination", "begun", 1],
  ["destination", "flush", 2],
  ["destination", "finish", 1],
  ["destination", "finished", 1],
];

const ACTIONS: readonly FaultAction[] = [
  "kill",
  "kill",
  "half",
  "power",
  "power",
  "stop",
  "pause",
  "fail",
  "full",
  "cut-up",
  "cut-down",
  "stall",
];

export function makeCase(seed: number): Case {
  const random = randomSource(seed * 2654435761);
  // The first ones are alike for seeds that are.
  for (let i = 0; i < 8; i++) random(2);
  const oneOf = <T>(all: readonly T[]) => all[random(all.length)]!;
  const chance = (percent: number) => random(100) < percent;
  const source: DiskKind = chance(25) ? "loop" : "file";
  const destination: DiskKind = chance(35) ? "loop" : "file";
  const size = sizeOf(random);
  // A loop device has whole sectors.
  const sizeBytes = source === "loop" ? Math.max(512, size - (size % 512)) : size;
  const fault = (): Fault => {
    const [side, point, most] = oneOf(POINTS);
    return { side, at: `${point} ${1 + random(most)}`, does: oneOf(ACTIONS) };
  };
  // A stream of its own: the other cases stay what they are.
  const others = randomSource(seed * 40_503 + 9);
  const attempt = (last: boolean): Attempt => ({
    ...(!last && chance(90) && { fault: fault() }),
    ...(!last && others(10) > 0 && { commandFault: commandFault(others) }),
    keepIndex: chance(60),
    full: chance(10),
    since: chance(25),
    before: {
      sourceChanges: chance(50) ? 1 + random(20) : 0,
      sourceGoesBack: chance(12),
      strangerWrites: chance(20),
      ...(chance(8) && { record: oneOf(["lost", "damaged"] as const) }),
    },
  });
  const count = 1 + random(5);
  return {
    seed,
    sizeBytes,
    source,
    destination,
    pull: seed % 3 === 0,
    old: oneOf(["none", "equal", "like", "like", "other", "longer", "shorter"]),
    attempts: [...Array.from({ length: count }, () => attempt(false)), attempt(true)],
  };
}

type CallFaults = readonly [call: string, most: number, actions: readonly CommandFault["action"][]];

/** System calls of a side of the command, and what can go wrong at them. */
const CALLS: readonly CallFaults[] = [
  ["pwrite64", 40, ["KILL", "KILL", "STOP", "EIO", "ENOSPC"]],
  ["pwrite64", 5, ["KILL", "ENOSPC"]],
  ["fsync", 5, ["KILL", "KILL", "EIO", "STOP"]],
  ["rename", 1, ["KILL", "EIO"]],
  ["ftruncate", 2, ["KILL", "ENOSPC"]],
  ["pread64", 60, ["KILL", "EIO", "STOP"]],
  ["write", 40, ["KILL"]],
];

function commandFault(random: (below: number) => number): CommandFault {
  const early = (most: number) => 1 + random(1 + random(most));
  const process = (["near", "far", "far", "up", "down"] as const)[random(5)]!;
  if (process === "up" || process === "down")
    return {
      process,
      call: "write",
      at: early(20),
      action: random(4) === 0 ? "STOP" : "KILL",
    };
  const [call, most, actions] = CALLS[random(CALLS.length)]!;
  return { process, call, at: early(most), action: actions[random(actions.length)]! };
}

/** Odd ones, those at the edges of segments and blocks, and now and then one that fills all windows. */
function sizeOf(random: (below: number) => number): number {
  switch (random(8)) {
    case 0:
      return 1 + random(5000);
    case 1:
      return (1 + random(12)) * MIB;
    case 2:
      return (1 + random(12)) * MIB + [-1, 1, 4095, 4096, 4097][random(5)]!;
    case 3:
      return (70 + random(60)) * MIB + random(MIB);
    default:
      return 1 + random(24 * MIB);
  }
}

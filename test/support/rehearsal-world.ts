/** A host on which copies of guests are made and go again; everything that is done to it counts as a step. */
import type { Ran } from "../../src/host/host.ts";
import type { Records } from "../../src/host/records.ts";
import type { ProcessMark } from "../../src/host/local/process-mark.ts";
import type { BootOutcome } from "../../src/guest/console/watch-boot.ts";
import type { RehearsalPlan } from "../../src/guest/rehearse/plan.ts";
import type { RehearsalPorts } from "../../src/guest/rehearse/run.ts";
import { fakeClock } from "./clock.ts";
import { fakeDom0, xlList } from "./dom0.ts";
import type { FakeDomain } from "./dom0.ts";

export const ID = "0a1b2c3d";
export const UUID = "11111111-2222-4333-8444-555555555555";
const TOP = "/var/lib/domus/rehearse";

export const PLAN: RehearsalPlan = {
  guest: "web1",
  id: ID,
  name: `domus-rehearse-web1-${ID}`,
  uuid: UUID,
  memoryMib: 128,
  directory: `${TOP}/${ID}`,
  configPath: `${TOP}/${ID}/guest.cfg`,
  configText: "name = 'copy'\n",
  notes: [],
  disks: [
    {
      kind: "snapshot",
      vdev: "xvda",
      path: "/dev/vg0/web1",
      target: `/dev/vg0/domus-rehearse-${ID}-0`,
      format: "raw",
      argv: ["lvcreate", "--name", `domus-rehearse-${ID}-0`, "vg0/web1"],
    },
    {
      kind: "overlay",
      vdev: "xvdb",
      path: "/srv/b.img",
      target: `${TOP}/${ID}/disk-1.qcow2`,
      format: "qcow2",
      argv: ["qemu-img", "create", `${TOP}/${ID}/disk-1.qcow2`],
    },
    { kind: "shared", vdev: "xvdc", path: "/a.iso", target: "/a.iso", format: "raw", text: "x" },
  ],
};

/** The process is gone: nothing of it happens any more, clean-up included. */
export class Killed extends Error {}

export type World = {
  readonly volumes: Set<string>;
  readonly directories: Map<string, string[]>;
  readonly domains: FakeDomain[];
  /** What was done to the world, in its order. */
  readonly done: string[];
  /** The snapshots have overflowed. */
  full: boolean;
  /** What is said for a command; by its first two words. */
  readonly answers: Record<string, Partial<Ran>>;
  outcome: BootOutcome;
  /** An `xl create` outlives who has started it, and makes its domain after so many looks for it. */
  slowCreate: number | undefined;
};

export function newWorld(): World {
  return {
    volumes: new Set(["vg0/web1", "vg0/domus-rehearse-notes"]),
    directories: new Map(),
    domains: [{ domid: 3, name: "web1", uuid: "99999999-2222-4333-8444-555555555555" }],
    done: [],
    full: false,
    answers: {},
    outcome: { outcome: "up", reason: "it asks for a login", evidence: ["login:"], domid: 7 },
    slowCreate: undefined,
  };
}

export type WorldOptions = {
  readonly records: Records;
  readonly pid?: number;
  readonly dead?: readonly number[];
  /** The step before which the process is killed, counted from 1. */
  readonly killAt?: number;
  readonly watch?: RehearsalPorts["watch"];
};

export function portsIn(world: World, options: WorldOptions): RehearsalPorts {
  const { records, pid = 100, dead = [], killAt = Infinity } = options;
  const mark = { pid, pidStarted: "1", bootId: "b" };
  let steps = 0;
  const step = () => {
    steps += 1;
    if (steps >= killAt) throw new Killed();
  };
  const told: string[] = [];
  const host = {
    ...fakeDom0({ files: { "/var/log/xen/bootloader.7.log": "found nothing\r\nto start\r\n" } }),
    run: async (argv: readonly string[]): Promise<Ran> => {
      const isLook = ["lvs", "list"].some((word) => argv.slice(0, 2).includes(word));
      if (!isLook) step();
      else if (steps >= killAt) throw new Killed();
      return { argv, exitCode: 0, stdout: "", stderr: "", ...runIn(world, argv) };
    },
  };
  return {
    records: dyingRecords(records, step, () => steps >= killAt),
    self: mark,
    isAlive: (other: ProcessMark) => !dead.includes(other.pid),
    host,
    guard: {
      findUsers: async () => [],
      copyState: async () => undefined,
      reachesOf: async (paths) =>
        new Map(paths.map((path) => [path, { identity: path, reaches: [path] }])),
      waitingImages: async () => [],
    },
    files: {} as RehearsalPorts["files"],
    xlWith: async () => {
      if (world.slowCreate === undefined) return [];
      world.slowCreate -= 1;
      if (world.slowCreate > 0) return [55];
      world.slowCreate = undefined;
      addDomain(world);
      return [];
    },
    clock: fakeClock(),
    nowMs: () => 0,
    imageDirectory: "/images",
    tell: (text) => void told.push(text),
    workspace: {
      path: (id) => `${TOP}/${id}`,
      make: async (id, fileName) => {
        step();
        world.done.push(`mkdir ${id}`);
        world.directories.set(id, [fileName]);
      },
      list: async () => [...world.directories.keys()],
      remove: async (id) => {
        step();
        world.done.push(`rm ${id}`);
        world.directories.delete(id);
      },
    },
    watch:
      options.watch ??
      (async () => {
        step();
        return world.outcome;
      }),
  };
}

function dyingRecords(records: Records, step: () => void, isDead: () => boolean): Records {
  const alive = () => {
    if (isDead()) throw new Killed();
  };
  return {
    ...records,
    transaction: (work) => {
      alive();
      return records.transaction(work);
    },
    enterStep: (...args) => {
      step();
      records.enterStep(...args);
    },
    endOperation: (id) => {
      alive();
      records.endOperation(id);
    },
  };
}

function addDomain(world: World): void {
  world.domains.push({ domid: 7, name: PLAN.name, uuid: UUID });
}

function runIn(world: World, argv: readonly string[]): Partial<Ran> {
  const [program = "", verb = ""] = argv;
  const last = argv.at(-1) ?? "";
  const answer = world.answers[`${program} ${verb}`] ?? world.answers[program];
  if (program === "lvs") return answer ?? { stdout: lvs(world, argv) };
  if (program === "xl" && verb === "list") return { stdout: list(world, argv[3]) };
  world.done.push([program, verb, last].join(" "));
  if (answer) return answer;
  if (program === "lvcreate") world.volumes.add(`vg0/${argv[argv.indexOf("--name") + 1]}`);
  if (program === "lvremove") world.volumes.delete(last);
  if (program === "xl" && verb === "create" && world.slowCreate === undefined) addDomain(world);
  if (program === "xl" && verb === "destroy")
    world.domains.splice(
      world.domains.findIndex(({ domid }) => domid === Number(last)),
      1,
    );
  return {};
}

function list(world: World, domid: string | undefined): string {
  const domains = world.domains.filter((one) => domid === undefined || one.domid === Number(domid));
  return xlList(domains)["xl list -v"]!;
}

function lvs(world: World, argv: readonly string[]): string {
  const prefix = /lv_name=~"\^(.*)"/.exec(argv.at(-1) ?? "")?.[1] ?? "";
  const lv = [...world.volumes]
    .filter((name) => name.startsWith(`vg0/${prefix}`))
    .map((name) => ({
      vg_name: "vg0",
      lv_name: name.slice(4),
      lv_attr: world.full ? "swi-I-s---" : "swi-a-s---",
      lv_size: "1",
      vg_free: "1",
    }));
  return JSON.stringify({ report: [{ lv }] });
}

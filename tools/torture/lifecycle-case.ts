/**
 * A guest that is saved, restored, started and written down in rounds, each of them struck somewhere; and after the next
 * command what has to be true: records and reality agree, the guest lost nothing that it need not lose.
 */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { LabHost } from "../../lab/host.ts";
import { freshHost } from "../../lab/host.ts";
import {
  countingFiles,
  COUNTING_ARGS,
  COUNTING_MEMORY_MIB,
  lastTick,
  nextTick,
  readCountingDisk,
  wrongTicks,
} from "../../test/support/counting-guest.ts";
import type { Tick } from "../../test/support/counting-guest.ts";
import { installShim } from "../../test/support/xl-shim.ts";
import { commandOf } from "./lifecycle-rounds.ts";
import type { Action, Round } from "./lifecycle-rounds.ts";
import { strike } from "./lifecycle-strike.ts";
import type { Struck } from "./lifecycle-strike.ts";
import {
  askDomus,
  CONFIG,
  DISK,
  EXTRA,
  GUEST,
  lookAround,
  readRecordRows,
  UUID,
} from "./lifecycle-world.ts";
import type { World } from "./lifecycle-world.ts";

const PATIENT = { timeoutMs: 600_000 };
/** Domus's own: done, usage, done with findings, refused. A crash of it would be another. */
const ORDERLY = [0, 2, 3, 4];

export type RoundReport = {
  readonly seed: number;
  readonly action: Action;
  readonly hit: boolean;
  /** Empty: all was as it has to be. */
  readonly problems: readonly string[];
  readonly log: readonly string[];
};

/** Where the guest's memory is, as far as anybody knows: in a domain, in an image, or nowhere. */
type Memory = { readonly in: "domain" | "image" | "nowhere"; readonly boot: number };

export class LifecycleCase implements AsyncDisposable {
  readonly host: LabHost;
  readonly #config: string;
  #memory: Memory = { in: "nowhere", boot: 0 };
  #tick: Tick = { boot: 0, tick: 0 };
  /** Images that have to stay as they are. */
  #kept = new Map<string, string>();
  /** Images that this removed itself. */
  readonly #removed = new Set<string>();
  readonly #usualMs = new Map<Action, number>();

  private constructor(host: LabHost, config: string) {
    this.host = host;
    this.#config = config;
  }

  /** A host with a guest that was never started. */
  static async open(name: string, dir: string): Promise<LifecycleCase> {
    const host = await freshHost({ name });
    const { image, kernel, ramdisk } = countingFiles(dir);
    await host.writeGuest({
      name: GUEST,
      memoryMib: COUNTING_MEMORY_MIB,
      disks: [{ image }],
      kernel,
      ramdisk,
      config: [`uuid = "${UUID}"`, `extra = "${COUNTING_ARGS}"`],
    });
    rmSync(image);
    await host.output(
      `set -e
       sed -i 's/^disk = \\[ \\(.*\\) \\]/disk = [\\n    \\1,\\n]/' ${CONFIG}
       lvcreate -qqy -L 8m -n extra vg0; sync`,
    );
    await installShim(host);
    return new LifecycleCase(host, plainConfig(await host.output(`cat ${CONFIG}`)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.host.remove();
  }

  async round(round: Round): Promise<RoundReport> {
    const log: string[] = [];
    const problems: string[] = [];
    const action = this.#choose(round);
    log.push(`${JSON.stringify(round)} ${action}, memory ${JSON.stringify(this.#memory)}`);
    let hit = false;
    try {
      if (action === "persist") await this.#drift();
      const command = commandOf(action, GUEST);
      const struck = await strike(
        this.host,
        command,
        round.blow,
        this.#usualMs.get(action) ?? 20_000,
      );
      ({ hit } = struck);
      log.push(`struck: ${JSON.stringify(struck)}`);
      if (!round.atOnce && round.blow.victim !== "power") await this.#settle();
      const said = await askDomus(this.host);
      log.push(`list: ${JSON.stringify(said)}`);
      const start = performance.now();
      const next = await this.host.run(`${command} < /dev/null`, PATIENT);
      if (next.code === 0) this.#usualMs.set(action, performance.now() - start);
      log.push(`again: ${next.code} ${next.stdout}${next.stderr}`);
      if (!ORDERLY.includes(next.code)) problems.push(`the next command ended with ${next.code}`);
      // what the killed one had begun may end after that
      if (round.atOnce) await this.#settle();
      await this.#judge({ round, action, struck, again: next.code, problems, log });
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    if (problems.length > 0) {
      const evidence = await this.host.run(
        "xl list -v; ls -la /var/lib/domus /var/lib/domus/images; ps -ef | grep -E 'xl|domus|libxl' | grep -v grep",
      );
      log.push(evidence.stdout);
    }
    return { seed: round.seed, action, hit, problems, log };
  }

  #choose(round: Round): Action {
    if (this.#memory.in === "domain") return round.running;
    return this.#memory.in === "image" ? round.saved : "start";
  }

  /** The second disk comes, or goes, and the config does not know. */
  async #drift(): Promise<void> {
    await this.host.output(
      `if xl block-list ${GUEST} | grep -q ^51728; then xl block-detach ${GUEST} xvdb
       else xl block-attach ${GUEST} ${EXTRA},raw,xvdb,rw; fi`,
      PATIENT,
    );
  }

  /** Until nothing that the blow left behind works any more. */
  async #settle(): Promise<void> {
    await sleep(2000);
    await this.host.output(
      "while pgrep -f '[x]l (save|unpause|destroy)|[l]ibxl-save-helper' > /dev/null; do sleep 0.3; done",
      PATIENT,
    );
  }

  async #judge(about: {
    readonly round: Round;
    readonly action: Action;
    readonly struck: Struck;
    readonly again: number;
    readonly problems: string[];
    readonly log: string[];
  }): Promise<void> {
    const { problems, log } = about;
    const world = await lookAround(this.host);
    const rows = await readRecordRows(this.host);
    const said = await askDomus(this.host);
    log.push(
      JSON.stringify({ domains: world.domains, files: [...world.files.keys()], rows, said }),
    );
    const waiting = rows.images.filter(({ state }) => state === "waiting");
    const mine = world.domains.filter(({ name }) => name === GUEST);
    const wrong = (is: boolean, what: string) => void (is && problems.push(what));
    wrong(rows.integrity !== "ok", `the database is damaged: ${rows.integrity}`);
    wrong(rows.operations.length > 0, `left under way: ${JSON.stringify(rows.operations)}`);
    wrong(waiting.length > 1, "two images wait");
    wrong(world.domains.length > mine.length || mine.length > 1, "a domain is left over");
    wrong(mine.length > 0 && waiting.length > 0, "it runs and its image waits");
    wrong(
      mine.some(({ state }) => state[2] === "p"),
      "it is left paused",
    );
    const state = mine.length > 0 ? "running" : waiting.length > 0 ? "saved" : "stopped";
    wrong(said.state !== state, `domus says ${said.state}, it is ${state}`);
    for (const { path, state: recorded } of rows.images) {
      const isNeeded = recorded === "waiting" || (recorded === "aside" && !this.#removed.has(path));
      wrong(isNeeded && !world.files.has(path), `${path} is recorded as ${recorded}, and is gone`);
    }
    const known = new Set(rows.images.map(({ path }) => path));
    for (const path of world.files.keys())
      wrong(!known.has(path), `${path} is nobody's: a left-over`);
    await this.#judgeConfig(world, wrong);
    this.#judgeImages(world, wrong);
    await this.#judgeMemory({ ...about, state, wrong });
    this.#kept = new Map(
      rows.images.flatMap(({ path, state: recorded }) => {
        const sum = world.files.get(path);
        return sum !== undefined && recorded !== "restored" ? [[path, sum]] : [];
      }),
    );
    await this.#removeOldImages(rows.images);
  }

  async #judgeConfig(world: World, wrong: Wrong): Promise<void> {
    wrong(!world.configs.has(CONFIG), "the config is gone");
    const now = plainConfig(await this.host.output(`cat ${CONFIG}`));
    wrong(now !== this.#config, `the config is neither the old nor the new one:\n${now}`);
  }

  #judgeImages(world: World, wrong: Wrong): void {
    for (const [path, sum] of this.#kept) {
      const now = world.files.get(path);
      wrong(now !== undefined && now !== sum, `${path} is not what it was`);
    }
  }

  /** The guest counts on from where it was, wherever its memory was meanwhile; and its disk is whole. */
  async #judgeMemory(about: {
    readonly round: Round;
    readonly action: Action;
    readonly struck: Struck;
    readonly state: "running" | "saved" | "stopped";
    readonly wrong: Wrong;
  }): Promise<void> {
    const { round, action, struck, state, wrong } = about;
    const before = this.#memory;
    if (state === "running") {
      const now = await nextTick(this.host, GUEST, await lastTick(this.host, GUEST));
      this.#memory = { in: "domain", boot: now.boot };
    } else {
      const { fsckCode, fsck, ticks } = await readCountingDisk(this.host, DISK);
      wrong(fsckCode !== 0, `e2fsck: ${fsck}`);
      const odd = wrongTicks(ticks, await this.host.console(GUEST));
      wrong(odd !== undefined, `the guest went back in time: ${odd}`);
      const last = ticks.at(-1) ?? { boot: 0, tick: 0 };
      // a guest that ran on after its restore lost its memory as any guest does when the plug is pulled
      const ranOn = before.in === "image" && last.tick > this.#tick.tick;
      const pulled = isPulled(round, struck);
      const mayBeGone =
        pulled &&
        (before.in === "domain"
          ? struck.code !== 0 || action !== "save"
          : ranOn || struck.code === 0);
      wrong(
        state === "stopped" && before.in !== "nowhere" && !mayBeGone && action !== "discard",
        "its memory is lost",
      );
      this.#memory =
        state === "saved" ? { in: "image", boot: last.boot } : { in: "nowhere", boot: last.boot };
      this.#tick = last;
      return;
    }
    const continues = before.in !== "nowhere" && action !== "discard";
    const pulled = isPulled(round, struck) && before.in === "domain";
    wrong(
      continues && !pulled && this.#memory.boot !== before.boot,
      `it was booted anew: ${before.boot} became ${this.#memory.boot}`,
    );
  }

  /** Two are kept: dom0's disk is small. */
  async #removeOldImages(
    images: readonly { readonly path: string; readonly state: string }[],
  ): Promise<void> {
    const old = images.filter(({ state }) => state === "aside" || state === "restored").slice(2);
    for (const { path } of old) {
      await this.host.output(`rm -f '${path}'`);
      this.#kept.delete(path);
      this.#removed.add(path);
    }
  }
}

/** After a part of the time it is pulled whether the command has ended or not. */
function isPulled({ blow }: Round, { hit }: Struck): boolean {
  return blow.victim === "power" && (hit || blow.place.kind === "delay");
}

type Wrong = (is: boolean, what: string) => void;

/** Without the second disk, and without what a list may end its lines with. */
function plainConfig(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.includes(EXTRA))
    .map((line) => line.replace(/,\s*$/, ""))
    .join("\n");
}

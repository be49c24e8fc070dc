/** domus watch as a service of a lab host's dom0, and what it says of what is done there. */
import { join } from "node:path";
import type { LabHost } from "../../lab/host.ts";
import { quote } from "../../lab/ssh.ts";

const LOG = "/var/log/domus-watch.json";
const UNIT = join(import.meta.dirname, "..", "..", "packaging", "domus-watch.service");
/** In tenths of seconds; an emulated dom0 on a busy machine. */
const PATIENCE = 3000;
/** Of `watch-step`. */
const COMMAND_FAILED = 9;

export type WatcherEvent = {
  readonly at: string;
  readonly guest: string;
  readonly domid: number | null;
  readonly kind: string;
  readonly by: string;
  readonly detail: Readonly<Record<string, unknown>>;
};

/** The console of a guest that has come up so often. In time that grows with the log alone, however many boots are in it. */
export function hasBooted(times: number): RegExp {
  const up = "userland reached";
  return new RegExp(`^(?:(?:(?!${up})[^])*${up}){${times}}`);
}

/** Does something, waits for so many lines of the watcher, and says how long after the command has ended they were there. */
const STEP = `#!/bin/sh
before=$1; wanted=$2; shift 2
eval "$@" || exit ${COMMAND_FAILED}
done=$(date +%s%3N)
i=0
while [ $(($(wc -l < ${LOG}) - before)) -lt $wanted ] && [ $i -lt ${PATIENCE} ]; do sleep 0.1; i=$((i + 1)); done
now=$(date +%s%3N)
echo $((now - done))
tail -n +$((before + 1)) ${LOG}
`;

/** The unit as it is shipped, but for where it writes. It runs, and has looked once. */
export async function installWatcher(host: LabHost): Promise<LabWatcher> {
  await host.copyIn(UNIT, "/etc/systemd/system");
  await host.output("cat > /usr/local/bin/watch-step && chmod 755 /usr/local/bin/watch-step", {
    input: STEP,
  });
  await host.output(
    `mkdir -p /etc/systemd/system/domus-watch.service.d
     cat > /etc/systemd/system/domus-watch.service.d/test.conf
     touch ${LOG}
     systemctl daemon-reload`,
    {
      input: `[Service]\nExecStart=\nExecStart=/usr/local/bin/domus watch --json\nStandardOutput=append:${LOG}\nStandardError=append:${LOG}.err\n`,
    },
  );
  const watcher = new LabWatcher(host);
  await host.output(watcher.start);
  await watcher.looked();
  return watcher;
}

export class LabWatcher {
  readonly start = "systemctl start domus-watch";
  readonly seen: WatcherEvent[] = [];
  readonly notes: string[] = [];
  readonly #host: LabHost;
  readonly #delays: { readonly what: string; readonly ms: number; readonly how: string }[] = [];

  constructor(host: LabHost) {
    this.#host = host;
  }

  /** Until its state is in the records: from then on it sees everything. */
  async looked(): Promise<void> {
    await this.#host.output(
      `i=0; while ! grep -aq '"maxDomid"' /var/lib/domus/records.db /var/lib/domus/records.db-wal 2>/dev/null; do
         if [ $i -ge ${PATIENCE} ]; then echo "the watcher has not looked"; cat ${LOG}.err; exit 1; fi
         sleep 0.1; i=$((i + 1))
       done`,
      { timeoutMs: 900_000 },
    );
  }

  /** Exactly these events come of it. `how`: the guest takes its time; or the watcher was not there. */
  async step(
    command: string,
    expected: readonly string[],
    how: "at once" | "guest" | "late" = "at once",
  ): Promise<WatcherEvent[]> {
    const { code, stdout, stderr } = await this.#try(command, expected.length);
    // What the command itself says comes first.
    const lines = stdout.split("\n");
    const at = lines.findLastIndex((line) => /^\d+$/.test(line));
    const events = eventsIn(lines.slice(at + 1));
    this.seen.push(...events);
    const errors = await this.#host.run(`cat ${LOG}.err`);
    const kinds = events.map(({ kind }) => kind).join(" ");
    if (code !== 0 || kinds !== expected.join(" ")) {
      const about = `${command}: exit code ${code}, expected ${expected.join(" ")}, was told ${kinds}`;
      throw new Error(`${about}\n${stdout}${stderr}\n${errors.stdout}`);
    }
    this.#delays.push({ what: `${command} -> ${expected.join(", ")}`, ms: Number(lines[at]), how });
    return events;
  }

  /**
   * libxl has limits of its own for what a guest has to do, which an emulated one on a busy machine may pass: a command that has
   * failed, and of which nothing is to be told, is given again. The watcher is what is tried here.
   */
  async #try(command: string, events: number) {
    const words = `watch-step ${this.seen.length} ${events} ${quote(command)}`;
    for (let left = 2; ; left--) {
      const ran = await this.#host.run(words, { timeoutMs: 900_000 });
      if (ran.code !== COMMAND_FAILED || left === 0) return ran;
      if (Number(await this.#host.output(`wc -l < ${LOG}`)) > this.seen.length) return ran;
      const said = `${ran.stdout}${ran.stderr}`.trim().split("\n").slice(-3).join("\n");
      this.notes.push(`failed, and given again: ${command}\n${said}`);
    }
  }

  /** All that it has said. */
  async told(): Promise<WatcherEvent[]> {
    return eventsIn((await this.#host.output(`cat ${LOG}`)).split("\n"));
  }

  /** Waits for it, whatever else is told meanwhile. */
  async alarm(code: string): Promise<WatcherEvent> {
    await this.#host.output(
      `i=0; while ! grep '"kind":"alarm"' ${LOG} | grep -q '"code":"${code}"' && [ $i -lt ${PATIENCE / 10} ]; do sleep 1; i=$((i + 1)); done`,
      { timeoutMs: 600_000 },
    );
    const told = await this.told();
    const alarm = told.find(({ kind, detail }) => kind === "alarm" && detail["code"] === code);
    if (alarm) return alarm;
    throw new Error(`no alarm ${code}; the watcher told:\n${JSON.stringify(told, null, 2)}`);
  }

  /** SIGKILL; it stays dead. */
  async kill(): Promise<void> {
    await this.#host.output(
      "systemctl kill -s SIGKILL domus-watch; systemctl stop domus-watch; systemctl reset-failed domus-watch; true",
    );
  }

  /** What it costs while nothing happens. */
  async idleCost(seconds: number): Promise<string> {
    const { stdout } = await this.#host.run(
      `cost() { systemctl show -P CPUUsageNSec domus-watch; }; a=$(cost); sleep ${seconds}; b=$(cost); echo $(((b - a) / 1000000)); systemctl show -P MemoryCurrent domus-watch`,
    );
    const [ms, bytes] = stdout.split("\n").map(Number);
    return `idle: ${ms} ms of processor time in ${seconds} s, ${Math.round(bytes! / 1048576)} MiB`;
  }

  /** How long after each command its events were there. */
  report(): string {
    const lines = this.#delays.map(({ what, ms, how }) => `  ${ms} ms  ${what} (${how})`);
    const quick = this.#delays.filter(({ how }) => how === "at once").map(({ ms }) => ms);
    const sorted = quick.toSorted((a, b) => a - b);
    const summary = `${quick.length} at once: median ${sorted[sorted.length >> 1]} ms, worst ${sorted.at(-1)} ms`;
    return ["domus watch, milliseconds after the command:", ...lines, summary, ...this.notes].join(
      "\n",
    );
  }
}

/** Behind the last line feed there may be half a line: it is just being written. */
function eventsIn(lines: readonly string[]): WatcherEvent[] {
  const told = lines.slice(0, -1).filter((line) => line !== "");
  return told.map((line) => (JSON.parse(line) as { event: WatcherEvent }).event);
}

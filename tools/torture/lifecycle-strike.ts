/** Runs one command of domus in a lab host and strikes while it works: domus, its xl, or the whole host. */
import { setTimeout as sleep } from "node:timers/promises";
import type { LabHost } from "../../lab/host.ts";
import { quote } from "../../lab/ssh.ts";
import { armShim, readShim, withShim } from "../../test/support/xl-shim.ts";
import type { Strike } from "../../test/support/xl-shim.ts";

export type Victim = "domus" | "xl" | "power";

/**
 * Where it strikes: at a counted call of xl (before or after it, or, of xl itself, while it works), or after a part of the time
 * that the command takes.
 */
export type Place =
  | { readonly kind: "call"; readonly at: number; readonly when: "before" | "after" }
  | { readonly kind: "delay"; readonly part: number };

export type Blow = { readonly victim: Victim; readonly place: Place };

export type Struck = {
  /** Of the command; absent when the host went down with it. */
  readonly code?: number;
  readonly said: string;
  /** The blow came while the command was at work. */
  readonly hit: boolean;
  readonly tookMs: number;
};

const PATIENT = { timeoutMs: 600_000 };
const OUT = "/var/tmp/torture-out";

export async function strike(
  host: LabHost,
  command: string,
  blow: Blow,
  usualMs: number,
): Promise<Struck> {
  const start = performance.now();
  const struck =
    blow.place.kind === "call"
      ? await atCall(host, command, blow.victim, blow.place)
      : await afterDelay(host, command, blow.victim, blow.place.part * usualMs);
  return { ...struck, tookMs: performance.now() - start };
}

type Outcome = Omit<Struck, "tookMs">;

async function atCall(
  host: LabHost,
  command: string,
  victim: Victim,
  place: { readonly at: number; readonly when: "before" | "after" },
): Promise<Outcome> {
  const what: Record<Victim, Strike["what"]> = {
    domus: `caller ${place.when}`,
    xl: "xl",
    power: `power ${place.when}`,
  };
  await armShim(host, {
    what: what[victim],
    at: place.at,
    delayMs: 300 * place.at,
  });
  const running = host.run(`${withShim(command)} < /dev/null`, PATIENT);
  if (victim !== "power") {
    const { code, stdout, stderr } = await running;
    return { code, said: stdout + stderr, hit: (await readShim(host)).struck !== undefined };
  }
  while (true) {
    const ended = await Promise.race([running, sleep(200)]);
    if (ended) return { code: ended.code, said: ended.stdout + ended.stderr, hit: false };
    if (!(await readShim(host)).power) continue;
    await pullPlug(host);
    await running.catch(() => undefined);
    return { said: "", hit: true };
  }
}

async function afterDelay(
  host: LabHost,
  command: string,
  victim: Victim,
  delayMs: number,
): Promise<Outcome> {
  if (victim === "power") {
    const running = host.run(`${command} < /dev/null`, PATIENT);
    const ran = await Promise.race([running, sleep(delayMs)]);
    await pullPlug(host);
    await running.catch(() => undefined);
    if (!ran) return { said: "", hit: true };
    return { said: ran.stdout + ran.stderr, hit: false, code: ran.code };
  }
  const pick =
    victim === "domus"
      ? "kill -9 $pid && echo hit"
      : `while kill -0 $pid 2> /dev/null; do
           if child=$(pgrep -P $pid -x xl | head -n 1) && [ -n "$child" ]; then
             kill -9 $child && echo hit; break
           fi
           sleep 0.02
         done`;
  const { stdout } = await host.run(
    `rm -f ${OUT}; ${command} > ${OUT} 2>&1 < /dev/null & pid=$!
     { sleep ${(delayMs / 1000).toFixed(2)}; ${pick}; } 2> /dev/null &
     wait $pid
     echo "code $?"
     wait
     cat ${quote(OUT)}`,
    PATIENT,
  );
  return {
    code: Number(/^code (\d+)$/m.exec(stdout)?.[1] ?? 255),
    said: stdout.replace(/^code \d+$/m, ""),
    hit: /^hit$/m.test(stdout),
  };
}

async function pullPlug(host: LabHost): Promise<void> {
  await host.killPower();
  await host.powerOn();
}

/** Really creates the guest of a case, and watches what becomes of it. All in one command in dom0, as each takes a second. */
import type { LabHost } from "../host.ts";
import { quote, type Ran } from "../ssh.ts";
import { ORACLE_DIRECTORY } from "./case.ts";
import type { StagedCase } from "./stage.ts";

export type Outcome =
  /** xl create failed. */
  | "refused"
  /** xl create went through, and nothing else was asked. */
  | "built"
  /** The userland on the root was reached. */
  | "userland"
  | "panic"
  /** /init said what it cannot do. */
  | "stuck"
  /** The domain ended without a word of these. */
  | "gone"
  | "time is up"
  /** Nobody saw what became of the guest: the lab failed, twice. */
  | "lost";

export type Observation = {
  readonly outcome: Outcome;
  /** What xl create printed, and the bootloader's own log where xl points to it; of `lost`, what is known of why. */
  readonly xl: string;
  readonly console: string;
  readonly seconds: number;
};

/** Lines after which nothing new comes. */
const REACHED = "domus-lab: userland reached";
const STUCK = "domus-lab: ";
const PANIC = "Kernel panic - not syncing|System is deadlocked on memory";

/** What dom0's part prints between its two texts, and at its end: without that, something is missing. */
const CONSOLE = "\n=== console\n";
const END = "\n=== end\n";

/** So long, in seconds, may xl create take, and so long may a guest say nothing on its console: some machines are slow. */
const PATIENCE = 400;
/** After so many seconds it is over, whatever the guest still says. */
const LIMIT = 900;

/** dom0's part: creates a guest, waits for a decisive line or its end, and takes it away. */
const SCRIPT = `#!/bin/sh
name=$1 until=$2
log=/var/log/xen/console/guest-$name.log
out=${ORACLE_DIRECTORY}/$name.xl
heard=${ORACLE_DIRECTORY}/$name.heard
echo $$ > ${ORACLE_DIRECTORY}/$name.pid
rm -f "$log"
read -r up rest < /proc/uptime
start=\${up%.*}
timeout ${PATIENCE} xl create ${ORACLE_DIRECTORY}/configs/$name.cfg > "$out" 2>&1 < /dev/null
code=$? round=0 end=built
read -r up rest < /proc/uptime
last=\${up%.*}
: > "$heard"
if [ $code = 0 ] && [ "$until" != built ]; then
  while :; do
    if grep -qaE '${STUCK}|${PANIC}' "$log" 2> /dev/null; then end=said; sleep 0.5; break; fi
    read -r up rest < /proc/uptime
    now=\${up%.*}
    if [ "$log" -nt "$heard" ]; then last=$now; : > "$heard"; fi
    if [ $((now - last)) -gt ${PATIENCE} ] || [ $((now - start)) -gt ${LIMIT} ]; then end=limit; break; fi
    round=$((round + 1))
    if [ $((round % 6)) = 0 ] && ! xl domid "$name" > /dev/null 2>&1; then end=gone; break; fi
    sleep 1.5
  done
fi
xl destroy "$name" > /dev/null 2>&1 < /dev/null &
for file in $(grep -ao '/var/log/xen/bootloader[^ ,;]*log' "$out" | sort -u); do cat "$file" >> "$out"; done
echo "code=$code end=$end"
cat "$out"
printf '${CONSOLE.replaceAll("\n", "\\n")}'
cat "$log" 2> /dev/null
printf '${END.replaceAll("\n", "\\n")}'
exit 0
`;

/** Says what dom0's part is at, ends it and its guest, so that another try may have the name. */
const TAKE_AWAY = `#!/bin/sh
name=$1
ps -eo pid,ppid,etimes,stat,wchan:24,args | grep -w "$name" | grep -v grep
[ -f ${ORACLE_DIRECTORY}/$name.pid ] && kill "$(cat ${ORACLE_DIRECTORY}/$name.pid)" 2> /dev/null
for round in 1 2 3 4 5 6 7 8 9 10; do
  timeout 60 xl destroy "$name" > /dev/null 2>&1 < /dev/null
  xl domid "$name" > /dev/null 2>&1 < /dev/null || exit 0
  sleep 3
done
exit 1
`;

/** Puts dom0's part into the host. */
export async function installScript(host: LabHost): Promise<void> {
  await host.output(`cat > ${ORACLE_DIRECTORY}/try`, { input: SCRIPT });
  await host.output(`cat > ${ORACLE_DIRECTORY}/take-away`, { input: TAKE_AWAY });
}

/** Of a lab host, what watching a guest needs. */
export type Dom0 = Pick<LabHost, "run" | "output">;

const TRIES = 2;

/**
 * Creates the guest of a case from a config that is as check has judged it. When what became of it did not get here
 * whole, the guest is taken away and created once more; then it is `lost`.
 */
export async function observe(
  dom0: Dom0,
  { one, guest, configPath }: Pick<StagedCase, "one" | "guest" | "configPath">,
  config: string,
): Promise<Observation> {
  const until = one.memory === "least" ? "built" : "end";
  await dom0.output(`cat > ${quote(configPath)}`, { input: config });
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const losses: string[] = [];
  while (losses.length < TRIES) {
    const ran = await dom0.run(`sh ${ORACLE_DIRECTORY}/try ${guest} ${until}`, {
      timeoutMs: (LIMIT + 300) * 1000,
    });
    const tried = ran.timedOut ? undefined : parseTried(ran.stdout);
    if (tried) return { ...tried, seconds: seconds() };
    losses.push(await lossText(dom0, guest, ran));
  }
  return { outcome: "lost", xl: losses.join("\n"), console: "", seconds: seconds() };
}

/** Takes the guest away, and says what is known of why nobody saw what became of it. */
async function lossText(dom0: Dom0, guest: string, ran: Ran): Promise<string> {
  const how = ran.timedOut ? "has not ended in time" : `ended with exit code ${ran.code}`;
  const away = await dom0.run(`sh ${ORACLE_DIRECTORY}/take-away ${guest}`, { timeoutMs: 900_000 });
  const last = ran.stdout.slice(-500);
  return [
    `the command in dom0 ${how}; the last that it printed: ${JSON.stringify(last)}`,
    ran.stderr,
    away.code === 0 ? "" : `${guest} cannot be taken away`,
    away.stdout,
    away.stderr,
  ]
    .filter((part) => part !== "")
    .join("\n");
}

/**
 * What dom0's part prints: how it ended, what xl said, what the guest said. Undefined where that did not get here whole,
 * or contradicts itself: then it says nothing about the guest.
 */
export function parseTried(printed: string): Omit<Observation, "seconds"> | undefined {
  const text = printed.replaceAll("\r", "");
  const [head, code, end] = /^code=(\d+) end=(\w+)\n/.exec(text) ?? [];
  const at = text.indexOf(CONSOLE);
  if (head === undefined || at < 0 || !text.endsWith(END)) return undefined;
  const xl = text.slice(head.length, at).trim();
  const console = text.slice(at + CONSOLE.length, -END.length);
  const outcome = outcomeOf(Number(code), end!, console);
  return outcome && { outcome, xl, console };
}

/** Undefined when xl died of a signal, or failed although the guest runs: no verdict on the guest. */
function outcomeOf(code: number, end: string, console: string): Outcome | undefined {
  if (code === 124) return "time is up";
  if (code !== 0) return code > 124 || console.trim() !== "" ? undefined : "refused";
  if (console.includes(REACHED)) return "userland";
  if (console.includes(STUCK)) return "stuck";
  if (new RegExp(PANIC).test(console)) return "panic";
  if (end === "built") return "built";
  return end === "gone" ? "gone" : "time is up";
}

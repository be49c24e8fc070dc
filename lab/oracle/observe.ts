/** Really creates the guest of a case, and watches what becomes of it. All in one command in dom0, as each takes a second. */
import type { LabHost } from "../host.ts";
import { quote } from "../ssh.ts";
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
  | "time is up";

export type Observation = {
  readonly outcome: Outcome;
  /** What xl create printed, and the bootloader's own log where xl points to it. */
  readonly xl: string;
  readonly console: string;
  readonly seconds: number;
};

/** Lines after which nothing new comes. */
const REACHED = "domus-lab: userland reached";
const STUCK = "domus-lab: ";
const PANIC = "Kernel panic - not syncing|System is deadlocked on memory";

/** dom0's part: creates a guest, waits for a decisive line or its end, and takes it away. */
const SCRIPT = `#!/bin/sh
name=$1 limit=$2 until=$3
log=/var/log/xen/console/guest-$name.log
out=${ORACLE_DIRECTORY}/$name.xl
rm -f "$log"
read -r up rest < /proc/uptime
start=\${up%.*}
timeout "$limit" xl create ${ORACLE_DIRECTORY}/configs/$name.cfg > "$out" 2>&1 < /dev/null
code=$? round=0 end=built
if [ $code = 0 ] && [ "$until" != built ]; then
  while :; do
    if grep -qaE '${STUCK}|${PANIC}' "$log" 2> /dev/null; then end=said; sleep 0.5; break; fi
    read -r up rest < /proc/uptime
    if [ $((\${up%.*} - start)) -gt "$limit" ]; then end=limit; break; fi
    round=$((round + 1))
    if [ $((round % 6)) = 0 ] && ! xl domid "$name" > /dev/null 2>&1; then end=gone; break; fi
    sleep 1.5
  done
fi
xl destroy "$name" > /dev/null 2>&1 < /dev/null &
for file in $(grep -ao '/var/log/xen/bootloader[^ ,;]*log' "$out" | sort -u); do cat "$file" >> "$out"; done
echo "code=$code end=$end"
cat "$out"
echo "=== console"
cat "$log" 2> /dev/null
exit 0
`;

/** Puts dom0's part into the host. */
export async function installScript(host: LabHost): Promise<void> {
  await host.output(`cat > ${ORACLE_DIRECTORY}/try`, { input: SCRIPT });
}

/** Creates the guest of a case from a config that is as check has judged it. */
export async function observe(
  host: LabHost,
  { one, guest, configPath }: StagedCase,
  config: string,
): Promise<Observation> {
  const limit = 400;
  const until = one.memory === "least" ? "built" : "end";
  await host.output(`cat > ${quote(configPath)}`, { input: config });
  const started = performance.now();
  const ran = await host.run(`sh ${ORACLE_DIRECTORY}/try ${guest} ${limit} ${until}`, {
    timeoutMs: (limit + 120) * 1000,
  });
  const seconds = (performance.now() - started) / 1000;
  if (ran.timedOut) return { outcome: "time is up", xl: ran.stderr, console: "", seconds };
  return { ...parseTried(ran.stdout), seconds };
}

/** What dom0's part prints: how it ended, what xl said, what the guest said. */
export function parseTried(printed: string): Omit<Observation, "seconds"> {
  const [head = "", console = ""] = printed.replaceAll("\r", "").split("\n=== console\n");
  const [first = "", ...rest] = head.split("\n");
  const [, code = "", end = ""] = /^code=(\d+) end=(\w+)$/.exec(first) ?? [];
  return { outcome: outcomeOf(Number(code), end, console), xl: rest.join("\n").trim(), console };
}

function outcomeOf(code: number, end: string, console: string): Outcome {
  if (code === 124) return "time is up";
  if (code !== 0) return "refused";
  if (console.includes(REACHED)) return "userland";
  if (console.includes(STUCK)) return "stuck";
  if (new RegExp(PANIC).test(console)) return "panic";
  if (end === "built") return "built";
  return end === "gone" ? "gone" : "time is up";
}

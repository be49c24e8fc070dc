import { debianKernel } from "../../lab/debian.ts";
import { freshHost } from "../../lab/host.ts";
import type { LabHost } from "../../lab/host.ts";
import { median } from "./pair.ts";

const GUESTS = Number(process.env["DOMUS_BENCH_GUESTS"] ?? 8);
const RUNS = 5;
const TARGET = 1.5;
const KERNEL = "6.1-cloud";
/** Under emulation each of them takes seconds. */
const PATIENT = { timeoutMs: 600_000 };

const COMMANDS = ["xl list -l", "xl list -v", "domus list", "domus --version"] as const;

/**
 * `domus list` against `xl list -l` on a lab host with 8 small guests, in turn, inside dom0 by its own clock. The guests are paused
 * once they are made: what they would do takes time from what is measured. `domus --version` is what starting costs alone.
 */
export async function benchListXen(): Promise<void> {
  await using host = await freshHost({ name: "bench-list" });
  const kernel = debianKernel(KERNEL).vmlinuz;
  // Unpacked the kernel alone is 46 MiB; it never runs, and needs no initramfs.
  const first = await host.writeGuest({ name: "guest1", memoryMib: 72, kernel });
  for (let guest = 2; guest <= GUESTS; guest++)
    await host.output(
      `sed 's/^name = .*/name = "guest${guest}"/' ${first} > /etc/xen/guest${guest}.cfg`,
    );
  for (let guest = 1; guest <= GUESTS; guest++)
    await host.output(`xl create -p /etc/xen/guest${guest}.cfg`, PATIENT);
  const samples = new Map<string, number[]>(COMMANDS.map((command) => [command, []]));
  for (let run = 0; run <= RUNS; run++) {
    for (const command of COMMANDS) {
      const wallMs = await timeIn(host, command);
      // The first of each reads its program from the disk.
      if (run > 0) samples.get(command)!.push(wallMs);
    }
  }
  const of = (command: string) => median(samples.get(command)!);
  console.log(`list-xen, ${GUESTS} guests, medians of ${RUNS}`);
  for (const command of COMMANDS)
    console.log(`  ${command.padEnd(18)} ${of(command).toFixed(0).padStart(6)} ms`);
  const ratio = of("domus list") / of("xl list -l");
  const verdict = ratio <= TARGET ? "within" : "OVER";
  console.log(
    `  ratio ${ratio.toFixed(2)}, ${verdict} ${TARGET}; starting alone ${(of("domus --version") / of("xl list -l")).toFixed(2)}`,
  );
  await host.remove();
}

async function timeIn(host: LabHost, command: string): Promise<number> {
  const timed = `a=$(date +%s%N); ${command} > /dev/null; b=$(date +%s%N); echo $(( (b - a) / 1000000 ))`;
  return Number((await host.output(timed, PATIENT)).trim());
}

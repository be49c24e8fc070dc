/** Two sides of a copy and the transport between them, each a process of its own: any of them can be killed or stopped. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt, Side } from "./cases.ts";
import type { SideEvent, SideOrder } from "./sync-side.ts";

/** A side that has not ended by then hangs. */
const HANG_MS = 120_000;
const PAUSE_MS = 150;
const SIDE = join(import.meta.dirname, "sync-side.ts");

export type SideEnd = {
  /** `crashed`: it has said nothing, and was not killed. */
  readonly how: "done" | "failed" | "killed" | "crashed" | "hung";
  readonly failure?: unknown;
  /** Of the destination: tags that it took from the record. */
  readonly known: number;
  readonly stderr: string;
};

export type Ended = Readonly<Record<Side, SideEnd>> & { readonly struck: boolean };

/** Runs both sides to their ends. */
export async function runSides(
  directory: string,
  orders: Readonly<Record<Side, SideOrder>>,
  fault: Attempt["fault"],
): Promise<Ended> {
  const pipes = ["up1", "up2", "down1", "down2"].map((name) => join(directory, name));
  spawnSync("rm", ["-f", ...pipes]);
  spawnSync("mkfifo", pipes);
  const [up1, up2, down1, down2] = pipes as [string, string, string, string];
  // The order in which a shell opens its pipes matters: each waits for the other end.
  const side = (order: SideOrder, from: string, to: string) =>
    new SideProcess(
      start('exec "$@" < "$FROM" > "$TO"', { from, to }, [
        process.execPath,
        SIDE,
        JSON.stringify(order),
      ]),
    );
  const sides: Record<Side, SideProcess> = {
    source: side(orders.source, down2, up1),
    destination: side(orders.destination, up2, down1),
  };
  const up = start('exec cat > "$TO" < "$FROM"', { from: up1, to: up2 }, []);
  const down = start('exec cat < "$FROM" > "$TO"', { from: down1, to: down2 }, []);
  let struck = fault?.does === "kill" || fault?.does === "half" || fault?.does === "power";
  const strike = async (ours: SideProcess, other: SideProcess, what: string) => {
    struck = true;
    if (what === "cut-up") up.kill("SIGKILL");
    if (what === "cut-down") down.kill("SIGKILL");
    if (what === "stall") for (const one of [up, down]) one.kill("SIGSTOP");
    if (what === "stop") await other.ended;
    if (what === "pause") await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (what === "stop" || what === "pause") await ours.goOn();
  };
  sides.source.onStrike = (what) => strike(sides.source, sides.destination, what);
  sides.destination.onStrike = (what) => strike(sides.destination, sides.source, what);
  const [source, destination] = await Promise.all([sides.source.ended, sides.destination.ended]);
  for (const one of [up, down]) one.kill("SIGKILL");
  if (struck && source.how !== "killed" && destination.how !== "killed")
    struck = !["kill", "half", "power"].includes(fault?.does ?? "");
  if (fault?.does === "fail" || fault?.does === "full")
    struck = source.how !== "done" || destination.how !== "done";
  return { source, destination, struck };
}

type Ends = { readonly from: string; readonly to: string };

function start(script: string, { from, to }: Ends, argv: readonly string[]): ChildProcess {
  return spawn("sh", ["-c", script, "sh", ...argv], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, FROM: from, TO: to },
  });
}

class SideProcess {
  onStrike: (what: string) => Promise<void> = async () => {};
  readonly ended: Promise<SideEnd>;
  readonly #child: ChildProcess;
  #stderr = "";
  #rest = "";
  #known = 0;
  #said: SideEvent | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.setEncoding("utf8");
    child.stderr!.on("data", (text: string) => this.#hear(text));
    this.ended = this.#wait();
  }

  /** As soon as it is stopped. */
  async goOn(): Promise<void> {
    while (this.#child.exitCode === null && this.#child.signalCode === null) {
      const state = /\) (\w)/.exec(readStat(this.#child.pid!))?.[1];
      if (state === "T") break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#child.kill("SIGCONT");
  }

  async #wait(): Promise<SideEnd> {
    const hang = Promise.withResolvers<"hung">();
    const timer = setTimeout(() => hang.resolve("hung"), HANG_MS);
    const closed = new Promise<"ended">((resolve) =>
      this.#child.once("close", () => resolve("ended")),
    );
    const how = await Promise.race([closed, hang.promise]);
    clearTimeout(timer);
    const base = { known: this.#known, stderr: this.#stderr };
    if (how === "hung") {
      this.#child.kill("SIGKILL");
      return { ...base, how };
    }
    if (this.#said?.event === "failed")
      return { ...base, how: "failed", failure: this.#said.failure };
    if (this.#said?.event === "done") return { ...base, how: "done" };
    return { ...base, how: this.#child.signalCode === "SIGKILL" ? "killed" : "crashed" };
  }

  #hear(text: string): void {
    this.#stderr += text;
    const lines = `${this.#rest}${text}`.split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines.filter((one) => one.startsWith("{"))) {
      const event = JSON.parse(line) as SideEvent;
      if (event.event === "does") void this.onStrike(event.what);
      else if (event.event === "record") this.#known = event.known;
      else this.#said = event;
    }
  }
}

function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

/**
 * Says when a domain's state changes, by listening to one `xentop -b` that runs on and on. Xen tells nobody of a pause: it has
 * to be asked, and xentop asks with one hypercall each second, where a new `xl list` costs a process each time. What it prints
 * is no fact, as names may look like anything: it is compared with what it printed before (xen: tools/xentop/xentop.c).
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { MIB } from "../../base/units.ts";
import type { StateTicker } from "../state-ticker.ts";

/** It takes no less than a second. It ends after an hour, and another one is started: nothing can pile up in it. */
const ARGV = ["xentop", "-b", "-f", "-d", "1", "-i", "3600"] as const;
/** One that says nothing for so long is stuck, and is not relied on. */
const SILENT_MS = 10_000;
/** A frame is written at once; one that seems to have lost a line may be half of it. */
const FRAME_ENDS_MS = 30;
const HALF_FRAME_ENDS_MS = 500;
const NEXT_HEADER = /\n(?= *NAME +STATE )/;
const RETRY_MS = 1000;
const MAX_RETRY_MS = 300_000;
/** Some 200 bytes a domain, of at most 32,752. */
const MAX_FRAME_BYTES = 8 * MIB;

export type XentopOptions = {
  /** What it prints of some domain's state, or which domains there are, is not what it was. */
  readonly onTick: () => void;
  /** For tests. */
  readonly argv?: readonly string[];
  readonly retryMs?: number;
};

/** Fails never: on a host without xentop it goes on to try, at last every five minutes. Nothing runs before it is wanted. */
export function watchStates(options: XentopOptions): StateTicker {
  return new Xentop(options);
}

class Xentop implements StateTicker {
  readonly #options: XentopOptions;
  #isWanted = false;
  #child: ChildProcess | undefined;
  #heardAt = -Infinity;
  #text = "";
  #key: string | undefined;
  /** Of the frame before. */
  #lines = 0;
  #frameEnds: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs: number;

  constructor(options: XentopOptions) {
    this.#options = options;
    this.#retryMs = options.retryMs ?? RETRY_MS;
  }

  get ticking(): boolean {
    return this.#child !== undefined && performance.now() - this.#heardAt < SILENT_MS;
  }

  want(on: boolean): void {
    if (on === this.#isWanted) return;
    this.#isWanted = on;
    if (on) this.#start();
    else this.#stop();
  }

  [Symbol.dispose](): void {
    this.want(false);
  }

  #start(): void {
    const [program = "", ...args] = this.#options.argv ?? ARGV;
    const child = spawn(program, args, {
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child = child;
    child.stdout.setEncoding("latin1").on("data", (text: string) => this.#heard(child, text));
    // Without a listener it would be thrown; that it has ended is said by "close" all the same.
    child.on("error", () => {});
    child.on("close", () => this.#ended(child));
  }

  #stop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#frameEnds);
    this.#child?.kill();
    this.#child = undefined;
    this.#heardAt = -Infinity;
    this.#text = "";
  }

  #ended(child: ChildProcess): void {
    if (child !== this.#child) return;
    if (this.#text !== "") this.#frame(this.#text);
    this.#stop();
    // What happened meanwhile is found by comparing with what was heard last.
    this.#retry = setTimeout(() => this.#start(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #heard(child: ChildProcess, text: string): void {
    if (child !== this.#child) return;
    this.#text += text;
    if (this.#text.length > MAX_FRAME_BYTES) {
      this.#text = "";
      child.kill();
      return;
    }
    this.#heardAt = performance.now();
    clearTimeout(this.#frameEnds);
    for (let next = nextFrame(this.#text); next > 0; next = nextFrame(this.#text)) {
      this.#frame(this.#text.slice(0, next));
      this.#text = this.#text.slice(next);
    }
    const isHalf = linesIn(this.#text) < this.#lines;
    const endsMs = isHalf ? HALF_FRAME_ENDS_MS : FRAME_ENDS_MS;
    this.#frameEnds = setTimeout(() => this.#frame(this.#text), endsMs);
  }

  /** The same one may come again, and say the same. */
  #frame(text: string): void {
    const key = stateKey(text);
    this.#retryMs = this.#options.retryMs ?? RETRY_MS;
    // Of what was before the first one nobody has heard.
    const isNews = this.#key !== key;
    this.#key = key;
    this.#lines = linesIn(text);
    if (isNews) this.#options.onTick();
  }
}

/** Where the one after this begins; 0 when this is the last that has begun. */
function nextFrame(text: string): number {
  return text.search(NEXT_HEADER) + 1;
}

function linesIn(text: string): number {
  return text.split("\n").length;
}

/**
 * Of what xentop prints, all that a state is made of: the names, and whether they are dying, shut down, crashed, paused. That
 * a domain runs or waits for something just now is none of it. Columns 1 to 6 of STATE are `d s b c p r`.
 */
export function stateKey(text: string): string {
  const rows = text.split("\n").flatMap((line) => {
    const row = /^(.*) ([d-])([s-])[b-]([c-])([p-])[r-] +\d/s.exec(line);
    return row ? [row.slice(1).join(" ")] : [];
  });
  return rows.sort().join("\n");
}

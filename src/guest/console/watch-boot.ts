/**
 * Watches a domain boot: its console for what a boot says at its end, and Xen for a domain that crashes or ends. Says up, failed or
 * unknown, and why; a console that says nothing proves nothing. docs/design/console.md
 */
import { systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { attempt, failureText } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shorten } from "../../check/remedy.ts";
import type { Host } from "../../host/host.ts";
import { parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { noAnswer } from "../../xen/xl-messages.ts";
import type { DomainName } from "../lifecycle/domain-command.ts";
import { isXlAtWork } from "../lifecycle/successor.ts";
import { BootSigns } from "./boot-signs.ts";
import type { BootStage } from "./boot-signs.ts";
import { ConsoleLines } from "./console-lines.ts";

/**
 * What a domain writes to its console, from the oldest that nobody has read yet. Ends when the domain has no console any more or
 * `signal` is aborted; fails when it cannot be read.
 */
export type ReadConsole = (domid: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;

export type BootPorts = {
  readonly host: Host;
  readonly readConsole: ReadConsole;
  readonly clock?: Clock;
};

export type BootOutcome = {
  /** `unknown`: neither of the others could be seen. */
  readonly outcome: "up" | "failed" | "unknown";
  /** A sentence without its subject and full stop, escaped: `the kernel panicked: VFS: Unable to mount root fs`. */
  readonly reason: string;
  /** The last lines on the console, escaped, at most 20. */
  readonly evidence: readonly string[];
  /** The domain that it is now: another than the one that was given where the guest restarted while it booted. */
  readonly domid: number;
};

export type WatchOptions = {
  /** Aborted: ends with its reason. The guest goes on. */
  readonly signal?: AbortSignal;
  /** For how long, in ms. Default 300,000. */
  readonly limitMs?: number;
  /** Told of each line on the console, escaped. There may be thousands a second. */
  readonly onLine?: (line: string) => void;
};

const LIMIT_MS = 300_000;
/** How often Xen is asked. */
const POLL_MS = 2000;
/**
 * xl sleeps for 2 s between the end of a domain that restarts and its next one, and needs some time for both. Where its process is
 * known, it has as long as that is there: a script for a device may take 40 s.
 */
const SUCCESSOR_MS = 15_000;
/** What the domain said last may still be on its way when it is seen to have ended. */
const LAST_WORDS_MS = 1000;
/** A console that ends while its domain is there comes again: the bootloader's gives way to the kernel's. */
const REOPEN_MS = 1000;
/** So often it may be refused before it counts as one that cannot be read; its pty may come late. */
const REOPENS = 10;
/** For so long, at least, a domain is looked at whose console cannot be read: that it ends or crashes is seen without. */
const DEAF_MS = 60_000;
/** So often in a row Xen may fail to answer. */
const UNANSWERED = 5;
/** A guest may restart at its first boot, to end an installation. */
const RESTARTS = 2;
const EVIDENCE_LINES = 20;
const EVIDENCE_WIDTH = 200;

type Verdict = Pick<BootOutcome, "outcome" | "reason">;

/** Never fails for what the guest does; `failed` when Xen does not tell. */
export async function watchBoot(
  ports: BootPorts,
  domain: DomainName,
  options: WatchOptions = {},
): Promise<BootOutcome> {
  options.signal?.throwIfAborted();
  const watch = new Watch(ports, domain, options);
  return watch.run();
}

/** A class for what is known so far, which the console and Xen both add to. */
class Watch {
  readonly #host: Host;
  readonly #readConsole: ReadConsole;
  readonly #clock: Clock;
  readonly #domain: DomainName;
  readonly #options: WatchOptions;
  readonly #lines: string[] = [];
  #domid: number;
  #signs = new BootSigns();
  #prompt = "";
  #heardBytes = 0;
  #restarts = 0;
  #state = "";
  #shutSince: number | undefined;
  /** Domains that have been there all along, or that it was: two guests may share a uuid. */
  readonly #known = new Set<number>();
  #unanswered = 0;
  #unreadable: string | undefined;
  #deaf = false;

  constructor(
    { host, readConsole, clock = systemClock }: BootPorts,
    domain: DomainName,
    options: WatchOptions,
  ) {
    this.#host = host;
    this.#readConsole = readConsole;
    this.#clock = clock;
    this.#domain = domain;
    this.#domid = domain.domid;
    this.#options = options;
  }

  async run(): Promise<BootOutcome> {
    const { signal, limitMs = LIMIT_MS } = this.#options;
    const until = this.#clock.now() + limitMs;
    for (const { domid } of (await this.#rows()) ?? []) this.#known.add(domid);
    for (;;) {
      const verdict = await this.#watchDomain(until);
      signal?.throwIfAborted();
      if (verdict) return this.#outcome(verdict);
      // It restarted: all that was said before is of another boot.
      this.#signs = new BootSigns();
      this.#prompt = "";
      this.#known.add(this.#domid);
    }
  }

  /** Until something decides; undefined when the guest restarted, and is `#domid` now. */
  async #watchDomain(until: number): Promise<Verdict | undefined> {
    const reading = new AbortController();
    const waking = new AbortController();
    const { signal } = this.#options;
    const wake = () => waking.abort();
    const deafAt = this.#clock.now() + DEAF_MS;
    signal?.addEventListener("abort", wake);
    const heard = this.#listen(this.#domid, reading.signal, wake);
    try {
      for (;;) {
        await this.#clock.sleep(POLL_MS, waking.signal);
        if (signal?.aborted || this.#signs.sign) return this.#signed();
        const seen = await this.#look(until);
        if (seen === "restarted") return undefined;
        if (seen) {
          await Promise.race([heard, this.#clock.sleep(LAST_WORDS_MS)]);
          return this.#signed() ?? seen;
        }
        const isDeaf = this.#deaf && this.#heardBytes === 0 && this.#clock.now() >= deafAt;
        if (isDeaf || this.#clock.now() >= until) return this.#signed() ?? this.#unclear(until);
      }
    } finally {
      signal?.removeEventListener("abort", wake);
      reading.abort();
      await heard;
    }
  }

  /** Reads the console of a domain until something decides. Never fails. */
  async #listen(domid: number, signal: AbortSignal, decided: () => void): Promise<void> {
    for (let refused = 0; refused < REOPENS && !signal.aborted && !this.#signs.sign; refused++) {
      const lines = new ConsoleLines();
      const read = await attempt(async () => {
        for await (const bytes of this.#readConsole(domid, signal)) {
          if (bytes.length > 0) refused = 0;
          this.#take(lines, bytes);
          if (this.#signs.sign) return decided();
        }
        // What the domain said last may have no line feed.
        if (lines.rest !== "") this.#takeLine(lines.rest);
        if (this.#signs.sign) decided();
      });
      this.#unreadable = read.ok ? undefined : failureText(read.failure);
      if (!this.#signs.sign) await this.#clock.sleep(REOPEN_MS, signal);
    }
    this.#deaf = this.#unreadable !== undefined;
  }

  #take(lines: ConsoleLines, bytes: Uint8Array): void {
    this.#heardBytes += bytes.length;
    for (const line of lines.feed(bytes)) {
      this.#takeLine(line);
      if (this.#signs.sign) return;
    }
    this.#prompt = lines.rest;
    this.#signs.takePrompt(this.#prompt);
  }

  #takeLine(line: string): void {
    const text = printable(shorten(line, EVIDENCE_WIDTH));
    this.#lines.push(text);
    if (this.#lines.length > EVIDENCE_LINES) this.#lines.shift();
    this.#prompt = "";
    this.#options.onLine?.(text);
    this.#signs.take(line);
  }

  #signed(): Verdict | undefined {
    const { sign } = this.#signs;
    if (!sign) return undefined;
    return {
      outcome: sign.kind === "unclear" ? "unknown" : sign.kind,
      reason: printable(sign.reason),
    };
  }

  /** What Xen says of the domain: something that decides, that it is another by now, or nothing. */
  async #look(until: number): Promise<Verdict | "restarted" | undefined> {
    const rows = await this.#rows();
    if (!rows) return undefined;
    const row = rows.find(({ domid }) => domid === this.#domid);
    if (!row) return this.#gone(until);
    this.#state = row.doubtful ? "" : row.state;
    if (this.#state === "crashed")
      return { outcome: "failed", reason: `the domain crashed${this.#because()}` };
    if (this.#state !== "shut-down") this.#shutSince = undefined;
    else this.#shutSince ??= this.#clock.now();
    if (this.#shutSince === undefined) return undefined;
    if (this.#clock.now() - this.#shutSince < SUCCESSOR_MS || (await this.#isXlAtWork()))
      return undefined;
    return {
      outcome: "failed",
      reason: `it has shut down, and its domain stays, as nobody takes it away or starts it again${this.#because()}`,
    };
  }

  async #gone(until: number): Promise<Verdict | "restarted"> {
    const clock = this.#clock;
    const { signal } = this.#options;
    const leastUntil = clock.now() + SUCCESSOR_MS;
    for (;;) {
      const next = (await this.#rows())?.find(({ domid }) => !this.#known.has(domid));
      if (next) {
        this.#restarts += 1;
        this.#domid = next.domid;
        this.#shutSince = undefined;
        if (this.#restarts <= RESTARTS) return "restarted";
        const reason = `it starts again and again (${this.#restarts} times)${this.#because()}`;
        return { outcome: "failed", reason };
      }
      const mayCome = clock.now() < leastUntil || (await this.#isXlAtWork());
      if (!mayCome || clock.now() >= until || signal?.aborted)
        return { outcome: "failed", reason: `the domain ended while it booted${this.#because()}` };
      await clock.sleep(POLL_MS, signal);
    }
  }

  #isXlAtWork(): Promise<boolean> {
    return isXlAtWork(this.#host, { ...this.#domain, domid: this.#domid });
  }

  /** Of domains with the guest's uuid; undefined when Xen did not answer this time. */
  async #rows(): Promise<readonly DomainRow[] | undefined> {
    const ran = await this.#host.run(["xl", "list", "-v"]);
    this.#unanswered = ran.exitCode === 0 ? 0 : this.#unanswered + 1;
    if (this.#unanswered >= UNANSWERED) throw noAnswer(ran);
    if (ran.exitCode !== 0) return undefined;
    return parseXlListVerbose(ran.stdout).filter(({ uuid }) => uuid === this.#domain.uuid);
  }

  #because(): string {
    const { hint } = this.#signs;
    const last = this.#lines.at(-1);
    if (hint !== "") return printable(`: ${hint}`);
    return last === undefined ? "" : `; the last on its console: ${last}`;
  }

  #unclear(until: number): Verdict {
    const { limitMs = LIMIT_MS } = this.#options;
    const seconds = Math.round((limitMs + this.#clock.now() - until) / 1000);
    const state = this.#state === "paused" ? "; the domain is paused" : "";
    const reason = () => {
      if (this.#heardBytes > 0)
        return `${STAGE_TEXTS[this.#signs.stage]}, and nothing on its console said in ${seconds} s that it is up or failed`;
      if (this.#unreadable !== undefined) return `its console cannot be read: ${this.#unreadable}`;
      return `nothing was on its console in ${seconds} s: it may be up all the same, with its console elsewhere (console=hvc0 for PV and PVH; serial="pty" and console=ttyS0 for HVM)`;
    };
    return { outcome: "unknown", reason: `${printable(reason())}${state}` };
  }

  #outcome(verdict: Verdict): BootOutcome {
    const prompt = this.#prompt.trim();
    const last = prompt === "" ? [] : [printable(shorten(prompt, EVIDENCE_WIDTH))];
    const evidence = [...this.#lines, ...last].slice(-EVIDENCE_LINES);
    return { ...verdict, evidence, domid: this.#domid };
  }
}

const STAGE_TEXTS: Readonly<Record<BootStage, string>> = {
  nothing: "something runs in it",
  loader: "its boot loader runs",
  kernel: "its kernel has started",
  initramfs: "it has come to its initramfs",
  system: "it has come to its own system",
};

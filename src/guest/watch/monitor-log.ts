/**
 * What the process that `xl create` leaves behind writes of its domain into /var/log/xen/xl-NAME.log (xen:
 * tools/xl/xl_vmcontrol.c). There are no times in it, and the name is as the config has it, whatever that is.
 */

/** One domain's life, as far as the log tells. */
export type Lifetime = {
  readonly domid: number;
  readonly name: string;
  /** Of the process that watches over the domain. */
  readonly pid: number;
  /** The domain whose place it took, when its guest rebooted or was restarted. */
  readonly restartOf?: number;
  readonly ending?: Ending;
  /** When the end was written, where that is known: a file has one time, that of its last line. */
  readonly endedMs?: number;
};

export type Ending = {
  /** `SHUTDOWN_...` of Xen's public/sched.h. Absent: it was destroyed. */
  readonly code?: number;
  /** What the config has for it: `restart`. */
  readonly action?: string;
};

export const SHUTDOWN = {
  poweroff: 0,
  reboot: 1,
  suspend: 2,
  crash: 3,
  watchdog: 4,
  softReset: 5,
} as const;

/** Lives in one log; a guest that reboots all the time has the newest. */
const MAX_LIFETIMES = 4096;

const WAITING = /^Waiting for domain (.*) \(domid (\d{1,5})\) to die \[pid (\d{1,10})\]$/;
const SHUT_DOWN = /^Domain (\d{1,5}) has shut down, reason code (\d{1,3}) /;
const ACTION = /^Action for shutdown reason code \d{1,3} is ([a-z-]{1,32})$/;
const DESTROYED = /^Domain (\d{1,5}) has been destroyed\.$/;

type Draft = { -readonly [K in keyof Lifetime]: Lifetime[K] };

/** In the order of the log. What is not understood is passed over: libxl's own messages are in there, too. */
export function parseMonitorLog(text: string): Lifetime[] {
  const lives: Draft[] = [];
  let current: Draft | undefined;
  let rebooting: number | undefined;
  for (const line of text.split("\n")) {
    const waiting = WAITING.exec(line);
    if (waiting) {
      const [, name = "", domid, pid] = waiting;
      current = { domid: Number(domid), name, pid: Number(pid) };
      if (rebooting !== undefined) current.restartOf = rebooting;
      rebooting = undefined;
      lives.push(current);
      if (lives.length > MAX_LIFETIMES) lives.shift();
      continue;
    }
    const ended = SHUT_DOWN.exec(line) ?? DESTROYED.exec(line);
    if (ended && Number(ended[1]) === current?.domid) {
      // What is destroyed after it has shut down has ended before.
      if (ended[2] !== undefined) current.ending = { code: Number(ended[2]) };
      else current.ending ??= {};
    }
    const action = ACTION.exec(line)?.[1];
    if (action !== undefined && current?.ending) current.ending = { ...current.ending, action };
    if (line === "Done. Rebooting now") rebooting = current?.domid;
  }
  return lives;
}

/** It ended by a crash, or because its watchdog fired. */
export function hasCrashed({ code }: Ending): boolean {
  return code === SHUTDOWN.crash || code === SHUTDOWN.watchdog;
}

/** Whether the guest comes back as another domain. */
export function restarts({ action }: Ending): boolean {
  return action !== undefined && /restart|soft-reset/.test(action);
}

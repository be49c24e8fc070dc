/** How a domain ended, from what was seen last and from what its log says. Pure. */
import { restarts, SHUTDOWN } from "./monitor-log.ts";
import type { Ending } from "./monitor-log.ts";
import { MIGRATED_AWAY } from "./beginnings.ts";
import type { Tracked } from "./state.ts";
import { endingOf, expectBack, tell } from "./step.ts";
import type { Step } from "./step.ts";

/** The domain is not there any more. */
export function ended(step: Step, tracked: Tracked): void {
  // What never ran was given up while it was made.
  if (!tracked.begun && !tracked.made) return;
  const { suspension, name } = tracked;
  const ending = endingOf(step, tracked);
  // It was paused from the beginning when it was seen last, and what never runs is not shut down.
  if (!tracked.begun && ending?.code !== undefined) tell(step, "started", tracked);
  if (suspension?.by === "migrate" || MIGRATED_AWAY.test(name)) {
    tell(step, "migrated", original(tracked), { direction: "out" });
  } else if (suspension || ending?.code === SHUTDOWN.suspend) {
    const image = suspension?.image;
    tell(step, "saved", tracked, image === undefined ? {} : { image });
  } else shutDown(step, tracked, ending);
}

/** `xl migrate` gives it another name before it takes it away. */
function original(tracked: Tracked): Tracked {
  return { ...tracked, name: tracked.name.replace(MIGRATED_AWAY, "") };
}

function shutDown(step: Step, tracked: Tracked, ending: Ending | undefined): void {
  const { over } = tracked;
  switch (ending?.code) {
    case SHUTDOWN.crash:
    case SHUTDOWN.watchdog:
      if (over !== "crashed") tell(step, "crashed", tracked, crashDetail(ending));
      if (restarts(ending)) expectBack(step, tracked, "crash");
      // It was kept, and somebody took it away.
      else if (ending.action === "preserve")
        tell(step, "stopped", tracked, { reason: "destroyed" });
      return;
    case SHUTDOWN.reboot:
    case SHUTDOWN.softReset:
      if (restarts(ending) && over === undefined) expectBack(step, tracked, "reboot");
      else if (over === undefined)
        tell(step, "stopped", tracked, { reason: "reboot", ...actionDetail(ending) });
      return;
    case SHUTDOWN.poweroff:
      if (over === undefined) tell(step, "stopped", tracked, { reason: "poweroff" });
      if (restarts(ending)) expectBack(step, tracked, "stop");
      return;
    case undefined:
    default:
      if (over === "stopped") return;
      tell(step, "stopped", tracked, { reason: reasonOf(step, tracked, ending) });
  }
}

/** A domain that something watches over does not go without a word in the log, unless it is destroyed. */
function reasonOf(step: Step, tracked: Tracked, ending: Ending | undefined): string {
  if (step.hostWentDown) return "host";
  if (tracked.state === "shut-down" && ending === undefined) return "poweroff";
  return ending || tracked.monitorPid !== undefined || tracked.over ? "destroyed" : "unknown";
}

export function crashDetail(ending: Ending | undefined): Record<string, unknown> {
  const watchdog = ending?.code === SHUTDOWN.watchdog ? { reason: "watchdog" } : {};
  return { ...watchdog, ...(ending && actionDetail(ending)) };
}

function actionDetail({ action }: Ending): Record<string, unknown> {
  return action === undefined ? {} : { action };
}

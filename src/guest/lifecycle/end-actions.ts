/** What xl does when a domain ends: `on_poweroff=` and its like, as libxl has them of a domain. */
import { attempt, FailureError } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { Host } from "../../host/host.ts";
import { parseJson } from "../../xen/domain-summary.ts";
import { askXlList } from "../config/ask-xl-list.ts";
import { lookAtDomain } from "./domain-command.ts";

/** As libxl writes them (xen: tools/libs/light/libxl_types.idl, action_on_shutdown); the first is left out of its JSON. */
const ACTIONS = [
  "destroy",
  "restart",
  "restart_rename",
  "preserve",
  "coredump_destroy",
  "coredump_restart",
  "soft_reset",
] as const;

export type EndAction = (typeof ACTIONS)[number];

export type EndActions = {
  readonly poweroff: EndAction;
  readonly reboot: EndAction;
  readonly crash?: EndAction;
};

/** Undefined where libxl has no configuration of the domain, or it is gone by now. `failed` when Xen does not tell, `corrupt` when it makes no sense. */
export async function readEndActions(host: Host, domid: number): Promise<EndActions | undefined> {
  const asked = await attempt(() => askXlList(host, "-l", domid));
  if (!asked.ok) {
    if ((await lookAtDomain(host, domid)) === undefined) return undefined;
    throw new FailureError(asked.failure);
  }
  const stdout = asked.value;
  const json = parseJson(stdout.trim() === "" ? "[]" : stdout, ["xl list"]);
  const entries: unknown[] = Array.isArray(json) ? json : [json];
  const entry = entries.find((one) => objectOf(one)?.["domid"] === domid);
  const config = objectOf(objectOf(entry)?.["config"]);
  if (!config) return undefined;
  return {
    poweroff: actionOf(config["on_poweroff"]),
    reboot: actionOf(config["on_reboot"]),
    crash: actionOf(config["on_crash"]),
  };
}

/** What to do with a guest whose boot has failed: it may have crashed, or be about to. */
export function afterFailedBoot(name: string, crash: EndAction | undefined): string {
  const word = shellWord(name);
  if (crash !== undefined && startsAgain(crash))
    return `xl starts it again whenever it crashes (on_crash is "${actionText(crash)}"), for ever: domus stop --destroy-after 0 ${word} ends that.`;
  if (crash === "preserve")
    return `When it has crashed, its domain stays (on_crash is "preserve"), to be looked at: domus show ${word}. domus stop --destroy-after 0 ${word} takes it away.`;
  return `domus check ${word} says what would stop it; its console is in /var/log/xen/console when xenconsoled keeps logs.`;
}

/** Whether the domain comes again. */
export function startsAgain(action: EndAction): boolean {
  return action === "restart" || action === "restart_rename" || action === "coredump_restart";
}

/** As in a config. */
export function actionText(action: EndAction): string {
  return action === "restart_rename" ? "rename-restart" : action.replace("_", "-");
}

/** What a config calls so; undefined for what is no action. */
export function actionFromText(text: string): EndAction | undefined {
  return ACTIONS.find((action) => actionText(action) === text);
}

function actionOf(value: unknown): EndAction {
  return ACTIONS.find((action) => action === value) ?? "destroy";
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)
    : undefined;
}

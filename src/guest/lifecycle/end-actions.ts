/** What xl does when a domain ends: `on_poweroff=` and its like, as libxl has them of a domain. */
import type { Host } from "../../host/host.ts";
import { parseJson } from "../../xen/domain-summary.ts";
import { askXlList } from "../config/ask-xl-list.ts";

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

export type EndActions = { readonly poweroff: EndAction; readonly reboot: EndAction };

/** Undefined where libxl has no configuration of the domain. `failed` when Xen does not tell, `corrupt` when it makes no sense. */
export async function readEndActions(host: Host, domid: number): Promise<EndActions | undefined> {
  const stdout = await askXlList(host, "-l", domid);
  const json = parseJson(stdout.trim() === "" ? "[]" : stdout, ["xl list"]);
  const entries: unknown[] = Array.isArray(json) ? json : [json];
  const entry = entries.find((one) => objectOf(one)?.["domid"] === domid);
  const config = objectOf(objectOf(entry)?.["config"]);
  if (!config) return undefined;
  return { poweroff: actionOf(config["on_poweroff"]), reboot: actionOf(config["on_reboot"]) };
}

/** Whether the domain comes again. */
export function startsAgain(action: EndAction): boolean {
  return action === "restart" || action === "restart_rename" || action === "coredump_restart";
}

/** As in a config. */
export function actionText(action: EndAction): string {
  return action === "restart_rename" ? "rename-restart" : action.replace("_", "-");
}

function actionOf(value: unknown): EndAction {
  return ACTIONS.find((action) => action === value) ?? "destroy";
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)
    : undefined;
}

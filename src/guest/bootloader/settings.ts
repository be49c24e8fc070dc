/** `/etc/domus/pygrub.conf`: what the host's admin wishes. Lines `name = value`; `#` begins a comment. */
import { attempt } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import type { RepairWish } from "./plan-handover.ts";

export const SETTINGS_PATH = "/etc/domus/pygrub.conf";

/** What becomes of a guest for which a save image waits. */
export type WaitingWish = "refuse" | "warn";

export type Settings = {
  readonly repair: RepairWish;
  readonly waitingImage: WaitingWish;
  /** Lines that mean nothing, for the console: a spelling mistake must not pass unseen. */
  readonly problems: readonly string[];
};

const REPAIR_WISHES: readonly RepairWish[] = ["auto", "always", "never"];
const WAITING_WISHES: readonly WaitingWish[] = ["refuse", "warn"];

/** Never throws: a boot does not fail for a line in a file of settings. */
export function parseSettings(text: string): Settings {
  let repair: RepairWish = "auto";
  let waitingImage: WaitingWish = "refuse";
  const problems: string[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/#.*$/, "").trim();
    if (line === "") continue;
    const [, name = "", value = ""] = /^([\w-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    const repairWish = REPAIR_WISHES.find((one) => one === value);
    const waitingWish = WAITING_WISHES.find((one) => one === value);
    if (name === "repair" && repairWish !== undefined) repair = repairWish;
    else if (name === "waiting-image" && waitingWish !== undefined) waitingImage = waitingWish;
    else {
      problems.push(
        `${SETTINGS_PATH} line ${index + 1} is passed over: it is neither repair=auto, always or never, nor waiting-image=refuse or warn`,
      );
    }
  }
  return { repair, waitingImage, problems };
}

/** The defaults where there is no such file, or none that can be read. */
export async function readSettings(host: Host): Promise<Settings> {
  const read = await attempt(() => host.readFile(SETTINGS_PATH, MIB));
  return parseSettings(read.ok ? decodeText(read.value) : "");
}

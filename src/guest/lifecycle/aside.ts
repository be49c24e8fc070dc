/** Images that are offered no more: restored ones, and those that a guest has left behind (docs/design/lifecycle.md, "Recovery"). */
import { attempt, failureText } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import type { ImageRecord } from "../../host/records.ts";
import { saveDirectory } from "../inventory/read-images.ts";
import { isAt, isThere } from "./image-file.ts";
import type { LifecyclePorts } from "./ports.ts";

const DAY_MS = 86_400_000;
/** How long files in domus's own directory are kept. */
export const KEEP_DAYS = { restored: 7, aside: 30 } as const;

const MAX_NAMES = 100;

type Ended = ImageRecord & { readonly state: "restored" | "aside" };

/** Ends the offer of an image at once, then moves its file out of the way. */
export async function setAside(
  ports: LifecyclePorts,
  record: ImageRecord,
  { why, alarm }: { readonly why: string; readonly alarm: boolean },
): Promise<ImageRecord> {
  const { records, nowMs } = ports;
  const { guest, uuid, path } = record;
  const ended = { state: "aside", endedAtMs: nowMs() } as const;
  records.transaction(() => {
    records.changeImage(record.id, ended);
    const event = {
      atMs: nowMs(),
      guest,
      uuid,
      by: "domus",
      detail: { image: path, why },
    } as const;
    records.addEvent({ ...event, kind: "image-aside" });
    if (alarm) records.addEvent({ ...event, kind: "alarm" });
  });
  return moveAway(ports, { ...record, ...ended });
}

/**
 * Gives the file a name that says what it is, out of the directory that xendomains restores from. A file in any other place
 * than that and domus's own stays: somebody has put it there. Done again after a cut.
 */
export async function moveAway(ports: LifecyclePorts, record: Ended): Promise<ImageRecord> {
  const { host, files, records, imageDirectory } = ports;
  const { id, path, state } = record;
  if (path.endsWith(`.${state}`)) return record;
  const directory = directoryOf(path);
  const isAtBoot = directory === (await saveDirectory(host));
  if (directory !== imageDirectory && !isAtBoot) return record;
  const names = namesFor(
    `${isAtBoot ? directoryOf(directory) : directory}/${fileName(path)}`,
    state,
  );
  const isOurs = await isThere(host, record);
  // An earlier one of that name is another state of the guest. Without the file a cut came behind the rename.
  const to = await firstOf(names, async (name) =>
    isOurs ? (await host.kind(name)) === "missing" : (await isAt(host, record, name)) === true,
  );
  if (to === undefined) return record;
  if (isOurs) {
    const moved = await attempt(() => files.rename(path, to));
    if (!moved.ok) {
      ports.tell(
        `${path} is offered no more, but could not be moved: ${failureText(moved.failure)}`,
      );
      return record;
    }
  }
  records.changeImage(id, { path: to });
  return { ...record, path: to };
}

/** xl gives all images of a guest one name. */
function namesFor(path: string, state: Ended["state"]): readonly string[] {
  const more = Array.from({ length: MAX_NAMES - 1 }, (_, index) => `${path}-${index + 2}.${state}`);
  return [`${path}.${state}`, ...more];
}

async function firstOf(
  names: readonly string[],
  isIt: (name: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const name of names) if (await isIt(name)) return name;
  return undefined;
}

/** Moves what a cut has left in its place, and deletes what has been kept long enough. Returns what was deleted. */
export async function tidyImages(ports: LifecyclePorts): Promise<readonly string[]> {
  const { host, files, records, imageDirectory, nowMs } = ports;
  const deleted: string[] = [];
  for (const image of records.images()) {
    if (image.state !== "restored" && image.state !== "aside") continue;
    const { id, path, state } = await moveAway(ports, { ...image, state: image.state });
    const isOld =
      (image.endedAtMs ?? image.savedAtMs) + KEEP_DAYS[state as Ended["state"]] * DAY_MS < nowMs();
    if (!isOld || directoryOf(path) !== imageDirectory) continue;
    if ((await host.kind(path)) === "file") deleted.push(path);
    await files.remove(path);
    records.removeImage(id);
  }
  return deleted;
}

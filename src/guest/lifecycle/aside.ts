/** Images that are offered no more: restored ones, and those that a guest has left behind (docs/design/lifecycle.md, "Recovery"). */
import { attempt, failureText } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import type { ImageRecord } from "../../host/records.ts";
import { saveDirectory } from "../inventory/read-images.ts";
import type { LifecyclePorts } from "./ports.ts";

const DAY_MS = 86_400_000;
/** How long files in domus's own directory are kept. */
export const KEEP_DAYS = { restored: 7, aside: 30 } as const;

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
  const name = `${path.slice(directory.length + 1)}.${state}`;
  const to = `${isAtBoot ? directoryOf(directory) : directory}/${name}`;
  if ((await host.kind(path)) !== "missing") {
    // An earlier one of that name is another guest's state: it is not lost for this one.
    if ((await host.kind(to)) !== "missing") return record;
    const moved = await attempt(() => files.rename(path, to));
    if (!moved.ok) {
      ports.tell(
        `${path} is offered no more, but could not be moved: ${failureText(moved.failure)}`,
      );
      return record;
    }
  } else if ((await host.kind(to)) === "missing") return record;
  records.changeImage(id, { path: to });
  return { ...record, path: to };
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

/** Ends a save that has not come to its record: the guest goes on, and the image goes (docs/design/lifecycle.md, "save"). */
import type { ImageRecord } from "../../host/records.ts";
import { sameDomain } from "./domain-command.ts";
import { resumeDomain, unpauseDomain } from "./domains.ts";
import { isWhole, readImageFile } from "./image-file.ts";
import type { EnterStep } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { SaveData } from "./save-data.ts";

export type TakenBack =
  /** Its domain runs, and nothing of the image is left. */
  | { readonly kind: "goes-on" }
  /** There is no domain that could go on; the image is whole, and kept without being offered. */
  | { readonly kind: "kept"; readonly path: string }
  /** There is neither. */
  | { readonly kind: "gone" };

export type SaveToEnd = {
  readonly guest: string;
  readonly data: SaveData;
  /** The step at which it ended. */
  readonly step: string;
  /** The image has got its own name: known since an earlier attempt. */
  readonly renamed?: boolean;
  /** False: the host was started again, and all domains are gone. */
  readonly sameBoot: boolean;
  readonly enter: EnterStep;
};

/** Throws when the guest cannot be made to go on; may be called again. */
export async function takeBackSave(ports: LifecyclePorts, save: SaveToEnd): Promise<TakenBack> {
  const { host, files } = ports;
  const { guest, data, enter } = save;
  const { domid, uuid, temporary, image } = data;
  // Without a rename, what is at the image's name is somebody else's. Early on there was none; later that has to be known before
  // anything makes a new file of the temporary name. Nothing else is written first: the disk may be full of the image.
  const isEarly = ["begin", "write", "check"].includes(save.step);
  const isRenamed = !isEarly && (save.renamed ?? (await host.kind(temporary)) === "missing");
  if (!isEarly) enter("back", { renamed: isRenamed });
  // Never offered beside a guest that goes on, however far the recording came.
  const record = recordOf(ports, data);
  if (record?.state === "waiting") ports.records.changeImage(record.id, { state: "saving" });
  const domain = { domid, uuid, name: guest };
  let row = save.sameBoot ? await sameDomain(host, domain) : undefined;
  if (row?.state === "suspended") row = await resumeDomain(ports, domain, temporary);
  if (row?.state === "paused") {
    await unpauseDomain(ports, domain);
    row = await sameDomain(host, domain);
  }
  if (row?.state !== "running") {
    const kept = await keepWhole(ports, save, isRenamed);
    if (kept) return kept;
  }
  await files.remove(temporary);
  if (isRenamed) await files.remove(image);
  removeRow(ports, data);
  return row?.state === "running" ? { kind: "goes-on" } : { kind: "gone" };
}

/** A whole image is all that is left of a guest that has no domain: it stays, though nothing proves that it fits the disks. */
async function keepWhole(
  ports: LifecyclePorts,
  { guest, data }: SaveToEnd,
  isRenamed: boolean,
): Promise<TakenBack | undefined> {
  const row = recordOf(ports, data);
  if (!row) return undefined;
  const { files, records, nowMs, host } = ports;
  const { temporary, image, uuid } = data;
  const path = `${image}.aside`;
  // Under the last name where an earlier attempt was cut off.
  for (const at of [isRenamed ? image : temporary, path]) {
    const file = await readImageFile(host, at);
    if (!file || !isWhole(file) || file.image.config?.guest?.uuid !== uuid) continue;
    await files.sync(at);
    if (at !== path) await files.rename(at, path);
    records.transaction(() => {
      records.changeImage(row.id, {
        ...{ state: "aside", path, sizeBytes: file.sizeBytes, endedAtMs: nowMs() },
        // The row was written when the save began.
        savedAtMs: file.modifiedMs ?? row.savedAtMs,
      });
      records.addEvent({
        ...{ atMs: nowMs(), guest, uuid, kind: "image-aside", by: "domus" },
        detail: { image: path, why: "the save was cut off, and the domain is gone" },
      });
    });
    return { kind: "kept", path };
  }
  return undefined;
}

function removeRow(ports: LifecyclePorts, data: SaveData): void {
  const row = recordOf(ports, data);
  if (row?.state === "saving") ports.records.removeImage(row.id);
}

function recordOf({ records }: LifecyclePorts, { imageId }: SaveData): ImageRecord | undefined {
  return records.images().find(({ id }) => id === imageId);
}

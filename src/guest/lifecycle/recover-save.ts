/** What becomes of a save that was cut off. */
import { commandFailed } from "../../base/failure.ts";
import type { ImageRecord } from "../../host/records.ts";
import { setAside } from "./aside.ts";
import { sameDomain } from "./domain-command.ts";
import { resumeDomain, unpauseDomain, xlHasEnded } from "./domains.ts";
import { endSave } from "./end-save.ts";
import { isWhole, readImageFile } from "./image-file.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { Recover } from "./recover.ts";
import { saveDataOf } from "./save-data.ts";
import type { SaveData } from "./save-data.ts";
import { proofOf } from "./saved-disks.ts";
import { takeBackSave } from "./take-back.ts";

export const recoverSave: Recover = async (ports, operation, { sameBoot }) => {
  const { guest, id, step, data: kept } = operation;
  const data = saveDataOf(operation);
  if (sameBoot) await waitForXl(ports, data.temporary);
  const record = ports.records.images().find((one) => one.id === data.imageId);
  if (record?.state === "waiting") return endRecorded(ports, record, { data, sameBoot });
  const isBack = typeof kept["renamed"] === "boolean";
  const back = await takeBackSave(ports, {
    ...{ guest, data, step, sameBoot },
    ...(isBack && { renamed: kept["renamed"] as boolean }),
    enter: (to, more) => ports.records.enterStep(id, to, { ...kept, ...more }),
  });
  switch (back.kind) {
    case "goes-on":
      return `It was taken back: ${guest} goes on as domain ${data.domid}, and no image is left.`;
    case "kept":
      return `${guest} has no domain any more. Its image is whole, but nothing proves that it fits the disks: it is kept as ${back.path}, and not offered. Start ${guest} from its disks.`;
    case "gone":
      return `${guest} has no domain any more, and its image was not whole: it is removed. Start ${guest} from its disks.`;
  }
};

/** `failed` while an xl that has the word on its command line is at work. */
export async function waitForXl(ports: LifecyclePorts, word: string): Promise<void> {
  if (await xlHasEnded(ports, word)) return;
  const pids = await ports.xlWith(word);
  throw commandFailed([word], {
    what: `xl is still at work on ${word}, as process ${pids.join(", ")}.`,
    why: "It goes on by itself after the command that began it was killed.",
    next: "Wait until it has ended, then run the command again.",
  });
}

type Recorded = { readonly data: SaveData; readonly sameBoot: boolean };

/** The image waits. A domain that is still there is destroyed only when it is proven that it has not lived on. */
async function endRecorded(
  ports: LifecyclePorts,
  record: ImageRecord,
  { data, sameBoot }: Recorded,
): Promise<string> {
  const { host } = ports;
  const { guest, path } = record;
  const domain = { domid: data.domid, uuid: data.uuid, name: guest };
  const row = sameBoot ? await sameDomain(host, domain) : undefined;
  const file = await readImageFile(host, path);
  if (!row || row.state === "dying") {
    await endSave(ports, record, row && data.domid);
    return `${guest} is saved: its image ${path} waits.`;
  }
  const isStill = row.state === "paused" || row.state === "suspended";
  const isGood = file !== undefined && isWhole(file) && file.sizeBytes === record.sizeBytes;
  const proof = isStill && isGood ? await proofOf(host, record, file) : undefined;
  if (proof?.verdict === "unchanged") {
    await endSave(ports, record, data.domid);
    return `It was ended: ${guest} is saved, its image ${path} waits.`;
  }
  const why = isStill
    ? "nothing proves that it is the only copy of the guest"
    : "the guest lived on";
  const { path: aside } = await setAside(ports, record, { why, alarm: false });
  if (isStill && proof?.verdict !== "changed") {
    if (row.state === "suspended") await resumeDomain(ports, domain, data.temporary);
    if ((await sameDomain(host, domain))?.state === "paused") await unpauseDomain(ports, domain);
    await ports.files.remove(data.temporary);
  }
  const now = (await sameDomain(host, domain))?.state ?? "gone";
  return `${guest} (domain ${data.domid}) was not ended, and is ${now}. Its image is not offered any more, since ${why}; it is kept as ${aside}.`;
}

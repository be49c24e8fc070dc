/** What becomes of a restore that was cut off. */
import { commandFailed } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { ImageRecord, Operation } from "../../host/records.ts";
import { moveAway, setAside } from "./aside.ts";
import { destroyDomain, domainsWithUuid, neverRan, unpauseDomain } from "./domains.ts";
import { settleRecord } from "./end-save.ts";
import { readImageFile } from "./image-file.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { Recover } from "./recover.ts";
import { waitForXl } from "./recover-save.ts";
import { fieldsOf } from "./save-data.ts";
import { proofOf } from "./saved-disks.ts";

export const recoverRestore: Recover = async (ports, operation, { sameBoot }) => {
  const { guest } = operation;
  const fields = fieldsOf(operation);
  const uuid = fields.text("uuid");
  const image = fields.text("image");
  const imageId = fields.optionalNumber("imageId");
  const record = ports.records.images().find(({ id }) => id === imageId);
  if (record?.state === "restored") return endRestored(ports, record, { operation, sameBoot });
  if (sameBoot) await waitForXl(ports, image);
  const domains = sameBoot ? await domainsWithUuid(ports.host, uuid) : [];
  const ran = domains.find((row) => !neverRan(row) && row.state !== "dying");
  if (ran) {
    const why = `the guest runs as domain ${ran.domid}, which somebody else let go`;
    if (record) await setAside(ports, record, { why, alarm: true });
    return `${guest} runs as domain ${ran.domid}: somebody let it go. Its image is not offered any more.`;
  }
  for (const { domid } of domains) await destroyDomain(ports, { domid, uuid, name: guest });
  // QEMU wrote to the image files of its disks, before the guest could.
  if (record) await settleRecord(ports, record);
  const taken = domains.length === 0 ? "Nothing was there yet" : "What was built of it is gone";
  return `${taken}, and the image ${image} waits on: domus restore ${shellWord(guest)}.`;
};

/** It was recorded before the guest was let go: it runs, is about to, or was lost with the host. */
async function endRestored(
  ports: LifecyclePorts,
  record: ImageRecord,
  { operation, sameBoot }: { readonly operation: Operation; readonly sameBoot: boolean },
): Promise<string> {
  const { guest, uuid } = record;
  const domains = sameBoot ? await domainsWithUuid(ports.host, uuid) : [];
  const [domain] = domains;
  if (!domain) return backToWaiting(ports, record, operation);
  const { domid } = domain;
  if (neverRan(domain)) await unpauseDomain(ports, { domid, uuid, name: guest });
  // It runs for certain: after a power failure from here on it is not taken back.
  ports.records.enterStep(operation.id, "away");
  const moved = await moveAway(ports, { ...record, state: "restored" });
  return `It was ended: ${guest} is restored as domain ${domid}. Its image is kept as ${moved.path} for a while.`;
}

/** A guest that has written nothing has not gone on, as far as its image is concerned. */
async function backToWaiting(
  { host, records, ...ports }: LifecyclePorts,
  record: ImageRecord,
  operation: Operation,
): Promise<string> {
  const { guest, id, path } = record;
  if (operation.step === "away") return `${guest} was restored, and has ended since.`;
  const file = await readImageFile(host, path);
  if (!file)
    throw commandFailed([path], {
      what: `The image ${path} of ${guest} is not there any more.`,
      why: "It was being restored when the command was cut off.",
      next: `Start ${guest} from its disks.`,
    });
  const proof = await proofOf(host, record, file);
  if (record.disks.length > 0 && proof.verdict === "unchanged") {
    records.changeImage(id, { state: "waiting" });
    return `${guest} has no domain any more, and has written nothing: its image ${path} waits again.`;
  }
  const why = "the guest may have run after it was restored";
  const aside = await setAside({ host, records, ...ports }, record, { why, alarm: false });
  return `${guest} has no domain any more, and may have run: its image is not offered any more, and kept as ${aside.path}. Start ${guest} from its disks.`;
}

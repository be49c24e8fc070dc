/** The part of a save behind its record: the image waits, and what is left of the guest goes. Also done again after a cut. */
import type { ImageRecord } from "../../host/records.ts";
import { destroyDomain } from "./domains.ts";
import { readImageFile } from "./image-file.ts";
import type { LifecyclePorts } from "./ports.ts";
import { settledDisks } from "./saved-disks.ts";

/** `domid`: of the domain that was saved, when it may still be there. */
export async function endSave(
  ports: LifecyclePorts,
  record: ImageRecord,
  domid: number | undefined,
): Promise<ImageRecord> {
  const { guest, uuid } = record;
  if (domid !== undefined) await destroyDomain(ports, { domid, uuid, name: guest });
  return settleRecord(ports, record);
}

/** Records the disks as QEMU has left them. */
export async function settleRecord(
  { host, records }: LifecyclePorts,
  record: ImageRecord,
): Promise<ImageRecord> {
  const image = await readImageFile(host, record.path);
  if (!image) return record;
  const disks = await settledDisks(host, record, image);
  if (disks !== record.disks) records.changeImage(record.id, { disks });
  return { ...record, disks };
}

/** Saves a guest: its memory into an image, with what proves later that the image still fits its disks (docs/design/lifecycle.md). */
import { explainFailure } from "../../base/explain.ts";
import { attempt, commandFailed, FailureError, failureText } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { decodeText } from "../../bytes/text.ts";
import { shellWord } from "../../check/remedy.ts";
import type { ImageRecord } from "../../host/records.ts";
import { withoutPasswords } from "../../xen/config-passwords.ts";
import { claimsFor } from "../guard/disk-claims.ts";
import { askDomain, sameDomain, xlFailure } from "./domain-command.ts";
import { endSave } from "./end-save.ts";
import { readImageFile, imageFlaw } from "./image-file.ts";
import type { ImageFile } from "./image-file.ts";
import { withOperation } from "./journal.ts";
import type { EnterStep } from "./journal.ts";
import type { SavePlan } from "./plan-save.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { SaveData } from "./save-data.ts";
import { disksOf, fingerprintSaved } from "./saved-disks.ts";
import { takeBackSave } from "./take-back.ts";
import type { TakenBack } from "./take-back.ts";

/** Larger configs are not kept in the record; their path is. */
const MAX_CONFIG_BYTES = 256 * 1024;

/** Its image waits when this returns; when it throws, the text says in which state things are. */
export async function runSave(
  ports: LifecyclePorts,
  plan: SavePlan,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  const { guest, uuid, domid, image, temporary } = plan;
  const data: SaveData = { uuid, domid, image, temporary };
  // Nobody gets them when the domain is gone and the last of its fingerprints not taken yet.
  const disks = await claimsFor(ports.guard, plan.disks);
  const start = { kind: "save", guest, step: "begin", data: { ...data, disks } };
  return withOperation(ports, start, async (enter, keep) => {
    const progress: Progress = { step: "begin", data };
    const follow: EnterStep = (step, more) => {
      enter(step, more);
      progress.step = step;
      progress.data = { ...progress.data, ...more };
    };
    let record: ImageRecord;
    try {
      record = await writeImage(ports, plan, follow, signal);
    } catch (error) {
      const save = { guest, ...progress, sameBoot: true, enter };
      keep();
      const back = await attempt(() => takeBackSave(ports, save));
      if (back.ok) keep(false);
      const state = back.ok ? back.value : new FailureError(back.failure);
      // Ctrl-C, and bugs, have words of their own.
      if (!(error instanceof FailureError)) ports.tell(stateText(plan, state));
      throw failedSave(error, plan, state);
    }
    keep();
    const ended = await attempt(() => endSave(ports, record, domid));
    if (ended.ok) {
      keep(false);
      return ended.value;
    }
    throw commandFailed([`domain ${domid}`], {
      what: `${guest} is saved in ${image}, but its domain ${domid} could not be ended: ${failureText(ended.failure)}`,
      why: "The image and the paused domain are the same guest twice.",
      next: "Run any domus command that changes something, such as this one: it ends the domain first.",
    });
  });
}

type Progress = { step: string; data: SaveData };

async function writeImage(
  ports: LifecyclePorts,
  plan: SavePlan,
  enter: EnterStep,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  const { host, records, files, nowMs, tell } = ports;
  const { guest, uuid, domid, image, temporary } = plan;
  const domain = { domid, uuid, name: guest };
  const { imageId } = records.transaction(() => {
    const row = records.addImage({
      ...{ guest, uuid, path: image, state: "saving", savedAtMs: nowMs(), disks: [] },
    });
    enter("write", { imageId: row.id });
    return { imageId: row.id };
  });
  if (plan.makesDirectory) await files.makeDirectory(directoryOf(image));
  signal?.throwIfAborted();
  await files.create(temporary);
  tell(`Saving ${guest} (domain ${domid}).`);
  const ran = await askDomain(host, domain, (id) => ["xl", "save", "-p", id, temporary]);
  // In which state the guest is then is said by who takes the save back.
  if (ran.exitCode !== 0)
    throw xlFailure(ran, domain, "/var/log/xen has the logs of its device model.");
  signal?.throwIfAborted();
  enter("check");
  const written = await checkedImage(ports, plan);
  enter("keep");
  await files.sync(temporary);
  await files.rename(temporary, image);
  signal?.throwIfAborted();
  enter("fingerprint");
  tell(`Taking fingerprints of ${guest}'s disks.`);
  const disks = await fingerprintSaved(host, disksOf(written), signal);
  await assertPaused(ports, plan);
  const config = await configOf(ports, plan);
  const version = written.image.stream?.xen;
  // By the clock of a server that is ahead the file would be a later one.
  const savedAtMs = Math.max(nowMs(), written.modifiedMs ?? 0);
  const record: Omit<ImageRecord, "id"> = {
    ...{ guest, uuid, path: image, state: "waiting", savedAtMs, disks },
    sizeBytes: written.sizeBytes,
    ...(version !== undefined && { xen: `${version.major}.${version.minor}` }),
    ...config,
  };
  records.transaction(() => {
    records.changeImage(imageId, record);
    records.addEvent({
      ...{ atMs: nowMs(), guest, uuid, domid, kind: "saved", by: "domus" },
      detail: { image },
    });
    enter("destroy");
  });
  return { ...record, id: imageId };
}

async function checkedImage(ports: LifecyclePorts, plan: SavePlan): Promise<ImageFile> {
  const { guest, uuid, temporary } = plan;
  await assertPaused(ports, plan);
  const file = await readImageFile(ports.host, temporary);
  const flaw = file ? imageFlaw(file.image) : "It is no save image.";
  const saved = file?.image.config?.guest;
  if (file?.image.end.kind === "complete" && saved?.uuid === uuid) return file;
  throw commandFailed([temporary], {
    what: `The image of ${guest} is not good, though xl save said nothing.`,
    why: flaw ?? `The config in it is of ${saved?.uuid ?? "nobody"}, not of ${uuid}.`,
    next: "Look at the filesystem that it is written to (dmesg, df), or name a file elsewhere with --to.",
  });
}

async function assertPaused({ host }: LifecyclePorts, { guest, uuid, domid }: SavePlan) {
  const row = await sameDomain(host, { domid, uuid, name: guest });
  if (row?.state === "paused") return;
  throw commandFailed([`domain ${domid}`], {
    what: `${guest} (domain ${domid}) is ${row?.state ?? "gone"} while it is being saved; it should be paused.`,
    why: "Somebody else let it go on or ended it: what is in the image does not fit its disks any more.",
    next: "Find out who did. Then save it again.",
  });
}

async function configOf({ host }: LifecyclePorts, { configPath }: SavePlan) {
  if (configPath === undefined) return {};
  const text = await attempt(async () =>
    decodeText(await host.readFile(configPath, MAX_CONFIG_BYTES)),
  );
  return { configPath, ...(text.ok && { configText: withoutPasswords(text.value) }) };
}

function failedSave(error: unknown, plan: SavePlan, back: TakenBack | FailureError): unknown {
  if (!(error instanceof FailureError)) return error;
  const { guest, domid, image } = plan;
  const state = stateText(plan, back);
  const told = explainFailure(error.failure);
  return commandFailed([`domain ${domid}`, image], {
    what: `${guest} was not saved: ${told.what}`,
    why: told.why,
    next: `${state} ${told.next}`,
  });
}

function stateText({ guest, domid }: SavePlan, back: TakenBack | FailureError): string {
  if (back instanceof FailureError)
    return `It is not in order yet (${failureText(back.failure)}): the next domus command that changes something tries again.`;
  // Before Xen 4.20 the xl that watches over a domain ends when the domain suspends itself.
  if (back.kind === "goes-on")
    return `${guest} goes on as domain ${domid}, and no image is left. Its xl may have ended with the save: domus show ${shellWord(guest)} says whether anybody restarts it when it ends.`;
  if (back.kind === "kept")
    return `${guest} has no domain any more. Its image is whole, but nothing proves that it fits the disks: it was set aside as ${back.path}.`;
  return `${guest} has no domain any more, and its image is not whole: start it from its disks.`;
}

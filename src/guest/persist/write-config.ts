/**
 * Writes a guest's config as a step of an operation, so that a cut leaves the old one or the new one, and the next command knows
 * which (docs/design/lifecycle.md, "persist").
 */
import { attempt, FailureError, isAbsent, misuse, refused } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { sha256 } from "../../bytes/sha256.ts";
import type { Host } from "../../host/host.ts";
import type { Operation } from "../../host/records.ts";
import type { DomainName } from "../lifecycle/domain-command.ts";
import type { EnterStep, KeepRow } from "../lifecycle/journal.ts";
import type { LifecyclePorts } from "../lifecycle/ports.ts";
import { fieldsOf } from "../lifecycle/save-data.ts";
import type { PersistPlan } from "./persist.ts";

/** The step that writes, and what is entered when the config is written and recorded. */
const WRITING = "config";
const WRITTEN = "written";

/** What the journal keeps of it: no text of the config, which can have passwords in it. */
type ConfigWrite = {
  readonly config: string;
  readonly copy: string;
  readonly temporary: string;
  /** SHA-256 of the old content and of the new one, in hexadecimal digits. */
  readonly before: string;
  readonly after: string;
};

type Writing = {
  readonly enter: EnterStep;
  readonly keep: KeepRow;
  readonly domain: DomainName;
};

/** The old content is in `copyPath` then. `refused` when the file is not what the plan was made for; nothing is left of it. */
export async function writeConfig(
  ports: LifecyclePorts,
  plan: PersistPlan,
  { enter, keep, domain }: Writing,
): Promise<void> {
  const { host } = ports;
  const { path, expected, copyPath, temporaryPath } = plan;
  if (!host.replaceFile) throw misuse(`Nothing is written on ${host.name}.`, "Run it on the host.");
  // From the next step on, what is there is taken for ours.
  if ((await host.kind(copyPath)) !== "missing")
    throw refused([copyPath], {
      what: `${copyPath} is there already.`,
      why: "It is where the old config would be kept, and somebody else's is not lost for it.",
      next: "Run the command again.",
    });
  const bytes = new TextEncoder().encode(plan.config.text);
  const write: ConfigWrite = {
    ...{ config: path, copy: copyPath, temporary: temporaryPath },
    ...{ before: digest(expected), after: digest(bytes) },
  };
  enter(WRITING, write);
  keep();
  const done = await attempt(() =>
    host.replaceFile!(path, { expected, bytes, copyPath, temporaryPath }),
  );
  if (done.ok) recordWritten(ports, write, { enter, domain });
  else await endWrite(ports, write, { enter, domain });
  keep(false);
  if (!done.ok) throw new FailureError(done.failure);
}

/** What became of a config that was being written when its command was cut off: sentences. Undefined when none was. */
export async function endConfigWrite(
  ports: LifecyclePorts,
  operation: Operation,
): Promise<string | undefined> {
  const { id, guest, step, data } = operation;
  if (step !== WRITING && step !== WRITTEN) return undefined;
  const fields = fieldsOf(operation);
  const write: ConfigWrite = {
    ...{ config: fields.text("config"), copy: fields.text("copy") },
    ...{ temporary: fields.text("temporary") },
    ...{ before: fields.text("before"), after: fields.text("after") },
  };
  if (step === WRITTEN) return writtenText(write);
  const domain = { domid: fields.number("domid"), uuid: fields.text("uuid"), name: guest };
  const enter: EnterStep = (to, more) => ports.records.enterStep(id, to, { ...data, ...more });
  return endWrite(ports, write, { enter, domain });
}

type Ending = Pick<Writing, "enter" | "domain">;

/** May be called again. */
async function endWrite(
  ports: LifecyclePorts,
  write: ConfigWrite,
  ending: Ending,
): Promise<string> {
  const { host, files } = ports;
  const { config, copy, temporary, before, after } = write;
  await files.remove(temporary);
  const now = await digestOf(host, config);
  if (now === after) {
    // The command may have been cut off between the new name and its flush.
    await files.sync(directoryOf(config));
    recordWritten(ports, write, ending);
    return writtenText(write);
  }
  if (now === before) {
    // Whole or not, nothing is lost with it.
    await files.remove(copy);
    return `The config ${config} is as it was before.`;
  }
  const is = now === undefined ? "is not there any more" : "was changed by somebody else since";
  const kept = await digestOf(host, copy);
  const old =
    kept === before
      ? ` What it was before is ${copy}.`
      : kept === undefined
        ? ""
        : ` ${copy} is part of what it was before.`;
  return `The config ${config} ${is}, and is left as it is.${old}`;
}

function recordWritten(
  { records, nowMs }: LifecyclePorts,
  { config, copy }: ConfigWrite,
  { enter, domain: { domid, uuid, name: guest } }: Ending,
): void {
  records.transaction(() => {
    records.addEvent({
      ...{ atMs: nowMs(), guest, uuid, domid, kind: "config-changed", by: "domus" },
      detail: { config, copy },
    });
    enter(WRITTEN);
  });
}

function writtenText({ config, copy }: ConfigWrite): string {
  return `The config ${config} is written; what it was before is ${copy}.`;
}

/** Undefined when there is no such file. */
async function digestOf(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(() => host.readFile(path, MIB));
  if (read.ok) return digest(read.value);
  if (isAbsent(read.failure)) return undefined;
  // Larger than any config that domus writes.
  if (read.failure.kind === "limit") return "";
  throw new FailureError(read.failure);
}

function digest(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString("hex");
}

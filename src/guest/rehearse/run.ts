/** Runs a rehearsal: makes the copy, starts it, watches it, takes it away (docs/design/rehearse.md). */
import { attempt, commandFailed } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Ran } from "../../host/host.ts";
import type { BootOutcome } from "../console/watch-boot.ts";
import { claimsFor } from "../guard/disk-claims.ts";
import { assertFree } from "../guard/disk-guard.ts";
import { xlSaid } from "../../xen/xl-messages.ts";
import type { DomainName } from "../lifecycle/domain-command.ts";
import { listDomains } from "../lifecycle/domains.ts";
import { withOperation } from "../lifecycle/journal.ts";
import { cleanRehearsal, CONFIG_NAME, configOf, LEFT_STEP } from "./clean.ts";
import type { CleanPorts } from "./clean.ts";
import type { CopyDisk, RehearsalPlan } from "./plan.ts";
import { findVolumes } from "./volumes.ts";

export type RehearsalPorts = CleanPorts & {
  readonly watch: (domain: DomainName, signal: AbortSignal) => Promise<BootOutcome>;
};

export type Rehearsed = Pick<BootOutcome, "outcome" | "reason" | "evidence"> & {
  /** What of the copy could not be taken away; empty: nothing is left. */
  readonly left: readonly string[];
};

/**
 * `refused` when a disk must not be read now, `failed` when the copy cannot be made or started for a reason that is not the
 * guest's. Whatever happens, also when `signal` is aborted, the copy is taken away; what cannot be is in `left` or, after a
 * failure, told.
 */
export async function rehearse(
  ports: RehearsalPorts,
  plan: RehearsalPlan,
  signal: AbortSignal,
): Promise<Rehearsed> {
  const { guest, id, name, uuid } = plan;
  // Under an overlay the original must stand still; a snapshot does by itself.
  const under = plan.disks.filter(({ kind, argv }) => kind === "overlay" && argv !== undefined);
  const uses = under.flatMap(({ path }) => (path === undefined ? [] : [{ path, writes: false }]));
  const data = { id, name, copyUuid: uuid, disks: await claimsFor(ports.guard, uses) };
  const operation = { kind: "rehearse", guest, step: "begin", data };
  const { worked, left } = await withOperation(ports, operation, async (enter, keep) => {
    const tried = await attemptAll(async () => {
      enter("disks");
      await makeCopy(ports, plan, signal);
      enter("create");
      const refusal = await startCopy(ports, plan);
      if (refusal) return refusal;
      enter("watch");
      return await watchCopy(ports, plan, signal);
    });
    enter("clean");
    const cleaned = await cleanRehearsal(ports, { id, uuid });
    if (cleaned.left.length > 0) {
      enter(LEFT_STEP);
      keep();
    }
    return { worked: tried, left: cleaned.left };
  });
  if (worked.ok) return { ...worked.value, left };
  for (const one of left) ports.tell(one);
  throw worked.error;
}

/** Also for bugs and Ctrl-C: the copy has to go first. */
async function attemptAll<T>(
  work: () => Promise<T>,
): Promise<
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }
> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error };
  }
}

async function makeCopy(ports: RehearsalPorts, plan: RehearsalPlan, signal: AbortSignal) {
  const { id, configText, disks, guest } = plan;
  await ports.workspace.make(id, CONFIG_NAME, configText);
  for (const disk of disks) {
    signal.throwIfAborted();
    await makeDisk(ports, disk, guest);
  }
  signal.throwIfAborted();
}

async function makeDisk(
  { host, guard }: RehearsalPorts,
  disk: CopyDisk,
  guest: string,
): Promise<void> {
  const { argv, kind, path, vdev } = disk;
  if (!argv || path === undefined) return;
  // A snapshot stands still whoever writes to its origin; an overlay does not.
  const use = { writes: false, owner: { name: guest } };
  if (kind === "overlay") await assertFree(guard, path, use);
  else await assertFree({ ...guard, findUsers: async () => [] }, path, use);
  const ran = await host.run(argv, { survives: true });
  if (ran.exitCode === 0) return;
  throw commandFailed([vdev], {
    what: `No copy could be made of the disk ${vdev} (${path}).`,
    why: `${argv[0]} says: ${xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}`}`,
    next:
      kind === "overlay"
        ? "Overlays need room in domus's state directory (/var/lib/domus), and qemu-img."
        : "lvs and vgs show the volume and the room in its group.",
  });
}

type Outcome = Omit<Rehearsed, "left">;

/** Undefined when it runs; an outcome where it was refused for what the guest is. */
async function startCopy(ports: RehearsalPorts, plan: RehearsalPlan): Promise<Outcome | undefined> {
  const ran = await ports.host.run(["xl", "create", configOf(ports, plan.id)], { survives: true });
  if (ran.exitCode === 0) return undefined;
  const outcome = await guestsFault(ports, ran);
  if (outcome) return outcome;
  throw commandFailed(["xl create"], {
    what: `The copy of ${plan.guest} could not be started.`,
    why: `xl says: ${xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}`}`,
    next: "This says nothing about the guest itself. /var/log/xen has the logs of the device model and of the scripts for disks.",
  });
}

const MAX_LOG_BYTES = 1 << 20;
const EVIDENCE_LINES = 20;

/** What the guest's own files have brought about (xen: libxl_bootloader.c, libxl_dom.c, xg_dom_*.c). */
async function guestsFault({ host }: RehearsalPorts, ran: Ran): Promise<Outcome | undefined> {
  const log = /bootloader failed - consult logfile (\/\S+)/.exec(ran.stderr)?.[1];
  if (log !== undefined) {
    const read = await attempt(() => host.readFile(log, MAX_LOG_BYTES));
    const lines = read.ok ? lastLines(decodeText(read.value)) : [];
    const said = lines[0] === undefined ? "" : `: ${lines.join(" ").slice(0, 400)}`;
    return { outcome: "failed", reason: `its bootloader did not start it${said}`, evidence: lines };
  }
  const builder = ran.stderr
    .split("\n")
    .filter((line) => /xc_dom_|libxl__build_dom|libxl__xc_dom_|domain_build/.test(line));
  if (builder.length === 0) return undefined;
  return {
    outcome: "failed",
    reason: printable(`Xen does not start its kernel: ${xlSaid(builder.join("\n"))}`),
    evidence: builder.slice(-EVIDENCE_LINES).map(printable),
  };
}

function lastLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(-EVIDENCE_LINES)
    .map((line) => printable(line.slice(0, 400)));
}

async function watchCopy(
  ports: RehearsalPorts,
  { id, name, uuid }: RehearsalPlan,
  signal: AbortSignal,
): Promise<Outcome> {
  const row = (await listDomains(ports.host)).find((one) => one.uuid === uuid);
  if (!row)
    return {
      outcome: "failed",
      reason: "its domain ended as soon as it was started",
      evidence: [],
    };
  const { outcome, reason, evidence } = await ports.watch({ domid: row.domid, uuid, name }, signal);
  if (outcome === "up") return { outcome, reason, evidence };
  const full = (await findVolumes(ports.host, `domus-rehearse-${id}-`)).filter(
    ({ isInvalid }) => isInvalid,
  );
  if (full.length === 0) return { outcome, reason, evidence };
  return {
    outcome: "unknown",
    reason: `the copy wrote more than its snapshot holds, and its disk failed: that says nothing about the guest (${reason})`,
    evidence,
  };
}

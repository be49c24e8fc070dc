/** One run over the disk, in whatever process: what is to be said and handed over, as plain data. */
import { FailureError, failureText } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import { runningXen, withBuilderLibraries } from "../guest/config/host-xen.ts";
import type { Remark } from "../guest/bootloader/plan-handover.ts";
import {
  explainNothing,
  listBoot,
  NothingToStart,
  prepareBoot,
} from "../guest/bootloader/prepare-boot.ts";
import type {
  BootOut,
  BootRequest,
  BootServices,
  PreparedBoot,
} from "../guest/bootloader/prepare-boot.ts";
import type { BootMenu } from "../guest/bootloader/read-menu.ts";
import type { Host } from "../host/host.ts";
import type { HostFacts } from "../xen/host-facts.ts";
import type { ChildReply, ChildRequest } from "./unprivileged.ts";

export type BootRun = {
  readonly request: BootRequest;
  readonly mode: ChildRequest["mode"];
  readonly host: Host;
  readonly out?: BootOut;
  readonly choose?: BootServices["choose"];
  readonly signal: AbortSignal;
};

/** Never fails for what is on the disk: that is in the reply. */
export async function bootOnce(run: BootRun): Promise<ChildReply> {
  const { request, mode, host, choose, signal } = run;
  const services: BootServices = {
    host,
    xen: onlyOnce(() => xenOf(host)),
    signal,
    ...(choose && { choose }),
  };
  try {
    if (mode === "list") return listed(await listBoot(request, services));
    return prepared(await prepareBoot(request, services, run.out));
  } catch (error) {
    if (error instanceof NothingToStart) {
      return { ok: false, lines: explainNothing(request.disk, error.looks) };
    }
    if (error instanceof FailureError) return { ok: false, lines: [failureText(error.failure)] };
    throw error;
  }
}

/** Which Xen this is matters only for kernels that not every one unpacks: it is asked late, and once. */
async function xenOf(host: Host): Promise<HostFacts | undefined> {
  const facts = await runningXen(host);
  return facts && withBuilderLibraries(host, facts);
}

function onlyOnce<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}

function prepared(boot: PreparedBoot): ChildReply {
  const { title, loader, because, kernelPath, ramdiskPaths, args, remarks } = boot;
  const files = [kernelPath, ...ramdiskPaths].join(", ");
  return {
    ok: true,
    lines: [`starts "${title}" (${loader}: ${because}): ${files}`, ...remarks.flatMap(remarkLines)],
    args,
    hasRamdisk: ramdiskPaths.length > 0,
    kernelPath,
    ramdiskPaths,
    listing: "",
  };
}

function remarkLines({ what, next }: Remark): string[] {
  return next === undefined ? [what] : [what, `  ${next}`];
}

/** pygrub's form of a listing (`-l`). */
function listed({ entries }: BootMenu): ChildReply {
  const listing = entries
    .map(({ title, kernel, ramdisks, args }) => {
      const { partition, tableType } = kernel?.volume ?? {};
      const map = tableType === "gpt" ? "gpt" : "msdos";
      const root = kernel ? (partition ? `(hd0,${map}${partition.number})` : "(hd0)") : "None";
      const initrd = ramdisks.map(({ path }) => path).join(" ");
      return [
        `title: ${printable(title)}`,
        `  root: ${root}`,
        `  kernel: ${printable(kernel?.path ?? "None")}`,
        `  args: ${printable(args)}`,
        `  initrd: ${initrd === "" ? "None" : printable(initrd)}`,
        "",
      ].join("\n");
    })
    .join("");
  return {
    ok: true,
    lines: [],
    args: "",
    hasRamdisk: false,
    kernelPath: "",
    ramdiskPaths: [],
    listing,
  };
}

/** The bytes of what is handed over, by plan. Nothing but a piece at a time is held, save what has to be unpacked. */
import { attempt, failureText, FailureError } from "../../base/failure.ts";
import { GIB } from "../../base/units.ts";
import { emptyArchive } from "../../boot/initramfs/empty-archive.ts";
import { MemberWatch } from "../../boot/initramfs/member-watch.ts";
import { padding, repackInitramfs } from "../../boot/initramfs/repack.ts";
import { openImage } from "../../boot/kernel/open-image.ts";
import { unpack } from "../../bytes/decompress/decompress.ts";
import type { GuestFile } from "./guest-file.ts";
import type { KernelPlan, Remark } from "./plan-handover.ts";
import type { RamdiskPlan } from "./plan-ramdisk.ts";

/** Where a file of the handover goes. */
export type Out = {
  /** `chunk` stays as it is until the promise is settled. */
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets what was written. */
  restart(): Promise<void>;
};

/** What an initramfs may unpack to when it is packed anew, in bytes: more than guests of ordinary size can hold. */
const MAX_UNPACKED_BYTES = GIB;

/** A kernel that cannot be unpacked is handed over as it is, and the remark says why. */
export async function writeKernel(
  { file, as }: KernelPlan,
  out: Out,
  signal?: AbortSignal,
): Promise<Remark[]> {
  if (as === "elf") {
    const { elf } = await openImage(await file.whole(), {
      where: file.where,
      ...(signal && { signal }),
    });
    if ("bytes" in elf) {
      await out.write(elf.bytes);
      return [];
    }
    await copy([file], out);
    return [{ what: `It cannot be unpacked here either: ${failureText(elf.failure)}` }];
  }
  await copy([file], out);
  return [];
}

/** An initramfs that turns out to be damaged is handed over as it is, and the remark says so. */
export async function writeRamdisk(
  plan: RamdiskPlan,
  out: Out,
  signal?: AbortSignal,
): Promise<Remark[]> {
  const { files, as } = plan;
  if (as !== "it is") {
    const done = await attempt(() => repack({ ...plan, as }, out, signal));
    if (done.ok) return [];
    if (done.failure.kind === "io") throw new FailureError(done.failure);
    await out.restart();
    await copy(files, out);
    return [{ what: `It cannot be repacked: ${failureText(done.failure)}` }];
  }
  if (plan.lead) await out.write(emptyArchive());
  const watch = plan.watchMembers ? new MemberWatch() : undefined;
  await copy(files, out, watch);
  const [file] = files;
  if (!watch?.found || !file || !(await hasSecondImage(file, signal))) return [];
  await out.restart();
  await out.write(emptyArchive());
  await copy(files, out);
  return [
    {
      what: `The initramfs ${file.path} has several parts packed with gzip. An empty archive goes in front of it, because this Xen would unpack the first part and drop the rest.`,
    },
  ];
}

async function copy(files: readonly GuestFile[], out: Out, watch?: MemberWatch): Promise<void> {
  let position = 0;
  for (const file of files) {
    const gap = padding(position);
    if (gap.length > 0) await out.write(gap);
    for await (const chunk of file.chunks()) {
      // The system writes while the chunk is looked through here and the next one is read.
      const writing = out.write(chunk);
      watch?.push(chunk);
      await writing;
    }
    position += gap.length + file.sizeBytes;
  }
}

async function repack(
  { files, as, lead }: RamdiskPlan & { readonly as: "gzip" | "plain" },
  out: Out,
  signal: AbortSignal | undefined,
): Promise<void> {
  let position = 0;
  const write = async (chunk: Uint8Array) => {
    position += chunk.length;
    await out.write(chunk);
  };
  if (lead) await write(emptyArchive());
  for (const file of files) {
    const gap = padding(position);
    if (gap.length > 0) await write(gap);
    const chunks = repackInitramfs(await file.whole(), {
      as,
      where: file.where,
      limitBytes: MAX_UNPACKED_BYTES,
      ...(signal && { signal }),
    });
    for await (const chunk of chunks) await write(chunk);
  }
}

/** Whether anything but zeroes follows the gzip member that the file begins with. */
async function hasSecondImage(file: GuestFile, signal?: AbortSignal): Promise<boolean> {
  const bytes = await file.whole();
  const found = await attempt(async () => {
    const stream = unpack("gzip", bytes, {
      limit: MAX_UNPACKED_BYTES,
      where: file.where,
      ...(signal && { signal }),
    });
    for (;;) {
      const step = await stream.next();
      if (step.done) return bytes.subarray(step.value).some((byte) => byte !== 0);
    }
  });
  return found.ok && found.value;
}

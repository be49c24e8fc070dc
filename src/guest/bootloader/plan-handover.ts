/**
 * What Xen gets of a boot entry: each file as it is, or converted where the boot would fail for certain. The guest's disk
 * stays as it is. docs/design/domus-pygrub.md has the table.
 */
import type { BootFile } from "../../boot/loader/loader.ts";
import { detectBzImage } from "../../boot/kernel/bzimage.ts";
import type { BzImage } from "../../boot/kernel/bzimage.ts";
import { isElf } from "../../boot/kernel/elf.ts";
import type { Packing } from "../../boot/kernel/kernel-facts.ts";
import { sniffCompression } from "../../bytes/decompress/format.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import { xenRelease } from "../../xen/host-facts.ts";
import { kernelRefusals } from "../../xen/kernel-rules.ts";
import type { GuestFile } from "./guest-file.ts";
import { openGuestFile } from "./guest-file.ts";
import { planRamdisk } from "./plan-ramdisk.ts";
import type { RamdiskPlan } from "./plan-ramdisk.ts";
import type { MenuEntry } from "./read-menu.ts";

/** `auto`: where the boot is certain to fail otherwise. `always`: also where it may. */
export type RepairWish = "auto" | "always" | "never";

export type HandoverContext = {
  readonly repair: RepairWish;
  /** What runs here; undefined where nobody knows. Asked at most once, and only when it matters. */
  readonly xen: () => Promise<HostFacts | undefined>;
  readonly signal?: AbortSignal;
};

export type KernelPlan = {
  readonly file: GuestFile;
  /** `elf`: what is packed in it. */
  readonly as: "it is" | "elf";
};

/** For the console: what is done, and what helps for good. */
export type Remark = { readonly what: string; readonly next?: string };

export type Handover = {
  readonly kernel: KernelPlan;
  readonly ramdisk?: RamdiskPlan;
  readonly args: string;
  readonly remarks: readonly Remark[];
};

/** Fails when a file of the entry cannot be had. Doubts about what is in it are no failures. */
export async function planHandover(
  entry: MenuEntry & { readonly kernel: BootFile },
  context: HandoverContext,
): Promise<Handover> {
  const { signal } = context;
  const kernelFile = await openGuestFile(entry.kernel, signal);
  const files: GuestFile[] = [];
  for (const file of entry.ramdisks) files.push(await openGuestFile(file, signal));
  const base = { args: entry.args };
  if (context.repair === "never") {
    const kernel = { file: kernelFile, as: "it is" } as const;
    if (files.length === 0) return { ...base, kernel, remarks: [] };
    const ramdisk: RamdiskPlan = { files, as: "it is", lead: false, watchMembers: false };
    return { ...base, kernel, ramdisk, remarks: [] };
  }
  const head = await kernelHead(kernelFile);
  const kernel = await planKernel(kernelFile, head, context);
  if (files.length === 0) return { ...base, kernel: kernel.plan, remarks: kernel.remarks };
  const ramdisk = await planRamdisk(files, { entry, kernel: kernelFile, head }, context);
  return {
    ...base,
    kernel: kernel.plan,
    ramdisk: ramdisk.plan,
    remarks: [...kernel.remarks, ...ramdisk.remarks],
  };
}

/** What the first bytes of a kernel file say. */
export type KernelHead = {
  readonly bzImage?: BzImage;
  /** Of a bzImage's payload; undefined for other files. */
  readonly packing?: Packing;
};

const HEAD_BYTES = 64 * 1024;

async function kernelHead(file: GuestFile): Promise<KernelHead> {
  const bzImage = detectBzImage(await file.readAt(0, HEAD_BYTES));
  if (!bzImage) return {};
  const { payloadOffset, payloadLength } = bzImage;
  // A header that lies is for Xen to refuse.
  if (payloadOffset + payloadLength > file.sizeBytes) return { bzImage };
  const payload = await file.readAt(payloadOffset, 16);
  const packing = isElf(payload) ? "none" : (sniffCompression(payload) ?? "unknown");
  return { bzImage, packing };
}

async function planKernel(
  file: GuestFile,
  { bzImage, packing }: KernelHead,
  { repair, xen }: HandoverContext,
): Promise<{ plan: KernelPlan; remarks: Remark[] }> {
  const asItIs = { plan: { file, as: "it is" } as const, remarks: [] };
  // gzip every builder unpacks, and a payload that is none of the known formats domus does not either.
  if (!bzImage || packing === undefined || packing === "gzip") return asItIs;
  if (packing === "none" || packing === "unknown") return asItIs;
  const host = await xen();
  if (!host) return asItIs;
  const version = bzImage.release?.split(" ")[0];
  const kernel = {
    sizeBytes: file.sizeBytes,
    format: "bzimage",
    bootProtocol: bzImage.bootProtocol,
    packing,
    pv: true,
    pvh: true,
    ...(version !== undefined && { version }),
  } as const;
  const refusal = kernelRefusals(kernel, "pv", host).find(({ reason }) => reason === "packing");
  if (!refusal || (!refusal.sure && repair !== "always")) return asItIs;
  const cannot = refusal.sure ? "cannot unpack" : "may not unpack";
  return {
    plan: { file, as: "elf" },
    remarks: [
      {
        what: `Xen ${xenRelease(host.version)} ${cannot} the kernel ${file.path}, which is packed with ${packing}. Xen gets it unpacked.`,
        next: "For good: a newer Xen in dom0, or a kernel for the guest that is packed with gzip or xz.",
      },
    ],
  };
}

import { MIB, sizeText } from "../../base/units.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { isInflatedByXen, isInitramfsComplete, mainSegments, xenText } from "../guest-boot.ts";
import type { Rule, RuleFinding } from "../rule.ts";
import { encodeText } from "../../bytes/text.ts";
import { PAGE_BYTES, predictBuilderMemory } from "../../xen/builder-memory.ts";
import type { BuilderMemoryQuestion, RamdiskSize } from "../../xen/builder-memory.ts";

const code = "memory-too-small";

export const memoryTooSmall: Rule = {
  code,
  severity: "error",
  summary: "The guest has too little memory for its kernel and its initramfs.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot) return [];
    // A guest that is not even built does not get to unpacking.
    const built = inTheBuilder(facts, boot);
    return built.length > 0 ? built : inTheGuest(facts, boot);
  },
};

/** What Xen's domain builder lays out before the guest's first instruction: exact. */
function inTheBuilder(facts: GuestFacts, boot: PlannedBoot): RuleFinding[] {
  const question = builderQuestion(facts, boot);
  if (!question) return [];
  const { fits, neededMib, message = "", parts } = predictBuilderMemory(question);
  if (fits) return [];
  const inflated = mainSegments(boot).some((placed) => isInflatedByXen(facts, placed));
  const largest = parts.toSorted((a, b) => b.pages - a.pages).slice(0, 3);
  const text = largest
    .map(({ name, pages }) => `${name} ${sizeText(pages * PAGE_BYTES)}`)
    .join(", ");
  const module = inflated
    ? ` ${xenText(facts.host)} inflates a gzip initramfs before the guest starts, so it counts with its unpacked size; one packed with zstd or xz counts with its packed size, if the kernel knows that.`
    : "";
  return [
    {
      code,
      severity: "error",
      where: [...facts.config.where, "memory"],
      what:
        neededMib === undefined
          ? "No amount of memory is enough for this kernel and initramfs."
          : `The guest has ${question.memoryMib} MiB; Xen cannot build it with less than ${neededMib} MiB.`,
      why: `xl create stops with "${message}". The largest parts: ${text}.${module}`,
      next:
        neededMib === undefined
          ? "Make the initramfs smaller: it may have 1 GiB at most."
          : `Set memory=${enough(Math.max(neededMib * MIB, guestNeed(facts, boot).need))} in the config: with ${neededMib} Xen can build it, but the guest needs room to run. Or make the initramfs smaller (MODULES=dep, hostonly, the autodetect hook).`,
    },
  ];
}

/** `undefined` when something that counts is not known. */
function builderQuestion(facts: GuestFacts, boot: PlannedBoot): BuilderMemoryQuestion | undefined {
  const { kernel } = boot;
  const { config, host } = facts;
  const type = config.type;
  if (!kernel || kernel.bits === undefined || kernel.segments.length === 0) return undefined;
  // The shim has the guest's kernel as a module, and its own memory beside it.
  if (type === "hvm" || config.pvshim || boot.chain) return undefined;
  if (type === "pv" ? !kernel.pv : !kernel.pvh) return undefined;
  if (boot.files.some((file) => file.state !== "read")) return undefined;
  const { xen } = kernel;
  return {
    type,
    bits: kernel.bits,
    kernelStart: kernel.segments.map(({ paddr }) => paddr).reduce((a, b) => (b < a ? b : a)),
    kernelEnd: kernel.segments
      .map(({ paddr, memsz }) => paddr + BigInt(memsz))
      .reduce((a, b) => (b > a ? b : a)),
    virtBase: xen?.virtBase,
    paddrOffset: xen?.paddrOffset,
    initP2m: xen?.initP2m,
    modStartPfn: xen?.modStartPfn,
    ramdisk: ramdiskSize(boot),
    inflates: host.inflatesRamdisk,
    // libxl lays out a PVH guest in all that it may ever have; what is beyond memory= it fills on demand.
    memoryMib: type === "pvh" ? config.maxmem : config.memory,
    cmdlineBytes: encodeText(boot.args).length,
  };
}

function ramdiskSize({ initramfs }: PlannedBoot): RamdiskSize | undefined {
  const [image] = initramfs;
  if (!image) return undefined;
  const fileBytes = image.sizeBytes;
  const last = image.segments.at(-1);
  if (image.segments[0]?.compression !== "gzip" || last?.compression !== "gzip")
    return { fileBytes };
  // The builder believes the last four bytes of the file; behind a gzip stream with NULs after it they are 0.
  const ends = last.offset + last.compressedBytes === fileBytes && last.failure === undefined;
  return { fileBytes, gzipSizeBytes: ends ? last.cpioBytes : 0 };
}

type GuestNeed = {
  readonly kernelBytes: number;
  /** What lies in memory as the initramfs when the kernel starts. */
  readonly imageBytes: number;
  readonly unpackedBytes: number;
  /** All of it at once. */
  readonly need: number;
};

function guestNeed(facts: GuestFacts, boot: PlannedBoot): GuestNeed {
  const kernelBytes = (boot.kernel?.segments ?? []).reduce((sum, { memsz }) => sum + memsz, 0);
  const unpackedBytes = boot.initramfs.reduce((sum, image) => sum + image.unpackedBytes, 0);
  const packed = boot.initramfs.reduce((sum, image) => sum + image.sizeBytes, 0);
  const inflated = mainSegments(boot).find((placed) => isInflatedByXen(facts, placed));
  const imageBytes = Math.max(packed, inflated?.segment.cpioBytes ?? 0);
  const need = kernelBytes + imageBytes + unpackedBytes;
  return { kernelBytes, imageBytes, unpackedBytes, need };
}

/** The kernel, the image and what it unpacks to have to fit side by side until the image is freed. */
function inTheGuest(facts: GuestFacts, boot: PlannedBoot): RuleFinding[] {
  if (!boot.kernel || boot.initramfs.length === 0 || !isInitramfsComplete(boot)) return [];
  const memory = facts.config.memory * MIB;
  const { kernelBytes, imageBytes, unpackedBytes, need } = guestNeed(facts, boot);
  const parts = `kernel ${sizeText(kernelBytes)}, initramfs ${sizeText(imageBytes)}, unpacked ${sizeText(unpackedBytes)}`;
  const base = { code, where: [...facts.config.where, "memory"] };
  const next = `Set memory=${enough(need)} or more in the config; it can be given back later with xl mem-set. Or make the initramfs smaller (MODULES=dep, hostonly, the autodetect hook).`;
  if (kernelBytes + unpackedBytes > memory) {
    return [
      {
        ...base,
        severity: "error",
        what: `The guest has ${facts.config.memory} MiB, and its unpacked initramfs does not fit into that.`,
        why: `Needed at once: ${parts}. The kernel ends with "Out of memory and no killable processes" and "System is deadlocked on memory".`,
        next,
      },
    ];
  }
  if (need > memory) {
    return [
      {
        ...base,
        severity: "warning",
        what: `The guest's ${facts.config.memory} MiB are barely enough to unpack its initramfs, or not enough.`,
        why: `Needed at once: ${parts}, and the kernel's own tables.`,
        next,
      },
    ];
  }
  // init/do_mounts.c: without root= the files go to a tmpfs, which takes half of the memory at most.
  if (!boot.root && unpackedBytes > memory / 2) {
    return [
      {
        ...base,
        severity: "warning",
        what: `The unpacked initramfs (${sizeText(unpackedBytes)}) needs more than half of the guest's ${facts.config.memory} MiB.`,
        why: 'Without root= it is unpacked into a tmpfs, which takes half of the memory at most: "Initramfs unpacking failed: write error".',
        next: `Set memory=${enough(2 * unpackedBytes + kernelBytes)} or more in the config, or give root=.`,
      },
    ];
  }
  return [];
}

/** In MiB, with room for the kernel's own tables, in steps that people use. */
function enough(bytes: number): number {
  return Math.ceil((bytes / MIB + 32) / 32) * 32;
}

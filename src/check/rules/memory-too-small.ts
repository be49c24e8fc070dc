import { MIB, sizeText } from "../../base/units.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { isInflatedByXen, isInitramfsComplete, mainSegments } from "../guest-boot.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "memory-too-small";

export const memoryTooSmall: Rule = {
  code,
  severity: "error",
  summary: "The guest has too little memory for its kernel and its initramfs.",
  check: (facts) => (facts.boot ? inTheGuest(facts, facts.boot) : []),
};

/** The kernel, the image and what it unpacks to have to fit side by side until the image is freed. */
function inTheGuest(facts: GuestFacts, boot: PlannedBoot): RuleFinding[] {
  const { kernel } = boot;
  if (!kernel || boot.initramfs.length === 0 || !isInitramfsComplete(boot)) return [];
  const memory = facts.config.memory * MIB;
  const kernelBytes = kernel.segments.reduce((sum, segment) => sum + segment.memsz, 0);
  const unpacked = boot.initramfs.reduce((sum, image) => sum + image.unpackedBytes, 0);
  const packed = boot.initramfs.reduce((sum, image) => sum + image.sizeBytes, 0);
  const inflated = mainSegments(boot).find((placed) => isInflatedByXen(facts, placed));
  const asHandedOver = inflated ? Math.max(packed, inflated.segment.cpioBytes) : packed;
  const least = kernelBytes + unpacked;
  const need = least + asHandedOver;
  const parts = `kernel ${sizeText(kernelBytes)}, initramfs ${sizeText(asHandedOver)}, unpacked ${sizeText(unpacked)}`;
  const base = { code, where: [...facts.config.where, "memory"] };
  const next = `Set memory=${roundUp(need)} or more in the config; it can be given back later with xl mem-set. Or make the initramfs smaller (MODULES=dep, hostonly, the autodetect hook).`;
  if (least > memory) {
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
  if (!boot.root && unpacked > memory / 2) {
    return [
      {
        ...base,
        severity: "warning",
        what: `The unpacked initramfs (${sizeText(unpacked)}) needs more than half of the guest's ${facts.config.memory} MiB.`,
        why: 'Without root= it is unpacked into a tmpfs, which takes half of the memory at most: "Initramfs unpacking failed: write error".',
        next: `Set memory=${roundUp(2 * unpacked + kernelBytes)} or more in the config, or give root=.`,
      },
    ];
  }
  return [];
}

/** MiB, in steps that people use. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / MIB / 32) * 32;
}

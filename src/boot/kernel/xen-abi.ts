/**
 * Whether Xen's domain builder takes an ELF as a PV or as a PVH kernel, by the rules of
 * xen: xen/common/libelf/libelf-dominfo.c and tools/libs/guest/xg_dom_elfloader.c. For PV they are those since 4.16,
 * which refuse nothing more than earlier ones did of any Linux. For PVH they changed twice: see `pvhSince`. What the
 * host allows (xen_caps) is not asked here.
 */
import { hex } from "../../base/units.ts";
import { EM_386, EM_X86_64, loadRange, type Elf } from "./elf.ts";
import type { KernelFacts, XenNotes, XenRefusal } from "./kernel-facts.ts";

/** elf_xen_feature_names of libelf: a kernel that requires another one is refused. */
const KNOWN_FEATURES: ReadonlySet<string> = new Set([
  "writable_page_tables",
  "writable_descriptor_tables",
  "auto_translated_physmap",
  "supervisor_mode_kernel",
  "pae_pgdir_above_4gb",
  "hvm_callback_vector",
  "dom0",
]);

/** `undefined`: the builder takes it as a PV kernel. */
export function pvRefusal(elf: Elf, notes: XenNotes | undefined): XenRefusal | undefined {
  if (!notes)
    return refusal(
      "no-notes",
      "it has no Xen ELF notes: it was built without Xen PV guest support",
    );
  if (elf.machine !== EM_386 && elf.machine !== EM_X86_64) {
    return refusal("machine", `it is for ELF machine ${elf.machine}, not for x86`);
  }
  return featureRefusal(notes) ?? loaderRefusal(notes) ?? addressRefusal(elf, notes);
}

/** `undefined`: the builder takes it as a PVH kernel. */
export function pvhRefusal(elf: Elf, notes: XenNotes | undefined): XenRefusal | undefined {
  if (!notes || notes.legacySection) {
    return refusal("no-notes", "it has no Xen ELF notes: it was built without PVH guest support");
  }
  if (notes.phys32Entry === undefined) {
    return refusal(
      "no-phys32-entry",
      "it has no PHYS32_ENTRY note: it was built without PVH guest support",
    );
  }
  const features = featureRefusal(notes);
  if (features) return features;
  // With paging off the image is where its physical addresses say, so the entry is compared with those.
  const range = loadRange(elf);
  const entry = BigInt(notes.phys32Entry);
  if (range && entry >= range.start && entry <= range.end) return undefined;
  return refusal(
    "entry",
    `its PHYS32_ENTRY ${hex(entry)} lies outside the image${rangeText(range)}`,
  );
}

/**
 * The first Xen that takes a PVH kernel, where that is later than PVH itself (4.10), and why those before it refuse.
 *
 * Up to 4.15 the builder compared the addresses of a PVH kernel as if it were PV, so it refused those with a VIRT_BASE
 * but no ENTRY note: Linux of 32 bits since 5.9 (Debian's 5.10 686-pae), 64-bit ones built without CONFIG_XEN_PV. In
 * 4.16 and 4.17 a PADDR_OFFSET without a VIRT_BASE was still an error (xen: commits 632cbaf124 and b77ed96fce).
 */
export function pvhSince(elf: Elf, notes: XenNotes): KernelFacts["pvhSince"] {
  const asPv = addressRefusal(elf, notes);
  if (!asPv) return undefined;
  return { xen: hasStrayPaddrOffset(notes) ? "4.18" : "4.16", refusal: asPv };
}

function hasStrayPaddrOffset({ paddrOffset, virtBase }: XenNotes): boolean {
  return paddrOffset !== undefined && virtBase === undefined;
}

function featureRefusal(notes: XenNotes): XenRefusal | undefined {
  for (const item of notes.features?.split("|") ?? []) {
    if (!item.startsWith("!")) continue;
    const name = item.slice(1);
    if (name === "dom0")
      return refusal("feature", "its FEATURES note says that it runs as dom0 only");
    if (!KNOWN_FEATURES.has(name)) {
      return refusal("feature", `its FEATURES note requires ${name}, which Xen does not know`);
    }
  }
  return undefined;
}

function loaderRefusal(notes: XenNotes): XenRefusal | undefined {
  const { loader = "", guestOs = "", xenVersion = "" } = notes;
  if (!loader.startsWith("generic") && !guestOs.startsWith("linux")) {
    return refusal(
      "loader",
      `LOADER is "${loader}" and GUEST_OS "${guestOs}", not "generic" or "linux"`,
    );
  }
  if (!xenVersion.startsWith("xen-3.0")) {
    return refusal("xen-version", `XEN_VERSION is "${xenVersion}", not "xen-3.0"`);
  }
  return undefined;
}

/**
 * The builder does not ask for an ENTRY note: without one it takes the ELF's entry point. That is a physical address
 * in Linux since 2.6.26 or so, hence outside the (virtual) image, and so the note decides after all.
 */
function addressRefusal(elf: Elf, notes: XenNotes): XenRefusal | undefined {
  const range = loadRange(elf);
  if (!range) return refusal("entry", "it has no segment to load");
  if (hasStrayPaddrOffset(notes)) {
    return refusal("entry", "it has a PADDR_OFFSET note but no VIRT_BASE");
  }
  const virtBase = notes.virtBase ?? 0n;
  const paddrOffset = notes.paddrOffset ?? (notes.legacySection ? virtBase : 0n);
  const toVirtual = (address: bigint) => BigInt.asUintN(64, address + virtBase - paddrOffset);
  const image = { start: toVirtual(range.start), end: toVirtual(range.end) };
  const entry = notes.entry ?? elf.entry;
  if (entry < image.start || entry > image.end) {
    const which =
      notes.entry === undefined ? "it has no ENTRY note, and its ELF entry" : "its ENTRY";
    return refusal("entry", `${which} ${hex(entry)} lies outside the image${rangeText(image)}`);
  }
  if (image.start > image.end || virtBase > image.start) {
    return refusal(
      "entry",
      `the image${rangeText(image)} does not lie above VIRT_BASE ${hex(virtBase)}`,
    );
  }
  const p2m = notes.initP2m;
  if (p2m !== undefined && p2m >= image.start && p2m < image.end) {
    return refusal("entry", `its INIT_P2M ${hex(p2m)} lies inside the image${rangeText(image)}`);
  }
  return undefined;
}

function refusal(reason: XenRefusal["reason"], detail: string): XenRefusal {
  return { reason, detail };
}

function rangeText(range: { start: bigint; end: bigint } | undefined): string {
  return range ? ` (${hex(range.start)} to ${hex(range.end)})` : "";
}

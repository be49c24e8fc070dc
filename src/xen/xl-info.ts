/**
 * What matters of a hypervisor: from the text that `xl info` prints (`key : value` lines; xen: tools/xl/xl_info.c), or
 * assumed from a version alone.
 */
import { corrupt, FailureError } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import { dictionaryLimit, lz4Fix, packingsOfRelease } from "./builder-packings.ts";
import type { BuilderPackings } from "./builder-packings.ts";
import { isXenAtLeast } from "./host-facts.ts";
import type { HostFacts, XenVersion } from "./host-facts.ts";

/**
 * What a Xen in its usual build can run on a machine with VT-x or SVM. 32-bit PV guests (`x86_32p`) are left out from
 * 4.14 on: there the hypervisor's option `pv=32` came up, and builds have it off by default but for the PV shim
 * (CONFIG_PV32); with it, hardware with CET or FRED turns it off at boot.
 */
const CAPS_64 = ["xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"];
const CAPS_WITH_PV32 = ["xen-3.0-x86_64", "xen-3.0-x86_32p", ...CAPS_64.slice(1)];

/** The first release whose builder leaves unpacking the initramfs to the guest (xen commit d17b7562d4). */
const FIRST_NOT_INFLATING = "4.20";

/** A `corrupt` failure when it is not the output of `xl info`, `xm info` (Xen 3) included. */
export function parseXlInfo(text: string): HostFacts {
  const where = ["xl info"];
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)\s*:(.*)$/.exec(line);
    if (match) values.set(match[1]!, match[2]!.trim());
  }
  const major = values.get("xen_major");
  const minor = values.get("xen_minor");
  if (
    major === undefined ||
    minor === undefined ||
    !/^\d{1,3}$/.test(major) ||
    !/^\d{1,3}$/.test(minor)
  ) {
    throw corrupt(where, "no xen_major and xen_minor", "the output of xl info on a running Xen");
  }
  const version = {
    major: Number(major),
    minor: Number(minor),
    extra: values.get("xen_extra") ?? "",
  };
  const caps = (values.get("xen_caps") ?? "").split(" ").filter((cap) => cap !== "");
  if (caps.length === 0)
    throw corrupt(where, "no xen_caps", "the guest types that this Xen can run");
  const free = memoryKib(values.get("free_memory"));
  const total = memoryKib(values.get("total_memory"));
  return {
    version,
    source: "xl-info",
    caps,
    ...ofRelease(version),
    ...(free === undefined ? {} : { freeMemoryKib: free }),
    ...(total === undefined ? {} : { totalMemoryKib: total }),
  };
}

/** `--xen 4.14`, `4.17.5`, `4.17.5-debian`. A `syntax` failure for what is no version of Xen. */
export function assumeXen(text: string): HostFacts {
  const match = /^(\d{1,2})\.(\d{1,2})((?:[.+~-]?[\w.+~-]*)?)$/.exec(text);
  const version = match && { major: Number(match[1]), minor: Number(match[2]), extra: match[3]! };
  // Xen 3.0 is of 2005; xl and its configs came with 4.1
  if (!version || version.major < 3 || version.major > 4) {
    throw new FailureError({
      kind: "syntax",
      where: ["--xen"],
      line: 1,
      column: 1,
      found: text === "" ? "nothing" : printable(text),
      expected: "a version of Xen such as 4.14 or 4.17.5",
    });
  }
  const caps = isXenAtLeast(version, "4.14") ? CAPS_64 : CAPS_WITH_PV32;
  return { version, source: "assumed", caps, ...ofRelease(version) };
}

/** The same host, with what its builder's own libraries say (`packingsFromLinkedLibraries`). */
export function withPackings(facts: HostFacts, known: BuilderPackings): HostFacts {
  return { ...facts, ...packingFacts(known) };
}

function ofRelease(version: XenVersion) {
  return {
    ...packingFacts(packingsOfRelease(version)),
    lz4: lz4Fix(version),
    dictionary: dictionaryLimit(version),
    inflatesRamdisk: !isXenAtLeast(version, FIRST_NOT_INFLATING),
  };
}

function packingFacts({ packings, uncertain, because }: BuilderPackings) {
  return {
    kernelPackings: packings,
    uncertainPackings: uncertain,
    kernelPackingsBecause: because,
  };
}

/** xl prints memory in MiB. */
function memoryKib(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) * 1024 : undefined;
}

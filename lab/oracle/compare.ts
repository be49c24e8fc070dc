/** Whether check was right about a guest: its verdict, its reason, and the command line. Pure. */
import type { Finding } from "../../src/base/finding.ts";
import type { OracleCase } from "./case.ts";
import type { Observation } from "./observe.ts";
import type { Prediction } from "./predict.ts";

export type Comparison = {
  readonly agrees: boolean;
  /** check said that it cannot tell, as the case expects. */
  readonly open: boolean;
  /** What does not agree; empty when all does. */
  readonly problems: readonly string[];
  /** What the findings quote as what will be seen: whether it was. */
  readonly quoted: readonly { readonly text: string; readonly seen: boolean }[];
};

const NO_LOADER = /no loader found/;
const NO_ROOT =
  /Unable to mount root fs|Cannot open root device|no device for root=|no working init/i;

/**
 * How an error shows when the guest is started: in what xl prints, or on the guest's console. A guest that dies of
 * something else is no proof of what was predicted.
 */
export const EVIDENCE: Readonly<Record<string, RegExp>> = {
  "kernel-packing": NO_LOADER,
  "kernel-damaged": /no loader found|zero length file|Invalid kernel|corrupted/,
  "kernel-not-pv": NO_LOADER,
  "kernel-not-pvh": /no loader found|not capable of booting inside a HVM container|not 32bit/,
  "kernel-width": /not supported by xen kernel/,
  "kernel-missing": /failed to open file .*absent|vmlinuz-2/,
  "ramdisk-missing": /failed to open file .*absent|initrd-2/,
  "memory-too-small":
    /xc_dom_|panic_on_oom|deadlocked on memory|Out of memory|write error|Cannot allocate memory/,
  "initramfs-compression": /invalid magic at start of compressed archive|not configured/,
  "initramfs-lz4-frame": /invalid magic at start of compressed archive/,
  "initramfs-xz-check": /not supported by this XZ decoder/,
  "initramfs-zstd-window": /ZSTD-compressed data|allocating ZSTD_DStream/,
  "initramfs-truncated": /Initramfs unpacking failed|zero length file|segment module0 too large/,
  "initramfs-junk": /Initramfs unpacking failed/,
  "initramfs-cpio": /no cpio magic|incorrect cpio method|invalid magic|Unable to mount root fs/,
  "initramfs-no-init": NO_ROOT,
  "initramfs-missing": NO_ROOT,
  "initramfs-gzip-members": NO_ROOT,
  "initramfs-version": NO_ROOT,
  "initramfs-no-blkfront": NO_ROOT,
  "initramfs-no-root-fs": /cannot mount root=/,
  "root-not-a-filesystem": /cannot mount root=|Unable to mount root fs/,
  "root-no-subvolume": /cannot mount root=/,
  "root-no-init": /no init in root=|No working init|No init found/,
  "root-missing": NO_ROOT,
  "root-not-found": NO_ROOT,
  "root-device-name": NO_ROOT,
  "command-line-too-long": NO_ROOT,
  "pygrub-blind": /Unable to find partition containing kernel|bootloader failed/,
  "no-boot-entry": /Neither kernel nor bootloader specified/,
  "disk-missing": /failed to stat/,
  "config-syntax": /config parsing error|Failed to parse config/,
  "config-missing-key": /Neither kernel nor bootloader specified/,
  "config-value": /Invalid domain type/,
  "config-disk-spec": /config parsing error in disk specification/,
  "config-disk-not-a-list": /is a single value but should be a list/,
  "config-duplicate-vdev": /already exists in xenstore/,
  "config-xm-python": /looks like it contains Python code/,
};

export function compare(one: OracleCase, said: Prediction, seen: Observation): Comparison {
  const problems = [
    ...codeProblems(one, said),
    ...verdictProblems(one, said, seen),
    ...argsProblems(said, seen),
  ];
  const quoted = said.findings
    .filter(({ severity }) => severity === "error")
    .flatMap(({ why }) => quotes(why))
    .map((text) => ({ text, seen: isSeen(text, seen) }));
  const open = problems.length === 0 && said.verdict === "unknown";
  return { agrees: problems.length === 0, open, problems, quoted };
}

function codeProblems({ code }: OracleCase, { findings }: Prediction): string[] {
  if (code === undefined || findings.some((finding) => finding.code === code)) return [];
  const codes = findings.filter(isGrave).map((finding) => finding.code);
  return [`check does not say ${code}, but ${codes.join(", ") || "nothing"}`];
}

function isGrave({ severity }: Finding): boolean {
  return severity !== "note";
}

/** Says nothing about check, and is no agreement either. */
const LOST = "nobody saw what became of the guest: the lab failed, twice";

function verdictProblems(one: OracleCase, said: Prediction, seen: Observation): string[] {
  const booted = seen.outcome === "userland";
  if (seen.outcome === "lost") return [LOST];
  if (seen.outcome === "time is up") return ["the guest got nowhere in the time that it had"];
  // Only the building is asked about: what becomes of a guest with so little memory is another question.
  if (one.memory === "least") return seen.outcome === "built" ? [] : ["Xen does not build it"];
  switch (said.verdict) {
    case "boots":
      return booted ? [] : ["check says that it boots"];
    case "unknown":
      return one.open ? [] : ["check does not know"];
    case "fails":
      if (booted) return ["check says that it does not boot"];
      return isShown(said, seen) ? [] : ["it fails in another way than check says"];
  }
}

/** One of the errors shows in what was printed. */
function isShown({ findings }: Prediction, { xl, console }: Observation): boolean {
  const text = `${xl}\n${console}`;
  const errors = findings.filter(({ severity }) => severity === "error");
  return errors.some(({ code }) => EVIDENCE[code]?.test(text));
}

/** What a PV kernel gets of its command line. */
const PV_LIMIT = 1023;

/** The kernel's own word on its command line, where it got so far. */
function argsProblems({ args }: Prediction, { console }: Observation): string[] {
  const shown = /Kernel command line: ?(.*)$/m.exec(console)?.[1];
  if (args === undefined || shown === undefined) return [];
  const expected = words(args.slice(0, PV_LIMIT));
  // A long line is shown in pieces, and cut at the length of a line of the log.
  return expected.startsWith(words(shown).slice(0, 700))
    ? []
    : [`the command line is "${words(shown)}", not "${expected}"`];
}

function words(text: string): string {
  return text.trim().split(/\s+/).join(" ");
}

/** What stands in double quotes, long enough to mean something. */
function quotes(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"/g)].map((found) => found[1]!).filter((one) => one.length > 7);
}

function isSeen(text: string, { xl, console }: Observation): boolean {
  const [whole, ...pieces] = text.split(/\s*\.\.\.\s*/);
  const all = `${xl}\n${console}`;
  return [whole!, ...pieces].every((piece) => all.includes(piece));
}

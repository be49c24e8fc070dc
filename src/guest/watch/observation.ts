/** One look at the host: all that the watcher decides by. */
import type { DomainSummary } from "../../xen/domain-summary.ts";
import type { DomainState } from "../../xen/xl-list.ts";
import type { Lifetime } from "./monitor-log.ts";
import { MAX_DEVICES, MAX_TEXT } from "./state.ts";
import type { Possessions } from "./state.ts";

/** An `xl` that is at work, or that watches over a domain. */
export type XlProcess = {
  readonly pid: number;
  /** `create`, `restore`, `save`, `migrate`, `migrate-receive` ... */
  readonly verb: string;
  /** Behind the verb, without those that begin with `-`. */
  readonly words: readonly string[];
};

export type DomainLook = {
  readonly domid: number;
  readonly name: string;
  readonly uuid: string;
  /** `unknown`: two rows of the table claim to be it. */
  readonly state: DomainState | "unknown";
  /** It has used some of a processor's time. */
  readonly hasRun: boolean;
  /** The live configuration. Absent: libxl has none of it, or none yet. */
  readonly guest?: DomainSummary;
};

export type Observation = {
  readonly atMs: number;
  readonly bootId: string;
  readonly domains: readonly DomainLook[];
  /** From the logs that were written since the last look. */
  readonly lifetimes: readonly Lifetime[];
  /** From those that were last written before the host was started. */
  readonly earlier?: readonly Lifetime[];
  readonly processes: readonly XlProcess[];
};

/** Those by which something is told here. */
const VERBS = ["create", "restore", "save", "migrate", "migrate-receive", "destroy"] as const;

/**
 * Of a process's command line, as in /proc/PID/cmdline; undefined for what is no xl at work. xl takes any beginning of a verb
 * that no other has, and ends at once with one that several have (xen: tools/xl/xl_cmdtable.c, cmdtable_lookup).
 */
export function parseXlProcess(pid: number, cmdline: string): XlProcess | undefined {
  const [program = "", ...rest] = cmdline.split("\0", 256);
  if (!/(?:^|\/)xl$/.test(program)) return undefined;
  const at = rest.findIndex((word) => /^[a-z][a-z-]*$/.test(word));
  const typed = rest[at];
  if (typed === undefined) return undefined;
  const verb = VERBS.find((one) => one === typed) ?? VERBS.find((one) => one.startsWith(typed));
  const words = rest.slice(at + 1).filter((word) => word !== "" && !word.startsWith("-"));
  return { pid, verb: verb ?? typed, words };
}

/** The processes that make domains, and then watch over them. */
export function isMaker({ verb }: XlProcess): boolean {
  return verb === "create" || verb === "restore" || verb === "migrate-receive";
}

/** The image that it reads or writes, as it was given. */
export function imageOf({ verb, words }: XlProcess): string | undefined {
  if (verb === "restore") return words.at(-1);
  return verb === "save" ? words[1] : undefined;
}

/** Bounded, so that it can be kept. */
export function possessionsOf(summary: DomainSummary): Possessions {
  const { memoryKib, vcpus } = summary;
  return {
    disks: summary.disks
      .slice(0, MAX_DEVICES)
      .map(({ vdev, target }) => ({ vdev: cut(vdev), target: cut(target) })),
    nics: summary.nics.slice(0, MAX_DEVICES).map(({ mac }, index) => cut(mac ?? `#${index}`)),
    ...(memoryKib !== undefined && { memoryKib }),
    ...(vcpus !== undefined && { vcpus }),
  };
}

export function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 3)}...`;
}

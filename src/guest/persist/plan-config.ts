/** What to change in a config so that it says what runs. Pure (docs/design/drift.md, "Edits"). */
import { attemptSync, failureText, refused } from "../../base/failure.ts";
import { editConfig } from "../../xen/config-edit.ts";
import type { ConfigEdit } from "../../xen/config-edit.ts";
import { settingsOf, stringEntries } from "../../xen/config-settings.ts";
import type { Settings } from "../../xen/config-settings.ts";
import { parseConfig } from "../../xen/config-syntax.ts";
import { diskText, nicText } from "../../xen/device-text.ts";
import { parseDiskSpec } from "../../xen/disk-spec.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import { summaryOfConfig } from "../../xen/domain-summary.ts";
import type { DomainSummary, SummaryNic } from "../../xen/domain-summary.ts";
import { compareGuests, vdevKey } from "../../xen/drift.ts";
import type { Difference, SamePath } from "../../xen/drift.ts";
import { parseVifSpec } from "../../xen/vif-spec.ts";

export type ConfigPlan = {
  readonly text: string;
  /** What the new text says that the old one did not. */
  readonly written: readonly Difference[];
  /** What stays different, and why. */
  readonly left: readonly { readonly difference: Difference; readonly why: string }[];
};

export type PlanConfigOptions = {
  /** Of the config file, as it is. */
  readonly text: string;
  readonly path: string;
  readonly live: DomainSummary;
  readonly samePath: SamePath;
  /** Whether a balloon target is written as memory=. */
  readonly memory: boolean;
};

/** `refused` where the config cannot be changed safely. The outcome is compared with the domain again. */
export function planConfig({ text, path, live, samePath, memory }: PlanConfigOptions): ConfigPlan {
  const config = summaryIn(text, path);
  const differences = compareGuests(config, live, samePath);
  const left: { difference: Difference; why: string }[] = [];
  const written = differences.filter((difference) => {
    const why = reasonToLeave(difference, memory);
    if (why !== undefined) left.push({ difference, why });
    return why === undefined;
  });
  const keys = settingsOf(parseConfig(text));
  const edits = written
    .filter((difference) => !isImplied(difference, keys, live))
    .flatMap((difference) => editsFor(difference, text));
  const edited = attemptSync(() =>
    editConfig(text, [...edits, ...keptMaximum(written, keys, live)]),
  );
  if (!edited.ok) throw cannotEdit(path, failureText(edited.failure));
  const rest = compareGuests(summaryIn(edited.value, path), live, samePath);
  if (rest.length > left.length) throw cannotEdit(path, "What would come out is not what runs.");
  return { text: edited.value, written, left };
}

function summaryIn(text: string, path: string): DomainSummary {
  const { config, file } = parseDomainConfig(text, { path });
  const problem = file.problems[0]?.failure;
  if (problem) throw cannotEdit(path, `xl refuses line ${problem.line}: found ${problem.found}.`);
  if (!config) throw cannotEdit(path, "It has no name.");
  return summaryOfConfig(config);
}

function cannotEdit(path: string, why: string) {
  return refused([path], {
    what: `The config ${path} cannot be changed without risk.`,
    why,
    next: "Change it by hand: domus show names each difference. domus check says what is wrong with the config.",
  });
}

function reasonToLeave(difference: Difference, memory: boolean): string | undefined {
  if (difference.of === "memoryKib" && !memory)
    return "how much memory a guest is given now is often changed for a while; --memory writes it, too";
  if (difference.of === "type")
    return "a running guest cannot have changed its type: the config was edited";
  if (difference.of === "maxMemoryKib" && !memory)
    return "it goes with the memory; --memory writes it, too";
  return undefined;
}

function editsFor(difference: Difference, text: string): ConfigEdit[] {
  switch (difference.of) {
    case "disk": {
      const { config, live } = difference;
      const entry = config && entryOfDisk(text, config.vdev);
      if (entry === undefined)
        return live ? [{ kind: "add", key: "disk", entry: diskText(live) }] : [];
      return live
        ? [{ kind: "replace", key: "disk", entry, by: diskText(live) }]
        : [{ kind: "remove", key: "disk", entry }];
    }
    case "nic": {
      const { config, live } = difference;
      const entry = config && entryOfNic(text, config);
      if (entry === undefined)
        return live ? [{ kind: "add", key: "vif", entry: nicText(live) }] : [];
      return live
        ? [{ kind: "replace", key: "vif", entry, by: nicText(live) }]
        : [{ kind: "remove", key: "vif", entry }];
    }
    case "memoryKib":
    case "maxMemoryKib": {
      const key = difference.of === "memoryKib" ? "memory" : "maxmem";
      return [{ kind: "set", key, value: Math.round(Number(difference.live) / 1024) }];
    }
    case "vcpus":
    case "maxVcpus": {
      const key = difference.of === "vcpus" ? "vcpus" : "maxvcpus";
      return [{ kind: "set", key, value: difference.live }];
    }
    case "name":
    case "type":
      return [{ kind: "set", key: difference.of, value: difference.live }];
  }
}

/** Without maxvcpus= or maxmem=, vcpus= and memory= are the maximum, too: it must not move with them. */
function keptMaximum(
  written: readonly Difference[],
  keys: Settings,
  live: DomainSummary,
): ConfigEdit[] {
  return MAXIMA.flatMap(({ of, most, key, unit }): ConfigEdit[] => {
    const changes = written.some((one) => one.of === of);
    const writes = written.some((one) => one.of === most);
    const value = live[most];
    if (keys.has(key) || writes || !changes || value === undefined || value === live[of]) return [];
    return [{ kind: "set", key, value: Math.round(value / unit) }];
  });
}

/** A maximum that the config does not name, and need not: it is what vcpus= or memory= will say. */
function isImplied(difference: Difference, keys: Settings, live: DomainSummary): boolean {
  return MAXIMA.some(
    ({ of, most, key }) => difference.of === most && !keys.has(key) && live[most] === live[of],
  );
}

const MAXIMA = [
  { of: "vcpus", most: "maxVcpus", key: "maxvcpus", unit: 1 },
  { of: "memoryKib", most: "maxMemoryKib", key: "maxmem", unit: 1024 },
] as const;

function entriesOf(text: string, key: string): readonly string[] {
  const value = settingsOf(parseConfig(text)).get(key)?.value;
  return value?.kind === "list" ? stringEntries(value.items).entries.map((one) => one.text) : [];
}

function entryOfDisk(text: string, vdev: string): number | undefined {
  const at = entriesOf(text, "disk").findIndex((entry) => {
    const disk = attemptSync(() => parseDiskSpec(entry));
    return disk.ok && vdevKey(disk.value.vdev) === vdevKey(vdev);
  });
  return at < 0 ? undefined : at;
}

function entryOfNic(text: string, nic: SummaryNic): number | undefined {
  const at = entriesOf(text, "vif").findIndex((entry) => {
    const vif = attemptSync(() => parseVifSpec(entry));
    if (!vif.ok) return false;
    const { mac, bridge, ip } = vif.value;
    return mac?.toLowerCase() === nic.mac && bridge === nic.bridge && ip === nic.ip;
  });
  return at < 0 ? undefined : at;
}

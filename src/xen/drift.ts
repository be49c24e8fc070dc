/** What a running guest has and its config has not, and the other way round (docs/design/drift.md). Pure. */
import type { DomainSummary, SummaryDisk, SummaryNic } from "./domain-summary.ts";
import { parseVdev } from "./vdev.ts";

/** What is only in the config, only in the domain, or in both and not the same. */
export type Difference =
  | { readonly of: "disk"; readonly config?: SummaryDisk; readonly live?: SummaryDisk }
  | { readonly of: "nic"; readonly config?: SummaryNic; readonly live?: SummaryNic }
  | {
      readonly of: "name" | "type" | "vcpus" | "maxVcpus" | "memoryKib" | "maxMemoryKib";
      readonly config: string | number;
      readonly live: string | number;
    };

/** The same for two names of one device or file; the path itself when nothing is known of it. */
export type SamePath = (disk: SummaryDisk) => string;

const SIZES = ["name", "type", "vcpus", "maxVcpus", "memoryKib", "maxMemoryKib"] as const;

/** Disks first, in the order of the config and then of the domain. */
export function compareGuests(
  config: DomainSummary,
  live: DomainSummary,
  samePath: SamePath = ({ target }) => target,
): Difference[] {
  const sizes = SIZES.flatMap((of): Difference[] => {
    const [a, b] = [config[of], live[of]];
    return a === undefined || b === undefined || a === b ? [] : [{ of, config: a, live: b }];
  });
  return [...compareDisks(config, live, samePath), ...compareNics(config, live), ...sizes];
}

function compareDisks(config: DomainSummary, live: DomainSummary, samePath: SamePath) {
  const rest = new Map(live.disks.map((disk) => [vdevKey(disk.vdev), disk]));
  const differences: Difference[] = [];
  for (const disk of config.disks) {
    const other = rest.get(vdevKey(disk.vdev));
    rest.delete(vdevKey(disk.vdev));
    if (!other) differences.push({ of: "disk", config: disk });
    else if (!sameDisk(disk, other, samePath))
      differences.push({ of: "disk", config: disk, live: other });
  }
  for (const disk of rest.values()) differences.push({ of: "disk", live: disk });
  return differences;
}

/** `xvda` and `51712` are one place in the guest. */
export function vdevKey(vdev: string): string {
  return String(parseVdev(vdev)?.number ?? vdev);
}

function sameDisk(a: SummaryDisk, b: SummaryDisk, samePath: SamePath): boolean {
  // An empty drive has no format to speak of.
  const sameFormat = a.format === b.format || (a.target === "" && b.target === "");
  return (
    sameFormat &&
    a.readonly === b.readonly &&
    a.cdrom === b.cdrom &&
    a.backend === b.backend &&
    samePath(a) === samePath(b)
  );
}

function compareNics(config: DomainSummary, live: DomainSummary): Difference[] {
  const rest = [...live.nics];
  const take = (fits: (nic: SummaryNic) => boolean): SummaryNic | undefined => {
    const at = rest.findIndex(fits);
    return at < 0 ? undefined : rest.splice(at, 1)[0];
  };
  // Those with a MAC of their own first, so that the others get what is left.
  const byMac = config.nics.map((nic) =>
    nic.mac === undefined ? undefined : take(({ mac }) => mac === nic.mac),
  );
  const pairs = config.nics.map((nic, index) => ({
    nic,
    other:
      nic.mac === undefined
        ? (take((one) => sameBridge(nic, one)) ?? take(() => nic.bridge === undefined))
        : byMac[index],
  }));
  const differences = pairs.flatMap(({ nic, other }): Difference[] => {
    if (!other) return [{ of: "nic", config: nic }];
    return sameBridge(nic, other) ? [] : [{ of: "nic", config: nic, live: other }];
  });
  return [...differences, ...rest.map((nic): Difference => ({ of: "nic", live: nic }))];
}

/** Without a bridge in the config it is the host's default, whichever that is. */
function sameBridge(config: SummaryNic, live: SummaryNic): boolean {
  return config.bridge === undefined || live.bridge === undefined || config.bridge === live.bridge;
}

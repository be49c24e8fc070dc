/** Whether a save image still fits its guest's disks, as far as that can be told from outside. Pure. */
import type { DiskProof, DomainFact, ImageFact, InventoryFacts } from "./facts.ts";
import type { Guest } from "./match.ts";
import { targetPath } from "./read-backings.ts";

export type Staleness =
  /** The guest has a domain that is not the one that was saved, or went on after it. */
  | { readonly kind: "runs"; readonly domain: DomainFact }
  /** A disk file was written after the image. */
  | { readonly kind: "written"; readonly target: string; readonly modifiedMs: number }
  /** domus has restored it: the guest went on from there. */
  | { readonly kind: "restored" }
  /** Fingerprints say so. */
  | { readonly kind: "proven"; readonly disks: readonly DiskProof[] };

/**
 * The domain ends after its image is written, and with it the program that serves its disks: QEMU writes what it still
 * has of a qcow2 file's tables then. libxl waits ten seconds for it.
 */
const SLACK_MS = 30_000;

/**
 * Why an image must not be restored; undefined when nothing speaks against it, which is no proof. A paused domain may be
 * the saved one itself (`xl save -p`), and one that is suspended is being saved.
 */
export function staleness(
  { domains }: Guest,
  { image, modifiedMs, record, proof }: ImageFact,
  { backings }: InventoryFacts,
): Staleness | undefined {
  const domain = domains.find(({ fact }) => HAS_RUN.has(fact.state));
  if (domain) return { kind: "runs", domain: domain.fact };
  if (record?.state === "restored") return { kind: "restored" };
  if (proof?.verdict === "changed")
    return { kind: "proven", disks: proof.disks.filter(({ changes }) => changes.length > 0) };
  if (modifiedMs === undefined || proof?.verdict === "unchanged") return undefined;
  for (const disk of image?.config?.guest?.disks ?? []) {
    const target = disk.readonly ? undefined : targetPath(disk);
    const backing = target === undefined ? undefined : backings.get(target);
    if (target === undefined || backing?.modifiedMs === undefined) continue;
    if (backing.modifiedMs > modifiedMs + SLACK_MS) {
      return { kind: "written", target, modifiedMs: backing.modifiedMs };
    }
  }
  return undefined;
}

const HAS_RUN: ReadonlySet<DomainFact["state"]> = new Set([
  "running",
  "crashed",
  "shut-down",
  "dying",
]);

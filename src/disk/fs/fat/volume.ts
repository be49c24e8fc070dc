/** What the readers of single structures share: the bytes, the geometry, the file allocation table. */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import type { DirectorySpace } from "../directory-space.ts";
import { FIRST_CLUSTER } from "./boot-sector.ts";
import type { Geometry } from "./boot-sector.ts";
import type { FatTable } from "./fat.ts";

/** A filesystem being read. */
export type FatVolume = {
  /** Behind a cache. */
  readonly source: ByteSource;
  readonly where: Where;
  readonly geometry: Geometry;
  readonly table: FatTable;
  readonly directories: DirectorySpace;
};

/** Where a cluster is, in bytes. The number was checked. */
export function clusterOffset({ dataOffset, clusterSizeBytes }: Geometry, cluster: number): number {
  return dataOffset + (cluster - FIRST_CLUSTER) * clusterSizeBytes;
}

/** Fails when a reference leads out of the clusters. `where` is what holds the reference. */
export function assertCluster(geometry: Geometry, cluster: number, where: Where): void {
  if (cluster >= FIRST_CLUSTER && cluster < geometry.clusterEnd) return;
  const expected = `clusters from ${FIRST_CLUSTER} to ${geometry.clusterEnd - 1}`;
  throw corrupt(where, `a reference to cluster ${cluster}`, expected);
}

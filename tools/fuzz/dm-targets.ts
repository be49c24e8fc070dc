/** What device-mapper keeps of changes: the exception store of a snapshot, the metadata of a thin pool. */
import { readExceptions } from "../../src/disk/dm/exception-store.ts";
import { differingBlocks, findMappingSince } from "../../src/disk/dm/thin-changes.ts";
import { readThinMetadata, readThinVolume } from "../../src/disk/dm/thin-metadata.ts";
import { memorySource } from "../../src/disk/source.ts";
import {
  EMPTY,
  exceptionStore,
  insert,
  mapping,
  PoolWriter,
  storeChunk,
} from "../../test/support/dm.ts";
import { thinSeals } from "./seals/dm.ts";
import type { Target } from "./targets.ts";

/** Three areas of chunks of 512 bytes. */
function storeSeed(): Uint8Array {
  const exceptions = Array.from({ length: 80 }, (_, at) => [at * 7, storeChunk(at, 1)] as const);
  return exceptionStore({ chunkSectors: 1, exceptions });
}

/** A volume and a snapshot of it that share nodes, of three levels. */
function thinSeed(): Uint8Array {
  let base = EMPTY;
  for (let block = 0; block < 60; block++) base = insert(base, block, mapping(block + 9, 1), 4);
  const other = insert(insert(base, 30, mapping(99, 2), 4), 77, mapping(100, 2), 4);
  const volumes = [
    { thinId: 1, mappings: base, creationTime: 2 },
    { thinId: 2, mappings: other },
  ];
  return new PoolWriter({ volumes, metadataBlocks: 80 }).bytes;
}

export const DM_TARGETS: readonly Target[] = [
  {
    name: "dm-snapshot-store",
    seed: storeSeed,
    async read(input, outcome) {
      for await (const exceptions of readExceptions(memorySource(input, ["fuzz"]))) {
        if (exceptions.length > 0) outcome.opened += 1;
      }
    },
  },
  {
    name: "dm-thin",
    seed: thinSeed,
    seals: thinSeals,
    async read(input, outcome) {
      const thin = await readThinMetadata(memorySource(input, ["fuzz"]));
      const [left, right] = [await readThinVolume(thin, 1), await readThinVolume(thin, 2)];
      outcome.opened += 1;
      await findMappingSince(left.mappings, left.creationTime);
      for await (const blocks of differingBlocks(left.mappings, right.mappings)) {
        if (blocks.length === 0) throw new Error("an empty piece");
      }
    },
  },
];

/** What a directory record and its extensions say of a file, whichever of them are used. */
import type { Where } from "../../../base/where.ts";
import type { DirectoryRecord } from "./directory-record.ts";
import { jolietName, plainName } from "./name.ts";
import { parseRockRidge } from "./rock-ridge.ts";
import type { RockRidge } from "./rock-ridge.ts";
import { readSystemUse } from "./susp.ts";
import type { IsoVolume } from "./volume.ts";

const NONE: RockRidge = {};

/** The Rock Ridge part of a record; nothing on volumes that are read without. */
export async function readAttributes(
  volume: IsoVolume,
  record: DirectoryRecord,
  where: Where,
): Promise<RockRidge> {
  if (volume.names !== "rock-ridge") return NONE;
  const systemUse = record.systemUse.subarray(volume.systemUseSkip);
  return parseRockRidge(await readSystemUse(volume, systemUse, where), where);
}

/** The name that a listing shows; empty when there is none to show. */
export function shownName(volume: IsoVolume, record: DirectoryRecord, rock: RockRidge): string {
  if (volume.names === "joliet") return jolietName(record.name);
  return rock.name ?? plainName(record.name);
}

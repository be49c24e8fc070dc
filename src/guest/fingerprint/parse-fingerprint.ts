/** From the record of a fingerprint, which somebody may have edited, back to one. */
import { corrupt, unsupported } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { DeviceCounter, DiskWrites, FileTimes } from "../../host/disk-observation.ts";
import { FINGERPRINT_VERSION } from "./types.ts";
import type {
  Depth,
  DiskFingerprint,
  RegionFingerprint,
  VolumeCounter,
  VolumeFingerprint,
} from "./types.ts";

const MAX_VOLUMES = 4096;
const MAX_REGIONS = 64;
const MAX_COUNTERS = 2;
const MAX_TEXT = 4096;
const DEPTHS: readonly Depth[] = ["whole", "commits", "sample", "container"];

/**
 * Takes what `JSON.parse` made of it. `unsupported` for one of a later domus, `corrupt` for what is none; what is in it beyond
 * its form is left out.
 */
export function parseFingerprint(value: unknown, where: Where): DiskFingerprint {
  const fields = record(value, where);
  if (fields["version"] !== FINGERPRINT_VERSION) {
    if (typeof fields["version"] !== "number") throw wrong(where, "version");
    throw unsupported(where, `version ${fields["version"]} of fingerprints`);
  }
  const take = reader(fields, where);
  const identity = take.optionalText("identity");
  const writes = fields["writes"];
  return {
    version: FINGERPRINT_VERSION,
    takenAtMs: take.number("takenAtMs"),
    ...(identity !== undefined && { identity }),
    sizeBytes: take.number("sizeBytes"),
    digest: take.text("digest"),
    volumes: take.list("volumes", MAX_VOLUMES, parseVolume),
    counters: take.list("counters", MAX_VOLUMES, (one, at) => text(one, at, 2 * MAX_TEXT)),
    ...(writes !== undefined && { writes: parseWrites(writes, where) }),
    ...(fields["moving"] === true && { moving: true as const }),
    readBytes: take.number("readBytes"),
  };
}

function parseVolume(value: unknown, where: Where): VolumeFingerprint {
  const fields = record(value, where);
  const take = reader(fields, where);
  const depth = DEPTHS.find((one) => one === fields["depth"]);
  if (!depth) throw wrong(where, "depth");
  const note = take.optionalText("note");
  const counter = fields["counter"];
  return {
    name: take.text("name"),
    format: take.text("format"),
    sizeBytes: take.number("sizeBytes"),
    depth,
    ...(counter !== undefined && { counter: parseCounter(counter, where) }),
    regions: take.list("regions", MAX_REGIONS, parseRegion),
    ...(note !== undefined && { note }),
  };
}

function parseCounter(value: unknown, where: Where): VolumeCounter {
  const fields = record(value, where);
  const take = reader(fields, where);
  const base = { text: take.text("text") };
  return fields["atSeconds"] === undefined
    ? base
    : { ...base, atSeconds: take.number("atSeconds") };
}

function parseRegion(value: unknown, where: Where): RegionFingerprint {
  const take = reader(record(value, where), where);
  const digest = take.optionalText("digest");
  return {
    name: take.text("name"),
    bytes: take.number("bytes"),
    ...(digest !== undefined && { digest }),
  };
}

function parseWrites(value: unknown, where: Where): DiskWrites {
  const fields = record(value, where);
  const take = reader(fields, where);
  const file = fields["file"];
  return {
    bootId: take.text("bootId"),
    counters: take.list("counters", MAX_COUNTERS, parseDeviceCounter),
    ...(file !== undefined && { file: parseTimes(file, where) }),
  };
}

function parseDeviceCounter(value: unknown, where: Where): DeviceCounter {
  const take = reader(record(value, where), where);
  return {
    device: take.text("device"),
    diskseq: take.text("diskseq"),
    sectorsWritten: take.text("sectorsWritten"),
    sectorsDiscarded: take.text("sectorsDiscarded"),
  };
}

function parseTimes(value: unknown, where: Where): FileTimes {
  const take = reader(record(value, where), where);
  return {
    inode: take.text("inode"),
    sizeBytes: take.text("sizeBytes"),
    mtimeNs: take.text("mtimeNs"),
    ctimeNs: take.text("ctimeNs"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function reader(fields: Fields, where: Where) {
  return {
    text: (name: string) => text(fields[name], [...where, name]),
    optionalText: (name: string) =>
      fields[name] === undefined ? undefined : text(fields[name], [...where, name]),
    /** A whole number, not below 0. */
    number(name: string): number {
      const value = fields[name];
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
      throw wrong(where, name);
    },
    list<T>(name: string, most: number, parse: (value: unknown, where: Where) => T): T[] {
      const value = fields[name];
      if (!Array.isArray(value) || value.length > most) throw wrong(where, name);
      return value.map((one, i) => parse(one, [...where, `${name} ${i + 1}`]));
    },
  };
}

function record(value: unknown, where: Where): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(where, "form");
}

function text(value: unknown, where: Where, most = MAX_TEXT): string {
  if (typeof value === "string" && value.length <= most) return value;
  throw corrupt(where, "no text", `up to ${most} characters`);
}

function wrong(where: Where, name: string) {
  return corrupt(where, `another ${name}`, "a fingerprint of a disk");
}

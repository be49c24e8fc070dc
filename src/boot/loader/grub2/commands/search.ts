/** `search` and `probe`: which device has this filesystem, label or file (grub-core/commands/search.c, probe.c). */
import type { BootVolume } from "../../loader.ts";
import { deviceName, fileExists, findDevice, isPartOf, searchOrder } from "../devices.ts";
import { BAD_ARGUMENT, deviceOf, FILE_NOT_FOUND, OK, print } from "../machine.ts";
import type { Machine } from "../machine.ts";
import { parseOptions } from "../options.ts";
import type { OptionSpec } from "../options.ts";
import { viewFor } from "../views.ts";
import type { Call, CommandTable } from "./call.ts";

type By = "fs-uuid" | "label" | "file" | "part-uuid" | "part-label";

const SEARCH_OPTIONS: readonly OptionSpec[] = [
  { long: "file", short: "f" },
  { long: "label", short: "l" },
  { long: "fs-uuid", short: "u" },
  { long: "part-label", short: "L" },
  { long: "part-uuid", short: "U" },
  { long: "set", short: "s", value: "optional" },
  { long: "no-floppy", short: "n" },
  { long: "efidisk-only" },
  { long: "cryptodisk-only" },
  { long: "hint", short: "h", value: "required" },
  { long: "hint-ieee1275", value: "required" },
  { long: "hint-bios", value: "required" },
  { long: "hint-baremetal", value: "required" },
  { long: "hint-efi", value: "required" },
  { long: "hint-arc", value: "required" },
];

async function search(machine: Machine, { args }: Call): Promise<number> {
  const parsed = parseOptions(args, SEARCH_OPTIONS, { acceptDash: true });
  if (!parsed) return BAD_ARGUMENT;
  const { options, rest } = parsed;
  const set = options.get("set")?.at(-1);
  // `--hint-` of a platform that came later than this list.
  const name = rest.find((one) => !one.startsWith("--hint-"));
  const key = name ?? (set === "" ? undefined : set);
  if (key === undefined) return BAD_ARGUMENT;
  const kinds: readonly By[] = ["label", "fs-uuid", "part-label", "part-uuid", "file"];
  const by = kinds.find((kind) => options.has(kind));
  if (!by) return BAD_ARGUMENT;
  const variable = set === undefined ? undefined : name === undefined ? "root" : set || "root";
  const firmware = machine.platform.platform === "efi" ? "hint-efi" : "hint-bios";
  const hints = ["hint", firmware, "hint-baremetal"].flatMap((one) => options.get(one) ?? []);
  return find(machine, { by, key, hints, ...(variable !== undefined && { variable }) });
}

/** `search.fs_uuid NAME VARIABLE HINT...`, as the image that grub-install makes uses it. */
function searchBy(by: By) {
  return (machine: Machine, { args }: Call): number | Promise<number> => {
    const [key, variable, ...hints] = args;
    if (key === undefined) return BAD_ARGUMENT;
    return find(machine, { by, key, hints, ...(variable !== undefined && { variable }) });
  };
}

type Query = {
  readonly by: By;
  readonly key: string;
  readonly hints: readonly string[];
  readonly variable?: string;
};

async function find(machine: Machine, query: Query): Promise<number> {
  const { volumes } = machine.devices;
  const hinted = query.hints.flatMap((hint) => {
    if (!hint.endsWith(",")) return findDevice(machine.devices, hint) ?? [];
    // A comma at the end: the disk and its partitions.
    const disk = hint.slice(0, -1);
    const parts = volumes.filter((volume) => isPartOf(volume, disk));
    return [findDevice(machine.devices, disk) ?? [], ...parts].flat();
  });
  for (const volume of [...hinted, ...searchOrder(volumes)]) {
    machine.steps.spend();
    if (!(await isMatch(machine, volume, query))) continue;
    if (query.variable === undefined) print(machine, ` ${deviceName(volume)}`);
    else machine.env.set(query.variable, deviceName(volume));
    return OK;
  }
  machine.problem ??= `no such device: ${query.key}`;
  return FILE_NOT_FOUND;
}

async function isMatch(machine: Machine, volume: BootVolume, { by, key }: Query): Promise<boolean> {
  const same = (text: string | undefined) =>
    text !== undefined && text !== "" && text.toLowerCase() === key.toLowerCase();
  const view = viewFor(volume, machine.env.get("btrfs_relative_path"));
  switch (by) {
    case "fs-uuid":
      return same(volume.fs.uuid);
    case "part-uuid":
      return same(volume.partition?.partuuid);
    case "label":
      return volume.fs.label !== "" && volume.fs.label === key;
    case "part-label":
      return volume.partition !== undefined && volume.partition.label === key;
    case "file":
      return key.startsWith("/") && fileExists(machine.devices, { volume: view, path: key });
  }
}

const PROBE_OPTIONS: readonly OptionSpec[] = [
  { long: "set", short: "s", value: "required" },
  { long: "driver", short: "d" },
  { long: "partmap", short: "p" },
  { long: "fs", short: "f" },
  { long: "fs-uuid", short: "u" },
  { long: "label", short: "l" },
  { long: "part-uuid" },
  { long: "partuuid" },
];

/** GRUB's names of filesystem drivers, where they differ from the kernel's. */
const DRIVERS: Record<string, string> = { ext3: "ext2", ext4: "ext2", vfat: "fat" };

function probe(machine: Machine, { args }: Call): number {
  const parsed = parseOptions(args, PROBE_OPTIONS);
  const name = parsed?.rest[0];
  if (!parsed || name === undefined) return BAD_ARGUMENT;
  const volume = deviceOf(machine, name.replace(/^\((.*)\)$/s, "$1"));
  if (!volume) return FILE_NOT_FOUND;
  const { options } = parsed;
  const value = options.has("driver")
    ? volume.grubName === undefined
      ? "biosdisk"
      : "diskfilter"
    : options.has("partmap")
      ? partitionMap(volume)
      : options.has("fs")
        ? (DRIVERS[volume.fs.kind] ?? volume.fs.kind)
        : options.has("fs-uuid")
          ? volume.fs.uuid
          : options.has("label")
            ? volume.fs.label
            : options.has("part-uuid") || options.has("partuuid")
              ? volume.partition?.partuuid
              : undefined;
  if (value === undefined) return BAD_ARGUMENT;
  const variable = options.get("set")?.at(-1);
  if (variable === undefined) print(machine, value);
  else machine.env.set(variable, value);
  return OK;
}

function partitionMap(volume: BootVolume): string {
  return volume.partition ? (volume.tableType === "gpt" ? "gpt" : "msdos") : "none";
}

export const searchCommands: CommandTable = [
  ["search", search],
  ["search.fs_uuid", searchBy("fs-uuid")],
  ["search.fs_label", searchBy("label")],
  ["search.file", searchBy("file")],
  ["search.part_uuid", searchBy("part-uuid")],
  ["search.part_label", searchBy("part-label")],
  ["search_fs_uuid", searchBy("fs-uuid")],
  ["search_label", searchBy("label")],
  ["search_fs_file", searchBy("file")],
  ["probe", probe],
];

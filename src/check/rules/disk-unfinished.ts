import type { NeighbourDisk, UnfinishedCopy } from "../host-around.ts";
import { shellWord } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "disk-unfinished";

export const diskUnfinished: Rule = {
  code,
  severity: "error",
  summary: "A disk is the destination of a copy that was cut off.",
  check: ({ around, config }) =>
    (around?.self.disks ?? []).flatMap((disk) => {
      const copy = around?.unfinished?.find(({ key }) => key === disk.key);
      if (!copy) return [];
      return [{ code, where: [...config.where, disk.vdev], ...textOf(disk, copy) }];
    }),
};

function textOf(
  disk: NeighbourDisk,
  { record, source, begunMs }: UnfinishedCopy,
): Omit<RuleFinding, "code" | "where"> {
  const name = `The disk ${disk.vdev} (${disk.target})`;
  const remove = `If it was filled in another way since, and is whole: rm ${shellWord(record)}`;
  if (source === undefined || begunMs === undefined) {
    return {
      severity: "error",
      what: `${name} was copied to, and the record of that copy cannot be read: ${record}.`,
      why: "So nobody can tell whether the copy was finished. One that was not is a mixture of old and new: a guest on it destroys what is left.",
      next: `Run that copy again (domus sync SOURCE ${shellWord(disk.target)}): it makes a new record. ${remove}`,
    };
  }
  const begun = new Date(begunMs).toISOString().slice(0, 16).replace("T", " ");
  return {
    severity: "error",
    what: `${name} is an unfinished copy: domus sync from ${source}, begun ${begun} UTC, was cut off or still runs.`,
    why: "Part of it is old and part of it is new. A guest that starts on it finds damaged filesystems, writes to them, and makes it worse.",
    next: `Let it finish, or run the same command again: domus sync ${shellWord(source)} ${shellWord(disk.target)}. It sends only what is missing. ${remove}`,
  };
}

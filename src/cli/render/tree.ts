import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import type { Walked } from "../../disk/fs/walk.ts";

const SIZE_WIDTH = "1023.9 KiB".length;

/** `   1.2 KiB  |-- name`, as the lines of a tree come in: each directory before what is in it. */
export type TreeLines = {
  line(found: Walked, link: string | undefined): string;
  /** For what could not be read. */
  failed(path: string, place: Pick<Walked, "depth" | "last">, why: string): string;
};

export function treeLines(): TreeLines {
  /** For every level whether more follows on it; what is deeper is out of date. */
  const more: boolean[] = [];
  function branch({ depth, last }: Pick<Walked, "depth" | "last">): string {
    more.length = depth;
    more[depth] = !last;
    const above = more.slice(1, depth).map((open) => (open ? "|   " : "    "));
    return `${above.join("")}${last ? "`-- " : "|-- "}`;
  }
  const row = (size: string, place: Pick<Walked, "depth" | "last">, text: string) =>
    `${size.padStart(SIZE_WIDTH)}  ${branch(place)}${text}`;
  return {
    line(found, link) {
      const { path, inode } = found;
      const size = inode.kind === "file" ? sizeText(inode.size) : "";
      return row(size, found, printable(nameOf(path)) + markOf(found, link));
    },
    failed: (path, place, why) =>
      row("", place, `${printable(nameOf(path))} (not read: ${printable(why)})`),
  };
}

/** Names of files have no slash. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** As `ls -F` marks them, devices with their numbers. */
function markOf({ inode }: Walked, link: string | undefined): string {
  switch (inode.kind) {
    case "directory":
      return "/";
    case "symlink":
      return ` -> ${link === undefined ? "(not read)" : printable(link)}`;
    case "fifo":
      return "|";
    case "socket":
      return "=";
    case "char-device":
    case "block-device":
      return ` (${inode.kind} ${inode.device?.major ?? 0}:${inode.device?.minor ?? 0})`;
    case "file":
      return "";
  }
}

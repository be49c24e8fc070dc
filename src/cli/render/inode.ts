import type { FileKind, Inode } from "../../disk/fs/filesystem.ts";

const LETTER: Record<FileKind, string> = {
  file: "-",
  directory: "d",
  symlink: "l",
  fifo: "p",
  socket: "s",
  "char-device": "c",
  "block-device": "b",
};

/** `drwxr-sr-x`, as ls prints it. */
export function modeText({ kind, mode }: Inode): string {
  let out = LETTER[kind];
  for (const [shift, special, letter] of [
    [6, 0o4000, "s"],
    [3, 0o2000, "s"],
    [0, 0o1000, "t"],
  ] as const) {
    const bits = mode >> shift;
    const execute = (bits & 1) !== 0;
    out += (bits & 4 ? "r" : "-") + (bits & 2 ? "w" : "-");
    if (mode & special) out += execute ? letter : letter.toUpperCase();
    else out += execute ? "x" : "-";
  }
  return out;
}

/** `2017-07-20 10:35` in UTC: the guest's own zone is not known here. */
export function timeText(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "?" : date.toISOString().slice(0, 16).replace("T", " ");
}

export function inodeJson(
  name: string,
  inode: Inode,
  link: string | undefined,
): Record<string, unknown> {
  const { kind, mode, size, allocatedBytes, uid, gid, links, mtime, number, device } = inode;
  return {
    name,
    kind,
    mode: mode.toString(8).padStart(4, "0"),
    size,
    ...(allocatedBytes !== undefined && { allocatedBytes }),
    uid,
    gid,
    links,
    mtime,
    inode: number,
    ...(device && { device }),
    ...(link !== undefined && { link }),
  };
}

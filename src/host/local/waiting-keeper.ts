/**
 * Keeps `waiting.json` in step with the records. Whatever is cut off in between, an image that waits is in the file: it
 * comes in before the records have it, and goes when they have not had it any more for certain.
 */
import { attemptSync } from "../../base/failure.ts";
import { formatWaitingList } from "../../xen/waiting-list.ts";
import type { WaitingImage } from "../../xen/waiting-list.ts";
import type { ImageRecord } from "../records.ts";
import {
  readWaitingFile,
  readWaitingText,
  waitingFilePath,
  writeWaitingText,
} from "./waiting-file.ts";
import type { FileOwner } from "./waiting-file.ts";

/** All of it is called while the records are locked, but `fits`. */
export type WaitingKeeper = {
  fits(): boolean;
  /** Before the commit: what waits from now on is in the file; what was in it stays. */
  announce(): void;
  /** After the commit: nothing is in the file but what waits. */
  settle(): void;
};

export type WaitingSource = {
  /** Those that wait, as the records have them now. */
  readonly images: () => readonly ImageRecord[];
  readonly owner: () => FileOwner;
};

export function waitingKeeper(directory: string, { images, owner }: WaitingSource): WaitingKeeper {
  const where = waitingFilePath(directory);
  const waiting = () => images().map(waitingImage);
  const write = (list: readonly WaitingImage[]) =>
    writeWaitingText(directory, formatWaitingList(list, where), owner());
  /** Also false for a file that cannot be read: it is written anew. */
  const holds = (list: readonly WaitingImage[]): boolean => {
    const text = attemptSync(() => readWaitingText(directory));
    if (!text.ok) return false;
    if (text.value === undefined) return list.length === 0;
    return text.value === formatWaitingList(list, where);
  };
  return {
    fits: () => holds(waiting()),
    announce() {
      const read = attemptSync(() => readWaitingFile(directory));
      const known = read.ok ? read.value : [];
      const texts = new Set(known.map((image) => JSON.stringify(image)));
      const more = waiting().filter((image) => !texts.has(JSON.stringify(image)));
      if (more.length > 0) write([...more, ...known]);
    },
    settle() {
      const list = waiting();
      if (!holds(list)) write(list);
    },
  };
}

function waitingImage({ guest, uuid, path, savedAtMs, disks }: ImageRecord): WaitingImage {
  return {
    guest,
    uuid,
    image: path,
    savedAtMs,
    disks: disks.filter(({ readonly }) => !readonly).map((disk) => ({ path: disk.path })),
  };
}

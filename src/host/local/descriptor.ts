/**
 * Open files by their descriptors. Not by node:fs/promises: loading that takes longer than what domus-pygrub reads with it
 * before it starts to copy.
 */
import { close, fstat, open, read } from "node:fs";
import type { Stats } from "node:fs";
import { promisify } from "node:util";

/** Made once, as making one costs as much as a small read; and not before the first, as that loads node:fs. */
let readAsked: typeof read.__promisify__ | undefined;
let statAsked: ((fd: number) => Promise<Stats>) | undefined;

export type Descriptor = {
  /** Into `buffer` at `offset`; from where the last read ended where `position` is null. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ readonly bytesRead: number }>;
  stat(): Promise<Stats>;
  close(): Promise<void>;
};

/** Fails with the system's own error. */
export async function openDescriptor(path: string, flags: number): Promise<Descriptor> {
  const fd = await promisify<string, number, number>(open)(path, flags);
  return { ...inheritedDescriptor(fd), close: () => promisify(close)(fd) };
}

/** One that another process has opened for this one. Closing leaves it open. */
export function inheritedDescriptor(fd: number): Descriptor {
  return {
    read: (buffer, offset, length, position) =>
      (readAsked ??= promisify(read))(fd, buffer, offset, length, position),
    stat: () => (statAsked ??= promisify(fstat))(fd),
    close: async () => {},
  };
}

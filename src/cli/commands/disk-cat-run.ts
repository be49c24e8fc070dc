/** `domus disk cat`: files of a guest as they are, in pieces: none is held whole. */
import { attempt, failureText, misuse } from "../../base/failure.ts";
import { printable, printableLines } from "../../base/printable.ts";
import { MIB, sizeText } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import type { Chosen } from "../../guest/disks/choose-file-system.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import type { Target } from "../../guest/disks/open-target.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { DiskFlags } from "./disk-run.ts";

const CHUNK_BYTES = 4 * MIB;
const MAX_JSON_BYTES = 16 * MIB;

export const cat = failing(async function (
  this: Context,
  flags: DiskFlags,
  name: string,
  ...paths: string[]
) {
  if (flags.json && paths.length > 1) {
    throw misuse("--json takes one file at a time.", "Leave --json out, or call it for each file.");
  }
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal: this.signal,
  });
  if (flags.json) {
    this.out.json(await fileJson(target, paths[0]!, this.signal));
    return EXIT.done;
  }
  if (paths.length === 1) {
    await print(this, await chosenFile(target, paths[0]!));
    return EXIT.done;
  }
  // As cat does: the others are still wanted.
  let failed = false;
  for (const path of paths) {
    const printed = await attempt(async () => print(this, await chosenFile(target, path)));
    if (printed.ok) continue;
    failed = true;
    this.out.say(`Not printed: ${printable(path)}: ${printable(failureText(printed.failure))}`);
  }
  return failed ? EXIT.failed : EXIT.done;
});

async function chosenFile(target: Target, path: string): Promise<Chosen> {
  const chosen = await chooseFile(target, path);
  const { inode, path: found } = chosen.resolved;
  if (inode.kind === "file") return chosen;
  throw misuse(
    `${found} is a ${inode.kind}, not a file.`,
    `domus disk ls lists a directory: domus disk ls ${target.name} ${path}`,
  );
}

async function print({ out, signal }: Context, { volume, resolved }: Chosen): Promise<void> {
  const { inode } = resolved;
  const show = process.stdout.isTTY ? escaped : (bytes: Uint8Array) => bytes;
  for (let at = 0; at < inode.size; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    const length = Math.min(CHUNK_BYTES, inode.size - at);
    await out.resultBytes(show(await volume.fs.read(inode, at, length, signal)));
  }
}

/** Its bytes are the guest's, and a terminal obeys them. */
function escaped(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(printableLines(decodeText(bytes)).replaceAll("\\x09", "\t"));
}

async function fileJson(target: Target, path: string, signal: AbortSignal) {
  const { volume, device, resolved } = await chosenFile(target, path);
  const { inode } = resolved;
  if (inode.size > MAX_JSON_BYTES) {
    throw misuse(
      `${resolved.path} has ${sizeText(inode.size)}: --json takes 16 MiB at most.`,
      "Leave --json out, or copy the file with domus disk cp.",
    );
  }
  const bytes = await volume.fs.read(inode, 0, inode.size, signal);
  return {
    target: target.name,
    volume: device,
    path: resolved.path,
    size: inode.size,
    base64: Buffer.from(bytes).toString("base64"),
  };
}

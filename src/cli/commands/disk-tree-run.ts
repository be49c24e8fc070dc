/** `domus disk tree`: all that is below a directory, written while it is read. */
import { attempt, failureText, misuse } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import { printable } from "../../base/printable.ts";
import { countText, sizeText } from "../../base/units.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { walk } from "../../disk/fs/walk.ts";
import type { Place, Walked } from "../../disk/fs/walk.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import type { Chosen } from "../../guest/disks/choose-file-system.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { inodeJson } from "../render/inode.ts";
import { jsonList, resultStream } from "../render/stream.ts";
import { treeLines } from "../render/tree.ts";
import type { DiskFlags } from "./disk-run.ts";

export type DiskTreeFlags = DiskFlags & { readonly depth?: number };

/** Where the lines go: text or JSON. */
type Sink = {
  found(found: Walked, link: string | undefined): Promise<void>;
  failed(path: string, failure: Failure, place: Place): Promise<void>;
  /** `failure` is what ended it before its end. */
  end(counts: Counts, failure?: Failure): Promise<void>;
};

type Counts = {
  directories: number;
  files: number;
  links: number;
  others: number;
  /** The sizes of files; one with several names counts for each. */
  bytes: number;
  failures: number;
};

export const tree = failing(async function (
  this: Context,
  flags: DiskTreeFlags,
  name: string,
  path = "/",
) {
  const { out, signal } = this;
  const { depth } = flags;
  if (depth !== undefined && !(Number.isInteger(depth) && depth > 0)) {
    throw misuse("--depth takes a whole number above 0.", "For example: --depth 2");
  }
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  const chosen = await chooseFile(target, path);
  if (chosen.resolved.inode.kind !== "directory") {
    throw misuse(
      `${chosen.resolved.path} is a ${chosen.resolved.inode.kind}, not a directory.`,
      `domus disk ls shows it: domus disk ls ${name} ${path}`,
    );
  }
  const sink = flags.json
    ? jsonSink(this, target.name, chosen)
    : textSink(this, target.name, chosen);
  const counts: Counts = { directories: 0, files: 0, links: 0, others: 0, bytes: 0, failures: 0 };
  const walked = await attempt(() => walkInto(sink, counts, { chosen, depth, signal }));
  await sink.end(counts, walked.ok ? undefined : walked.failure);
  if (!walked.ok) out.say(`The listing is not complete: ${printable(failureText(walked.failure))}`);
  return walked.ok && counts.failures === 0 ? EXIT.done : EXIT.failed;
});

type WalkInto = { chosen: Chosen; depth: number | undefined; signal: AbortSignal };

async function walkInto(
  sink: Sink,
  counts: Counts,
  { chosen, depth: most = Infinity, signal }: WalkInto,
): Promise<void> {
  const { fs } = chosen.volume;
  // They come up between two files and are written in their place.
  let failed: Parameters<Sink["failed"]>[] = [];
  const sayFailed = async () => {
    for (const one of failed) await sink.failed(...one);
    failed = [];
  };
  const onFailure = (...one: Parameters<Sink["failed"]>) => {
    counts.failures += 1;
    failed.push(one);
  };
  const enter = ({ depth }: Walked) => depth < most;
  const from = chosen.resolved.path;
  for await (const found of walk(fs, { from, sorted: true, enter, onFailure, signal })) {
    await sayFailed();
    count(counts, found);
    await sink.found(found, await linkOf(fs, found, onFailure));
  }
  await sayFailed();
}

function count(counts: Counts, { inode: { kind, size } }: Walked): void {
  if (kind === "directory") counts.directories += 1;
  else if (kind === "symlink") counts.links += 1;
  else if (kind === "file") counts.files += 1;
  else counts.others += 1;
  if (kind === "file") counts.bytes += size;
}

async function linkOf(
  fs: FileSystem,
  { path, inode, depth, last }: Walked,
  onFailure: (path: string, failure: Failure, place: Place) => void,
): Promise<string | undefined> {
  if (inode.kind !== "symlink") return undefined;
  const link = await attempt(() => fs.readLink(inode));
  if (link.ok) return link.value;
  onFailure(path, link.failure, { depth, last });
  return undefined;
}

function textSink({ out }: Context, name: string, { volume, device, resolved }: Chosen): Sink {
  const stream = resultStream(out);
  const lines = treeLines();
  out.say(`${printable(name)}, ${device} (${volume.fs.kind}): ${printable(resolved.path)}`);
  return {
    found: (found, link) => stream.write(`${lines.line(found, link)}\n`),
    failed: (path, failure, place) =>
      stream.write(`${lines.failed(path, place, explainFailure(failure).why)}\n`),
    async end(counts) {
      await stream.flush();
      const { directories, files, links, others, bytes, failures } = counts;
      const said = [
        `${directories} ${directories === 1 ? "directory" : "directories"}`,
        `${countText(files, "file")} (${sizeText(bytes)})`,
        ...(links > 0 ? [countText(links, "link")] : []),
        ...(others > 0 ? [countText(others, "special file")] : []),
        ...(failures > 0 ? [`${failures} not read`] : []),
      ];
      out.say(said.join(", "));
    },
  };
}

function jsonSink({ out }: Context, name: string, { device, resolved }: Chosen): Sink {
  const before = { target: name, volume: device, path: resolved.path };
  const entries = jsonList(out, before, "entries");
  const failures: unknown[] = [];
  return {
    found({ path, inode }, link) {
      const { name: _, ...rest } = inodeJson("", inode, link);
      return entries.add({ path, ...rest });
    },
    async failed(path, failure) {
      if (failures.length < MAX_FAILURES) failures.push({ path, ...explainFailure(failure) });
    },
    async end(counts, failure) {
      await entries.end({
        complete: failure === undefined && counts.failures === 0,
        counts,
        failures,
        ...(failure && { error: { ...explainFailure(failure), where: failure.where } }),
      });
    },
  };
}

/** In JSON they come behind the list, and must be held. */
const MAX_FAILURES = 1000;

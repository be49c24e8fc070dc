import { fileName } from "../../base/path.ts";
import { printable } from "../../base/printable.ts";
import type { Entry, FileSystem, Inode } from "../../disk/fs/filesystem.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { disksJson, disksText } from "../render/disks.ts";
import { inodeJson, modeText, timeText } from "../render/inode.ts";
import { table } from "../render/text.ts";

export type DiskFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly backing?: readonly string[];
};
export type DiskCpFlags = DiskFlags & { readonly recursive: boolean; readonly force: boolean };

export const parts = failing(async function (this: Context, flags: DiskFlags, name: string) {
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal: this.signal,
  });
  if (flags.json) this.out.json({ target: target.name, disks: disksJson(target.disks) });
  else this.out.result(disksText(target.disks, this.out));
  const errors = target.disks.some(({ facts }) =>
    facts.findings.some((finding) => finding.severity === "error"),
  );
  return errors ? EXIT.findings : EXIT.done;
});

export const ls = failing(async function (
  this: Context,
  flags: DiskFlags,
  name: string,
  path = "/",
) {
  const { out, signal } = this;
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  const chosen = await chooseFile(target, path);
  const { fs } = chosen.volume;
  const rows = await listed(fs, chosen.resolved.inode, chosen.resolved.path, signal);
  if (flags.json) {
    out.json({
      target: target.name,
      volume: chosen.device,
      path: chosen.resolved.path,
      entries: rows.map(({ entry, inode, link }) => inodeJson(entry.name, inode, link)),
    });
    return EXIT.done;
  }
  const cells = rows.map(({ entry, inode, link }) => [
    modeText(inode),
    `${inode.uid}:${inode.gid}`,
    String(inode.size),
    timeText(inode.mtime),
    printable(entry.name) + (link === undefined ? "" : ` -> ${printable(link)}`),
  ]);
  out.say(
    `${printable(target.name)}, ${chosen.device} (${fs.kind}): ${printable(chosen.resolved.path)}`,
  );
  if (cells.length > 0) {
    // A listing is often piped: names are never cut.
    out.result(table(["MODE", "OWNER", "BYTES", "CHANGED", "NAME"], cells, 100_000).join("\n"));
  }
  return EXIT.done;
});

type Row = { readonly entry: Entry; readonly inode: Inode; readonly link?: string };

async function listed(
  fs: FileSystem,
  inode: Inode,
  path: string,
  signal: AbortSignal,
): Promise<Row[]> {
  const row = async (entry: Entry, found: Inode): Promise<Row> => ({
    entry,
    inode: found,
    ...(found.kind === "symlink" && { link: await fs.readLink(found) }),
  });
  if (inode.kind !== "directory") {
    return [await row({ name: fileName(path), number: inode.number }, inode)];
  }
  const rows: Row[] = [];
  for await (const entry of fs.list(inode, signal))
    rows.push(await row(entry, await fs.inode(entry)));
  return rows.sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
}

/** `domus disk cp`: the one command that writes to this host what a guest's disk holds. */
import { failureText, misuse } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import { printable } from "../../base/printable.ts";
import { countText, sizeText } from "../../base/units.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import type { Context } from "../context.ts";
import { copyOut, destinationOf, nothingCopied } from "../copy/copy-out.ts";
import type { Copied } from "../copy/copy-out.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { DiskCpFlags } from "./disk-run.ts";

/** Said one by one; beyond it, how many. */
const MAX_SAID = 20;

export const cp = failing(async function (
  this: Context,
  flags: DiskCpFlags,
  ...[name, path, dest]: [string, string, string]
) {
  const { out, signal } = this;
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  const { volume, device, resolved } = await chooseFile(target, path);
  if (resolved.inode.kind === "directory" && !flags.recursive) {
    throw misuse(`${printable(path)} is a directory.`, "Copy it with --recursive.");
  }
  const copied = nothingCopied();
  const to = await destinationOf(dest, resolved.path);
  try {
    await copyOut({ fs: volume.fs, force: flags.force, signal, copied }, resolved, to);
  } catch (error) {
    // Whatever it was that ended it: what is there now has to be said.
    if (copied.files > 0 || copied.begun) {
      const rest = copied.begun ? `, and ${printable(copied.begun)} is incomplete` : "";
      out.say(
        `The copy was cut off: ${copiedText(copied)} arrived whole in ${printable(to)}${rest}.`,
      );
      out.say("Remove what is there, or copy again with --force.");
    }
    throw error;
  }
  if (flags.json) {
    const { begun: _, failures, ...rest } = copied;
    out.json({
      ...{ target: target.name, volume: device, path: resolved.path, dest: to, ...rest },
      failures: failures.map((one) => ({ path: one.path, ...explainFailure(one.failure) })),
    });
  } else sayCopied(this, copied, to);
  return copied.failureCount === 0 ? EXIT.done : EXIT.failed;
});

function sayCopied({ out }: Context, copied: Copied, to: string): void {
  const links = [
    ...(copied.links > 0 ? [countText(copied.links, "link")] : []),
    ...(copied.hardLinks > 0 ? [countText(copied.hardLinks, "hard link")] : []),
  ];
  out.say(`Copied ${[copiedText(copied), ...links].join(", ")} to ${printable(to)}.`);
  const each = <T>(items: readonly T[], count: number, text: (item: T) => string) => {
    for (const item of items.slice(0, MAX_SAID)) out.say(printable(text(item)));
    if (count > MAX_SAID) out.say(`... and ${count - MAX_SAID} more`);
  };
  each(copied.passedOver, copied.passedOverCount, (one) => `Passed over ${one}`);
  each(
    copied.failures,
    copied.failureCount,
    ({ path, failure }) => `Not copied: ${path}: ${failureText(failure)}`,
  );
  each(copied.incomplete, copied.incomplete.length, (one) => `Incomplete: ${one}`);
}

function copiedText({ files, bytes }: Copied): string {
  return `${countText(files, "file")} (${sizeText(bytes)})`;
}

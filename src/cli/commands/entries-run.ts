import { failureText, missing } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { whereText } from "../../base/where.ts";
import { findLoaders } from "../../boot/loader/loaders.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { loadersJson, loadersText } from "../render/entries.ts";

export type EntriesFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly backing?: readonly string[];
};

export const run = failing(async function (this: Context, flags: EntriesFlags, name: string) {
  const { out, signal } = this;
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  const volumes = target.disks.flatMap((disk) => disk.bootVolumes);
  const { results, tried } = await findLoaders(volumes, signal);
  for (const { failure } of tried) {
    if (failure) out.say(`Not read: ${printable(failureText(failure))}`);
  }
  if (results.length === 0) {
    const looked = tried.map(({ where }) => whereText(where)).join(", ");
    throw missing([target.name], `menu of a boot loader (looked at ${looked || "its disks"})`);
  }
  if (flags.json) out.json({ target: target.name, loaders: loadersJson(results) });
  else out.result(loadersText(results, out));
  return EXIT.done;
});

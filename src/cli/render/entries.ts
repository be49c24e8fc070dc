/** The menus of boot loaders, for people and as JSON. */
import { printable } from "../../base/printable.ts";
import { whereText } from "../../base/where.ts";
import type { BootEntry, BootFile, BootVolume, LoaderResult } from "../../boot/loader/loader.ts";
import type { Output } from "../output.ts";
import { findingLines } from "./check-story.ts";
import { wrap, wrapLabelled } from "./text.ts";

/** The first that starts something is the one that runs; the others would, if it were not there. */
function runningIndex(loaders: readonly LoaderResult[]): number {
  return loaders.findIndex(({ chosen }) => chosen !== undefined);
}

export function loadersText(loaders: readonly LoaderResult[], out: Output): string {
  const running = runningIndex(loaders);
  return loaders
    .map((loader, index) => loaderLines(loader, index === running, out).join("\n"))
    .join("\n\n");
}

function loaderLines(loader: LoaderResult, runs: boolean, out: Output): string[] {
  const place = whereText([...loader.volume.fs.where, loader.configPath]);
  const lines = [out.style("bold", `${loader.loader}: ${printable(place)}`)];
  lines.push(...wrap(`${defaultText(loader, runs)}${timeoutText(loader)}`, out.width));
  for (const [index, entry] of loader.entries.entries()) {
    const mark = runs && index === loader.chosen ? "*" : " ";
    lines.push("", ...entryLines(entry, `${mark} ${index}`, { menu: loader.volume, out }));
  }
  for (const finding of loader.findings) lines.push("", ...findingLines(finding, out));
  return lines;
}

function defaultText({ chosen, because, entries }: LoaderResult, runs: boolean): string {
  const why = printable(because);
  if (chosen === undefined) return `No entry would be started: ${why}.`;
  const which = `entry ${chosen}, "${printable(entries[chosen]!.title)}"`;
  return runs
    ? `Default: ${which}, because of ${why}.`
    : `Not the menu that is used. Its default: ${which}, because of ${why}.`;
}

function timeoutText({ timeout }: LoaderResult): string {
  if (timeout === undefined) return "";
  return timeout < 0 ? " The menu waits for ever." : ` The menu waits ${timeout} s.`;
}

type EntryPlace = { readonly menu: BootVolume; readonly out: Output };

function entryLines(entry: BootEntry, head: string, { menu, out }: EntryPlace): string[] {
  const title = printable([...entry.submenus, entry.title].join(" > "));
  const lines = [out.style("bold", `${head}  ${title}`)];
  const add = (label: string, text: string | undefined) => {
    if (text !== undefined && text !== "") {
      lines.push(...wrapLabelled(label, printable(text), out.width));
    }
  };
  add("id", entry.id);
  add("xen", entry.hypervisor && fileText(entry.hypervisor, menu));
  add("kernel", entry.kernel && fileText(entry.kernel, menu));
  for (const ramdisk of entry.ramdisks) add("initrd", fileText(ramdisk, menu));
  add("args", entry.args);
  for (const file of entry.missing) add("missing", fileText(file, menu));
  add("problem", entry.problem);
  if (entry.kind === "chain") add("starts", "another loader");
  return lines;
}

/** The volume is told where it is not the menu's own. */
function fileText({ volume, path, section }: BootFile, menu: BootVolume): string {
  const inside = section === undefined ? path : `${path} (${section})`;
  return volume === menu ? inside : `${inside} on ${whereText(volume.fs.where)}`;
}

/** Documented in docs/reference/json.md. */
export function loadersJson(loaders: readonly LoaderResult[]): Record<string, unknown>[] {
  const running = runningIndex(loaders);
  return loaders.map((loader, index) => ({
    loader: loader.loader,
    where: [...loader.volume.fs.where, loader.configPath],
    runs: index === running,
    default: loader.chosen ?? null,
    because: loader.because,
    timeout: loader.timeout ?? null,
    entries: loader.entries.map((entry) => ({
      title: entry.title,
      id: entry.id ?? null,
      submenus: entry.submenus,
      kind: entry.kind,
      line: entry.line,
      kernel: entry.kernel ? fileJson(entry.kernel) : null,
      ramdisks: entry.ramdisks.map(fileJson),
      args: entry.args,
      hypervisor: entry.hypervisor ? fileJson(entry.hypervisor) : null,
      missing: entry.missing.map(fileJson),
      problem: entry.problem ?? null,
    })),
    findings: loader.findings,
  }));
}

function fileJson({ volume, path, section }: BootFile): Record<string, unknown> {
  return { where: volume.fs.where, path, ...(section !== undefined && { section }) };
}

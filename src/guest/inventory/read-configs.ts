/** Finds and reads the configs of a host: those in xl's directories, those that `auto` links to, and their neighbours. */
import { attempt, misuse } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { directoryOf } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import { summaryOfConfig } from "../../xen/domain-summary.ts";
import { AT_A_TIME, pathsIn } from "./directories.ts";
import type { BrokenLink, ConfigFact } from "./facts.ts";
import type { KnownFiles } from "./known-files.ts";

export const CONFIG_DIRECTORY = "/etc/xen";
export const AUTO_DIRECTORY = "/etc/xen/auto";

/** Links in `auto` may lead to as many directories; more are not looked through. */
const MAX_DIRECTORIES = 64;
const MAX_CONFIGS = 4096;

export type ConfigFileFound = {
  /** As people call it: in xl's own directory where it is there. */
  path: string;
  readonly realPath: string;
  /** Links in `auto` that lead to it. */
  readonly autostart: string[];
};

export type ConfigsRead = {
  readonly configs: readonly ConfigFact[];
  readonly brokenLinks: readonly BrokenLink[];
};

export type ConfigsOptions = {
  /** Further directories. */
  readonly also: readonly string[];
  /** Told what could not be read as a whole. */
  readonly failures: Failure[];
  readonly known: KnownFiles;
};

export async function readConfigs(
  host: Host,
  { also, failures, known }: ConfigsOptions,
): Promise<ConfigsRead> {
  const { files, brokenLinks } = await findConfigFiles(host, { also, failures });
  const configs = await mapParallel(files, AT_A_TIME, async (one) => {
    const config = await known.facts("config", one.realPath, async () => {
      const value = await readConfig(host, one);
      return { value, keep: value.failure === undefined };
    });
    return { ...one, ...config };
  });
  return { configs, brokenLinks };
}

/** All configs of the host, and links to configs that lead nowhere; none is read. */
export async function findConfigFiles(
  host: Host,
  { also, failures }: Pick<ConfigsOptions, "also" | "failures">,
): Promise<{
  readonly files: readonly ConfigFileFound[];
  readonly brokenLinks: readonly BrokenLink[];
}> {
  const found = new Map<string, ConfigFileFound>();
  const brokenLinks: BrokenLink[] = [];
  const auto = await mapParallel(
    await pathsIn(host, AUTO_DIRECTORY, failures),
    AT_A_TIME,
    async (path) => ({ path, real: await realFile(host, path) }),
  );
  for (const { path, real } of auto) {
    if (real.kind === "broken") brokenLinks.push(await brokenLink(host, path));
    if (real.kind !== "file") continue;
    const there = found.get(real.realPath);
    if (there) there.autostart.push(path);
    else found.set(real.realPath, { path, realPath: real.realPath, autostart: [path] });
  }
  for (const directory of directoriesOf(found, also)) {
    const names = await pathsIn(host, directory, failures);
    const configs = names.filter((name) => name.endsWith(".cfg"));
    const reals = await mapParallel(configs, AT_A_TIME, (path) => realFile(host, path));
    for (const [index, real] of reals.entries()) {
      const path = configs[index]!;
      if (real.kind !== "file") continue;
      const there = found.get(real.realPath);
      if (!there) found.set(real.realPath, { path, realPath: real.realPath, autostart: [] });
      else if (there.path.startsWith(`${AUTO_DIRECTORY}/`)) there.path = path;
    }
  }
  return { files: [...found.values()].slice(0, MAX_CONFIGS), brokenLinks };
}

/** xl's own first: a config is called by its path there where it has one. */
function directoriesOf(
  found: ReadonlyMap<string, ConfigFileFound>,
  also: readonly string[],
): string[] {
  const linked = [...found.keys()].map(directoryOf).filter((one) => one !== AUTO_DIRECTORY);
  return [...new Set([CONFIG_DIRECTORY, ...also, ...linked])].slice(0, MAX_DIRECTORIES);
}

type Real =
  | { readonly kind: "file"; readonly realPath: string }
  | { readonly kind: "broken" | "other" };

async function realFile(host: Host, path: string): Promise<Real> {
  const kind = await attempt(() => host.kind(path));
  if (kind.ok && kind.value === "missing") return { kind: "broken" };
  const real = await attempt(() => host.realPath(path));
  if (!kind.ok || kind.value !== "file" || !real.ok) return { kind: "other" };
  return { kind: "file", realPath: real.value };
}

/** A file tree follows a link to where it would lead; on a live host the system has to be asked. */
async function brokenLink(host: Host, path: string): Promise<BrokenLink> {
  const target = host.live
    ? await attempt(async () =>
        (await host.run(["readlink", "--", path])).stdout.replace(/\n$/, ""),
      )
    : await attempt(() => host.realPath(path));
  return { path, ...(target.ok && target.value !== "" && { target: target.value }) };
}

async function readConfig(
  host: Host,
  found: ConfigFileFound,
): Promise<Pick<ConfigFact, "guest" | "failure">> {
  const read = await attempt(async () => {
    const text = decodeText(await host.readFile(found.realPath, MIB));
    return parseDomainConfig(text, { path: found.path });
  });
  if (!read.ok) return { failure: read.failure };
  const { config, failures, findings } = read.value;
  if (config) return { guest: summaryOfConfig(config) };
  const what = findings.find(({ severity }) => severity === "error")?.what ?? "It has no name.";
  return { failure: failures[0] ?? misuse(what, "").failure };
}

/** Which guests a person means: a config file, a directory of them, a guest's name, or nothing (all of them). */
import { attempt, misuse, missing } from "../../base/failure.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import { printable } from "../../base/printable.ts";
import { fileName } from "../../base/path.ts";
import { latin1 } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";

/** Where xl's users keep configs; `auto` holds links to those that start with the host. */
const CONFIG_DIRS = ["/etc/xen", "/etc/xen/auto"] as const;

/** The config files, in the order asked for; `missing` says where it was looked for. */
export async function findConfigs(host: Host, wanted: readonly string[]): Promise<string[]> {
  if (wanted.length === 0) return allConfigs(host);
  const found: string[] = [];
  for (const name of wanted) found.push(...(await findConfig(host, name)));
  return [...new Set(found)];
}

async function findConfig(host: Host, name: string): Promise<string[]> {
  if (name.includes("/") || name.endsWith(".cfg")) {
    const kind = await host.kind(name);
    if (kind === "directory") return configsIn(host, name);
    // A config that is not there is found out by reading it: the failure then names the path.
    if (kind !== "missing" || name.includes("/")) return [name];
  }
  for (const dir of CONFIG_DIRS) {
    for (const file of [`${dir}/${name}.cfg`, `${dir}/${name}`]) {
      if ((await host.kind(file)) === "file") return [file];
    }
  }
  const known: string[] = [];
  for (const path of await allConfigs(host).catch(() => [])) {
    const declared = await declaredName(host, path);
    if (declared === name) return [path];
    known.push(fileName(path).replace(/\.cfg$/, ""), ...(declared === undefined ? [] : [declared]));
  }
  const kind = await host.kind(name);
  if (kind === "directory") return configsIn(host, name);
  if (kind === "file") return [name];
  if (kind === "other") {
    throw misuse(
      `${printable(name)} is neither a file nor a directory.`,
      "Name a guest, its config, or a directory of configs.",
    );
  }
  const near = nearestWord(name.replace(/\.cfg$/, ""), known);
  throw missing(
    [host.name],
    `guest or config file "${name}" (looked in ${CONFIG_DIRS.join(", ")})`,
    near === undefined
      ? `Check the spelling: ls ${CONFIG_DIRS[0]} shows what is there. A config elsewhere is named by its path.`
      : `Did you mean ${printable(near)}?`,
  );
}

/** A cheap look at `name = "x"`: the whole grammar is not needed to choose a file. */
async function declaredName(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(() => host.readFile(path));
  return read.ok ? /^\s*name\s*=\s*(["'])(.*?)\1/m.exec(latin1(read.value))?.[2] : undefined;
}

async function allConfigs(host: Host): Promise<string[]> {
  const found = new Map<string, string>();
  for (const dir of CONFIG_DIRS) {
    if ((await host.kind(dir)) !== "directory") continue;
    const inAuto = dir.endsWith("/auto");
    for (const name of await host.list(dir)) {
      // /etc/xen also holds xl.conf, scripts and examples; in auto everything is a guest.
      if (!inAuto && !name.endsWith(".cfg")) continue;
      const path = `${dir}/${name}`;
      const real = await attempt(() => host.realPath(path));
      const key = real.ok ? real.value : path;
      if ((await host.kind(path)) === "directory" || found.has(key)) continue;
      found.set(key, path);
    }
  }
  if (found.size === 0) {
    throw missing(
      [host.name],
      `guest config: ${CONFIG_DIRS.join(" and ")} hold no *.cfg file`,
      "Name the config of a guest, or the directory that has them.",
    );
  }
  return [...found.values()];
}

async function configsIn(host: Host, dir: string): Promise<string[]> {
  const base = dir.replace(/\/+$/, "") || "/";
  const names = (await host.list(dir)).filter((name) => name.endsWith(".cfg"));
  if (names.length === 0)
    throw missing(
      [dir],
      "guest config: it holds no *.cfg file",
      "Name the config of a guest, or the directory that has them.",
    );
  return names.map((name) => (base === "/" ? `/${name}` : `${base}/${name}`));
}

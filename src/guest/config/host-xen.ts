/** Which Xen will run the guest: asked of the host, read from its files, or said by the user. */
import { attempt, missing } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import { packingsFromLinkedLibraries } from "../../xen/builder-packings.ts";
import { assumeXen, parseXlInfo, withPackings } from "../../xen/xl-info.ts";
import type { HostFacts } from "../../xen/host-facts.ts";

export type XenWish = {
  /** `--xen 4.14` */
  readonly version?: string;
  /** `--xen-info FILE`: what `xl info` printed there. Read by the caller. */
  readonly infoText?: string;
};

/** `missing` when nobody knows: the user then has to say it. */
export async function findHostXen(host: Host, wish: XenWish): Promise<HostFacts> {
  if (wish.infoText !== undefined) return parseXlInfo(wish.infoText);
  if (wish.version !== undefined) return assumeXen(wish.version);
  if (host.live) {
    const ran = await attempt(() => host.run(["xl", "info"]));
    if (ran.ok && ran.value.exitCode === 0) return refined(host, parseXlInfo(ran.value.stdout));
  }
  const installed = await attempt(async () =>
    installedXen(decodeText(await host.readFile("/var/lib/dpkg/status", 64 * MIB))),
  );
  if (installed.ok && installed.value) return assumeXen(installed.value);
  throw missing([host.name], "running Xen (xl info) and no installed one");
}

/**
 * The Xen that runs here, from sysfs: in a few file reads, without `xl` and without root. Undefined where none runs. What
 * its domain builder unpacks goes by its release: see `withBuilderLibraries`.
 */
export async function runningXen(host: Host): Promise<HostFacts | undefined> {
  const read = async (file: string) =>
    decodeText(await host.readFile(`/sys/hypervisor/${file}`, MIB)).trim();
  const found = await attempt(async () => {
    const type = await read("type");
    if (type !== "xen") return undefined;
    const [major, minor, extra, caps] = await Promise.all(
      ["version/major", "version/minor", "version/extra", "properties/capabilities"].map(read),
    );
    const facts = assumeXen(`${major}.${minor}${extra}`);
    return { ...facts, caps: caps!.split(" ").filter((cap) => cap !== "") };
  });
  return found.ok ? found.value : undefined;
}

/** The same, with what its domain builder was linked with, where that can be found out. */
export function withBuilderLibraries(host: Host, facts: HostFacts): Promise<HostFacts> {
  return refined(host, facts);
}

/** What the domain builder can unpack depends on how it was built: its own libraries tell. */
async function refined(host: Host, facts: HostFacts): Promise<HostFacts> {
  const { major, minor } = facts.version;
  const found = await attempt(async () => {
    const { stdout } = await host.run(["/sbin/ldconfig", "-p"]);
    const path = libxenguest(stdout, `${major}.${minor}`);
    return path === undefined ? undefined : (await host.run(["ldd", path])).stdout;
  });
  if (!found.ok || found.value === undefined) return facts;
  const sonames = [...found.value.matchAll(/^\s*(\S+\.so\S*)/gm)].map((match) => match[1]!);
  return withPackings(facts, packingsFromLinkedLibraries(facts.version, sonames));
}

/** The path in the output of `ldconfig -p`; Debian's file name carries the release of Xen, others' an ABI number. */
export function libxenguest(ldconfig: string, release: string): string | undefined {
  const paths = [...ldconfig.matchAll(/^\s*libxenguest\.so\S* .*=> (\S+)$/gm)].map(
    (one) => one[1]!,
  );
  return (
    paths.find((path) => path.endsWith(`.so.${release}`)) ??
    (paths.length === 1 ? paths[0] : undefined)
  );
}

/** `4.17.5` from Debian's package database; the newest when several are installed. */
function installedXen(status: string): string | undefined {
  let newest: string | undefined;
  for (const stanza of status.split(/\n\n+/)) {
    if (!/^Package: xen-(utils|hypervisor)-\d/m.test(stanza)) continue;
    if (!/^Status: \S+ \S+ installed$/m.test(stanza)) continue;
    const version = /^Version: (?:\d+:)?(\d+\.\d+(?:\.\d+)?)/m.exec(stanza)?.[1];
    if (version && (!newest || compare(version, newest) > 0)) newest = version;
  }
  return newest;
}

function compare(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

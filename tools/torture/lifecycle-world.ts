/** What is true in a lab host, by means that know nothing of domus: xl, sha256sum, e2fsck, and the rows of its records. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execFileSync } from "node:child_process";
import type { LabHost } from "../../lab/host.ts";

export const GUEST = "pandora";
export const UUID = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d21";
export const CONFIG = `/etc/xen/${GUEST}.cfg`;
export const DISK = `/dev/vg0/${GUEST}-disk`;
/** A second disk, which comes and goes. */
export const EXTRA = `/dev/vg0/extra`;
export const IMAGES = "/var/lib/domus/images";
const STATE = "/var/lib/domus";

export type DomainRow = {
  readonly domid: number;
  readonly name: string;
  /** Six flags as `xl list` shows them. */
  readonly state: string;
};

export type World = {
  /** All domains but dom0. */
  readonly domains: readonly DomainRow[];
  /** sha256 by path: all files where domus keeps images. */
  readonly files: ReadonlyMap<string, string>;
  /** The same of configs and their copies. */
  readonly configs: ReadonlyMap<string, string>;
};

/** One look at everything; takes a second. */
export async function lookAround(host: LabHost): Promise<World> {
  const stdout = await host.output(
    `xl list | tail -n +2
     echo ---
     find ${IMAGES} -type f -exec sha256sum {} + 2> /dev/null
     echo ---
     sha256sum ${CONFIG}*`,
    { timeoutMs: 600_000 },
  );
  const [list = "", files = "", configs = ""] = stdout.split("---\n");
  const domains = [...list.matchAll(/^(\S+)\s+(\d+)\s+\d+\s+\d+\s+(\S{6})\s/gm)].map(
    ([, name = "", domid, state = ""]) => ({ name, domid: Number(domid), state }),
  );
  if (!domains.some(({ domid }) => domid === 0)) throw new Error(`xl list is odd:\n${list}`);
  return {
    domains: domains.filter(({ domid }) => domid !== 0),
    files: sums(files),
    configs: sums(configs),
  };
}

function sums(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^([0-9a-f]{64}) {2}(.*)$/gm)].map(([, sum = "", path = ""]) => [path, sum]),
  );
}

export type RecordRows = {
  readonly images: readonly { readonly path: string; readonly state: string }[];
  readonly operations: readonly { readonly kind: string; readonly step: string }[];
  /** PRAGMA integrity_check. */
  readonly integrity: string;
};

/** The records as another SQLite than domus's sees them, from a copy of the database. */
export async function readRecordRows(host: LabHost): Promise<RecordRows> {
  const dir = mkdtempSync(join(tmpdir(), "domus-records-"));
  try {
    await host.output(
      `cd ${STATE} && rm -f /var/tmp/records.tar &&
       if [ -e records.db ]; then tar -cf /var/tmp/records.tar records.db*; fi`,
    );
    if ((await host.run("test -e /var/tmp/records.tar")).code !== 0)
      return { images: [], operations: [], integrity: "ok" };
    await host.copyOut("/var/tmp/records.tar", join(dir, "records.tar"));
    execFileSync("tar", ["-xf", "records.tar"], { cwd: dir });
    using database = new DatabaseSync(join(dir, "records.db"));
    const all = (sql: string) => database.prepare(sql).all() as Record<string, string>[];
    return {
      images: all("SELECT path, state FROM image").map(({ path = "", state = "" }) => ({
        path,
        state,
      })),
      operations: all("SELECT kind, step FROM operation").map(({ kind = "", step = "" }) => ({
        kind,
        step,
      })),
      integrity: all("PRAGMA integrity_check")[0]?.["integrity_check"] ?? "",
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What domus says of the guest: `domus list --json`. */
export type Said = {
  readonly state: string;
  /** Where it says that images are. */
  readonly images: readonly string[];
  readonly findings: readonly string[];
};

export async function askDomus(host: LabHost): Promise<Said> {
  const { stdout, stderr, code } = await host.run("domus list --json", { timeoutMs: 600_000 });
  try {
    const { guests } = JSON.parse(stdout) as {
      guests: {
        name: string;
        state: string;
        images?: { path: string }[];
        findings?: { code: string }[];
      }[];
    };
    const guest = guests.find(({ name }) => name === GUEST);
    if (!guest) throw new Error("the guest is not in it");
    return {
      state: guest.state,
      images: (guest.images ?? []).map(({ path }) => path),
      findings: (guest.findings ?? []).map(({ code: found }) => found),
    };
  } catch (error) {
    throw new Error(`domus list ended with ${code}: ${String(error)}\n${stdout}${stderr}`, {
      cause: error,
    });
  }
}

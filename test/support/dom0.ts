/** A scripted dom0: files, links, devices, and what programs print there. */
import { missing } from "../../src/base/failure.ts";
import { memorySource } from "../../src/disk/source.ts";
import type { BlockDevice } from "../../src/disk/source.ts";
import type { DiskLook } from "../../src/host/disk-look.ts";
import type { DiskObservation } from "../../src/host/disk-observation.ts";
import type { Host } from "../../src/host/host.ts";

export type Dom0File = {
  readonly content?: string | Uint8Array;
  /** `block-device`: by default a file. */
  readonly kind?: "file" | "block-device";
  /** Default: that of the content. Behind the content come zeroes, of which a block can be read. */
  readonly sizeBytes?: number;
  /** Default: 2026-01-01. */
  readonly modified?: string;
};

export type Dom0Options = {
  /** Text is a file's content. */
  readonly files: Readonly<Record<string, string | Uint8Array | Dom0File>>;
  /** Absolute targets; one that is no file is a link that leads nowhere. */
  readonly links?: Readonly<Record<string, string>>;
  /** By the words of a command line, joined with blanks. Others fail as a program that is not there. */
  readonly programs?: Readonly<
    Record<string, string | { stdout?: string; stderr?: string; exitCode: number }>
  >;
  /** Default: true. */
  readonly live?: boolean;
  /** What a disk is and lies on; a file that is not named here is itself, on nothing. */
  readonly looks?: Readonly<Record<string, DiskLook>>;
  /** What the system has counted, where a test needs it. */
  readonly observe?: (path: string, settle: boolean) => DiskObservation;
};

export function fakeDom0(options: Dom0Options): Host {
  const { files, links = {}, programs = {}, live = true, looks = {}, observe } = options;
  const follow = (path: string) => links[path] ?? path;
  const paths = [...Object.keys(files), ...Object.keys(links)];
  const isDirectory = (path: string) => paths.some((one) => one.startsWith(`${path}/`));
  const fileAt = (name: string): Dom0File | undefined => {
    const found = files[follow(name)];
    return typeof found === "string" || found instanceof Uint8Array ? { content: found } : found;
  };
  return {
    name: live ? "this host" : "/mnt/deadhost",
    live,
    async run(argv) {
      const line = argv.join(" ");
      if (argv[0] === "readlink") {
        const stdout = `${links[argv.at(-1)!] ?? ""}\n`;
        return { argv, exitCode: 0, stdout, stderr: "" };
      }
      const said = programs[line];
      if (said === undefined) throw missing(["this host"], `program ${argv[0]}`);
      const ran = typeof said === "string" ? { stdout: said, exitCode: 0 } : said;
      return { argv, stdout: "", stderr: "", ...ran };
    },
    async openBlock(path) {
      const file = fileAt(path);
      if (!file) throw missing([path], "such file or device");
      return deviceOf(path, file);
    },
    async readFile(path) {
      const file = fileAt(path);
      if (!file) throw missing([path], "such file");
      return bytesOf(file);
    },
    async list(path) {
      if (!isDirectory(path)) throw missing([path], "such directory");
      const inside = paths.filter((one) => one.startsWith(`${path}/`));
      return [...new Set(inside.map((one) => one.slice(path.length + 1).split("/")[0]!))].sort();
    },
    async kind(path) {
      const file = fileAt(path);
      if (file) return file.kind ?? "file";
      return isDirectory(path) ? "directory" : "missing";
    },
    ...(observe && {
      observeDisk: async (path: string, { settle = true } = {}) => observe(path, settle),
    }),
    async lookAtDisk(path) {
      const file = fileAt(path);
      const known = looks[path] ?? looks[follow(path)];
      if (known || !file) return known;
      const { kind = "file", sizeBytes = bytesOf(file).length } = file;
      const modifiedMs = Date.parse(file.modified ?? "2026-01-01T00:00:00Z");
      const of = { kind, sizeBytes, identity: `${kind} ${follow(path)}`, on: [] };
      return kind === "file" ? { ...of, modifiedMs } : of;
    },
    async realPath(path) {
      if (live && path in links && !fileAt(path)) throw missing([path], "such file");
      return follow(path);
    },
  };
}

function bytesOf({ content = "" }: Dom0File): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function deviceOf(path: string, file: Dom0File): BlockDevice {
  const bytes = bytesOf(file);
  const { kind = "file", sizeBytes = bytes.length, modified = "2026-01-01T00:00:00Z" } = file;
  const padded = new Uint8Array(Math.min(sizeBytes, Math.max(bytes.length, 4096)));
  padded.set(bytes);
  return {
    ...memorySource(padded, [path]),
    size: sizeBytes,
    blockSize: 512,
    ...(kind === "file" && { modifiedMs: Date.parse(modified) }),
    async *extents() {},
    async [Symbol.asyncDispose]() {},
  };
}

export type FakeDomain = {
  readonly domid: number;
  readonly name: string;
  readonly uuid: string;
  /** As in the table: `-b----`. */
  readonly flags?: string;
  /** libxl's JSON; `null`: there is none. */
  readonly config?: object | null;
};

/** What `xl list -v` and `xl list -l` print of these domains and dom0. */
export function xlList(domains: readonly FakeDomain[]): Record<string, string> {
  const head =
    "Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label";
  const row = ({ domid, name, uuid, flags = "-b----" }: FakeDomain) =>
    `${name.padEnd(40)} ${String(domid).padStart(5)}   128     1     ${flags}      25.2 ${uuid}        -                -`;
  const dom0 = { domid: 0, name: "Domain-0", uuid: "00000000-0000-0000-0000-000000000000" };
  const rows = [{ ...dom0, flags: "r-----" }, ...domains].map(row);
  const long = domains.flatMap(({ domid, config, name, uuid }) =>
    config === null ? [] : [{ domid, config: config ?? { c_info: { name, uuid } } }],
  );
  return {
    "xl list -v": [head, ...rows, ""].join("\n"),
    "xl list -l": `${JSON.stringify([{ domid: 0, config: { c_info: { name: "Domain-0" } } }, ...long], null, 4)}\n`,
  };
}

/** A machine of a few files: enough of proc, sysfs and three programs to look for users of its disks. */
import { ioFailure, missing } from "../../../../src/base/failure.ts";
import type { Host } from "../../../../src/host/host.ts";

export type ScriptedSystem = {
  /** Contents by path. Directories are what lies above. */
  readonly files: Readonly<Record<string, string>>;
  /** Symlinks by path, absolute. */
  readonly links?: Readonly<Record<string, string>>;
  /** Device nodes (`8:1`) and regular files (an inode) by path. */
  readonly nodes: Readonly<Record<string, string | number>>;
  /** Of /proc/PID/fd: where it leads. */
  readonly open?: Readonly<Record<string, string>>;
  /** What `xl list -l` and `-v` print; absent: there is no xl. */
  readonly xl?: { readonly long: string; readonly table: string } | { readonly stderr: string };
};

export function scriptedHost(system: ScriptedSystem): Host {
  const { files, links = {}, nodes, open = {} } = system;
  const all = [...Object.keys(files), ...Object.keys(nodes), ...Object.keys(open)];
  const real = (path: string): string => {
    let at = path;
    for (let i = 0; i < 10; i++) {
      const link = Object.keys(links).find((one) => at === one || at.startsWith(`${one}/`));
      if (link === undefined) break;
      at = links[link]! + at.slice(link.length);
    }
    const steps: string[] = [];
    for (const step of at.split("/")) {
      if (step === "..") steps.pop();
      else if (step !== "") steps.push(step);
    }
    return `/${steps.join("/")}`;
  };
  const stat = (path: string): string | undefined => {
    const node = nodes[real(open[path] ?? path)];
    if (node === undefined) return undefined;
    if (typeof node === "number") return `81a4 2049 ${node} 0 0 ${path}\0`;
    const [major, minor] = node.split(":").map((part) => Number(part).toString(16));
    return `61b0 5 77 ${major} ${minor} ${path}\0`;
  };
  const run = (argv: readonly string[]): { readonly stdout: string; readonly stderr?: string } => {
    const paths = argv.slice(argv.indexOf("--") + 1);
    if (argv[0] === "stat") return { stdout: paths.map((path) => stat(path) ?? "").join("") };
    if (argv[0] === "env")
      return { stdout: paths.map((path) => `${path} -> ${open[path] ?? ""}\0`).join("") };
    if (argv[0] !== "xl" || !system.xl) throw missing(["this host"], `program ${argv[0]}`);
    if ("stderr" in system.xl) return { stdout: "", stderr: system.xl.stderr };
    return { stdout: argv[2] === "-l" ? system.xl.long : system.xl.table };
  };
  return {
    name: "scripted",
    live: true,
    async run(argv) {
      const { stdout, stderr } = run(argv);
      return { argv, exitCode: stderr === undefined ? 0 : 1, stdout, stderr: stderr ?? "" };
    },
    openBlock: () => Promise.reject(ioFailure(["disk"], "open", "EACCES")),
    async readFile(path) {
      const text = files[real(path)];
      if (text === undefined) throw ioFailure([path], "open", "ENOENT");
      return Buffer.from(text);
    },
    async list(path) {
      const dir = `${real(path)}/`;
      const below = [...all, ...Object.keys(links)].filter((one) => one.startsWith(dir));
      if (below.length === 0) throw ioFailure([path], "list", "ENOENT");
      return [...new Set(below.map((one) => one.slice(dir.length).split("/")[0]!))].sort();
    },
    async kind(path) {
      const at = real(path);
      if (files[at] !== undefined) return "file";
      return all.some((one) => one.startsWith(`${at}/`)) ? "directory" : "missing";
    },
    async realPath(path) {
      const at = real(path);
      if (all.some((one) => one === at || one.startsWith(`${at}/`))) return at;
      throw ioFailure([path], "follow", "ENOENT");
    },
  };
}

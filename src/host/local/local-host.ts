import type { Host } from "../host.ts";
import { openLocalBlock } from "./block.ts";
import { listLocal, localKind, localRealPath, localStamp, readLocalFile } from "./files.ts";
import { runLocal } from "./run.ts";

/** This machine. */
export function localHost(): Host {
  const host: Host = {
    name: "this host",
    live: true,
    run: runLocal,
    openBlock: (path) => openLocalBlock(path, [path]),
    readFile: readLocalFile,
    list: listLocal,
    kind: localKind,
    realPath: localRealPath,
    stampOf: async (path) => localStamp(path),
    // domus-pygrub has a host as well, and no time to load what it does not ask for.
    replaceFile: async (path, change) =>
      (await import("./replace-file.ts")).replaceLocalFile(path, change),
    observeDisk: async (path, options) =>
      (await import("./observe-disk.ts")).observeLocalDisk(path, options),
    lookAtDisk: async (path) => (await import("./look-at-disk.ts")).lookAtLocalDisk(path),
    reachesOf: async (paths) => (await import("./block-graph.ts")).readReaches(host, paths),
  };
  return host;
}

/** A host that has sources for disks, and says of them what it is told. */
import { missing } from "../../src/base/failure.ts";
import type { ByteSource } from "../../src/disk/source.ts";
import type { DiskObservation } from "../../src/host/disk-observation.ts";
import type { Host } from "../../src/host/host.ts";

const nothing = () => Promise.reject(missing(["host"], "such thing"));

/** `observe`: none, as on a file tree, when left out. */
export function fingerprintHost(
  disks: Readonly<Record<string, ByteSource>>,
  observe?: (path: string) => DiskObservation,
): Host {
  return {
    name: "test",
    live: false,
    run: nothing,
    async openBlock(path) {
      const source = disks[path];
      if (!source) throw missing([path], "such file or directory");
      return {
        ...source,
        blockSize: 512,
        async *extents() {
          yield { offset: 0, length: source.size };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
    readFile: nothing,
    list: nothing,
    kind: nothing,
    realPath: nothing,
    ...(observe && { observeDisk: async (path: string) => observe(path) }),
  };
}

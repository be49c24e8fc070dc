/**
 * Everything that domus wants to know of an initramfs, from its bytes, in one pass over what it unpacks to and without
 * keeping that.
 */
import { Budget } from "../../base/budget.ts";
import { GIB, KIB, MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { detectGenerator, detectTools, hasInit } from "./generator.ts";
import type { InitramfsFacts } from "./initramfs-facts.ts";
import { readModules } from "./modules.ts";
import { readSegments } from "./segments.ts";
import { InitramfsTree } from "./tree.ts";

export type ReadInitramfsOptions = {
  readonly where: Where;
  readonly signal?: AbortSignal;
  /** The most that it may unpack to, in bytes. Default 1 GiB: with more no guest of ordinary size would boot. */
  readonly limitBytes?: number;
};

/** Images with a whole distribution in them have 100,000 entries, ordinary ones a few thousand. */
const MAX_ENTRIES = 300_000;

/**
 * `bytes` is the whole file. Never fails on what is in it: damage, limits and formats that are not read are in the
 * facts, with all that was readable before them.
 */
export async function readInitramfs(
  bytes: Uint8Array,
  path: string,
  options: ReadInitramfsOptions,
): Promise<InitramfsFacts> {
  const { where, signal, limitBytes = GIB } = options;
  const tree = new InitramfsTree(keptBytes, where);
  let initSegment: number | undefined;
  const { segments, junkAt, failure } = await readSegments(bytes, tree, {
    where,
    limitBytes,
    entries: new Budget(MAX_ENTRIES, where, "the number of entries in the archive"),
    onWhole: (index) => {
      if (initSegment === undefined && hasInit(tree)) initSegment = index;
    },
    ...(signal && { signal }),
  });
  const modules = readModules(tree, where);
  return {
    path,
    sizeBytes: bytes.length,
    segments,
    unpackedBytes: segments.reduce((sum, segment) => sum + segment.cpioBytes, 0),
    generator: detectGenerator(tree),
    init: hasInit(tree),
    ...(initSegment !== undefined && { initSegment }),
    moduleVersions: [...modules.keys()],
    modules,
    tools: detectTools(tree),
    config: configOf(tree),
    ...(junkAt !== undefined && { junkAt }),
    ...(failure && { failure }),
  };
}

const MODULE_INDEX = /^(?:usr\/)?lib\/modules\/[^/]+\/modules\.(?:dep|builtin)(?:\.bin)?$/;
const CONFIG =
  /^(?:conf\/[^/]+|conf\/conf\.d\/[^/]+|etc\/cmdline\.d\/[^/]+|etc\/conf\.d\/[^/]+|etc\/crypttab|cryptroot\/crypttab|config|etc\/booster\.init\.yaml|etc\/fstab|etc\/mdadm(?:\/mdadm)?\.conf|(?:usr\/lib|etc)\/initrd-release)$/;

/** See `KeepRule`. modules.dep of a whole distribution kernel has 600 KB. */
function keptBytes(path: string): number {
  if (MODULE_INDEX.test(path)) return 8 * MIB;
  return CONFIG.test(path) ? 64 * KIB : 0;
}

function configOf(tree: InitramfsTree): Map<string, string> {
  const config = new Map<string, string>();
  for (const path of tree.keptPaths()) {
    if (CONFIG.test(path)) config.set(path, tree.text(path) ?? "");
  }
  return config;
}

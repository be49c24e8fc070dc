/** A kernel's build configuration (.config): a file of its package, or the copy inside the kernel. */
import type { Compression } from "../../bytes/decompress/format.ts";
import type { InitramfsDecompressors } from "./kernel-facts.ts";

/** usr/Kconfig */
const RD_OPTIONS: readonly (readonly [Compression, option: string])[] = [
  ["gzip", "CONFIG_RD_GZIP"],
  ["bzip2", "CONFIG_RD_BZIP2"],
  ["lzma", "CONFIG_RD_LZMA"],
  ["xz", "CONFIG_RD_XZ"],
  ["lzo", "CONFIG_RD_LZO"],
  ["lz4", "CONFIG_RD_LZ4"],
  ["zstd", "CONFIG_RD_ZSTD"],
];

/**
 * Where the configuration of the kernel at that path may be, likeliest first: beside it (`config-6.1.0-50-amd64`), or
 * with its modules, where Fedora has a copy and Debian 14 the only one. None for a name without a version.
 */
export function kernelConfigPaths(kernelPath: string): string[] {
  const match = /^(.*\/)(?:vmlinuz|vmlinux|kernel|bzImage)-([^/]+)$/.exec(kernelPath);
  if (match) {
    const [, directory, version] = match;
    return [`${directory}config-${version}`, `/usr/lib/modules/${version}/config`];
  }
  const packaged = /^(.*\/lib\/modules\/[^/]+\/)vmlinuz$/.exec(kernelPath);
  return packaged ? [`${packaged[1]}config`] : [];
}

/** `CONFIG_X=y`, text without its quotes; `# CONFIG_X is not set` gives `n`. Other lines are passed over. */
export function parseKernelConfig(text: string): ReadonlyMap<string, string> {
  const config = new Map<string, string>();
  for (const line of text.split("\n")) {
    const set = /^(CONFIG_\w+)=(.*?)\r?$/.exec(line);
    if (set) {
      config.set(set[1]!, set[2]!.replace(/^"(.*)"$/, "$1"));
      continue;
    }
    const unset = /^# (CONFIG_\w+) is not set/.exec(line);
    if (unset) config.set(unset[1]!, "n");
  }
  return config;
}

/** `undefined` when the text says nothing of initramfs: then it is no kernel configuration. */
export function configDecompressors(
  config: ReadonlyMap<string, string>,
  source: "ikconfig" | "config",
): InitramfsDecompressors | undefined {
  const initrd = config.get("CONFIG_BLK_DEV_INITRD");
  if (initrd === undefined) return undefined;
  const having = (value: string) =>
    RD_OPTIONS.filter(([, option]) => config.get(option) === value).map(([name]) => name);
  return {
    source,
    supported: having("y"),
    notConfigured: having("n"),
    initramfs: initrd === "y",
  };
}

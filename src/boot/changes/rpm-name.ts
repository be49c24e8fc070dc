/** How rpm's tools write a package: name, epoch, version, release and architecture, run together. */

export type RpmName = {
  readonly name: string;
  /** `version-release`, with `epoch:` before it where it is not 0. */
  readonly version: string;
  readonly arch?: string;
};

const ARCH = /^(.+)\.(x86_64|i[3-6]86|noarch|aarch64|ppc64le|s390x|riscv64)$/;
/** name-[epoch:]version-release: neither version nor release has a `-`. Yum puts the epoch before the name. */
const NEVR = /^(?:(\d{1,9}):)?([^:]+)-([^-]+-[^-]+)$/;

/** Undefined when it is not of the form `name-[epoch:]version-release[.arch]` or `epoch:name-version-release[.arch]`. */
export function parseRpmName(text: string): RpmName | undefined {
  const [, rest = text, arch] = ARCH.exec(text) ?? [];
  const [, epoch, name, version] = NEVR.exec(rest) ?? [];
  if (name === undefined || version === undefined) return undefined;
  const full = epoch === undefined || epoch === "0" ? version : `${epoch}:${version}`;
  return { name, version: full.replace(/^0:/, ""), ...(arch !== undefined && { arch }) };
}

/** Whether several versions of a package are installed beside each other: a new one then replaces none. */
export function isInstallOnly(name: string): boolean {
  return INSTALL_ONLY.test(name);
}

/**
 * What Fedora, RHEL (`installonlypkgs`) and SUSE (`multiversion`) have as such: kernels, and what is built for one. No
 * word can be read in two ways, so that nothing is tried twice.
 */
const INSTALL_ONLY =
  /^kernel(-(core|modules|extra|devel|PAE|lt|ml|uek|rt|plus|default|base|kvmsmall))*$/;

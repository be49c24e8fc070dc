/** Paths as text, in a guest or in dom0. */

/** `/boot` of `/boot/vmlinuz`; `/` of what lies at the top. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** `vmlinuz` of `/boot/vmlinuz`; empty after a slash at the end. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Loaders keep a double slash that a configuration has; it leads to the same file as a single one. */
export function singleSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

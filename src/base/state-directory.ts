/** Where domus keeps what it writes down of guests and copies, on a host that nobody has set up otherwise. */
export const STATE_DIRECTORY = "/var/lib/domus";

/** `$DOMUS_STATE_DIR`, when it is an absolute path, else the usual one. */
export function stateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["DOMUS_STATE_DIR"];
  return named?.startsWith("/") ? named : STATE_DIRECTORY;
}

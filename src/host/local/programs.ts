/** Programs of this machine: where they are looked for, and in which language they speak. */
import { missing } from "../../base/failure.ts";
import type { FailureError } from "../../base/failure.ts";

/** Of root's programs; cron and su leave them out of PATH. */
const MORE = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The environment that a program gets. Messages are parsed: no translations. */
export function programEnv(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const named = (env["PATH"] || "/usr/bin:/bin").split(":");
  const path = [...named, ...MORE.filter((one) => !named.includes(one))].join(":");
  return { ...env, PATH: path, LC_ALL: "C" };
}

/** `missing`, with where it comes from. */
export function noProgram(program: string): FailureError {
  const next =
    program === "xl"
      ? "xl comes with Xen's tools (Debian: xen-utils-common). Where it is elsewhere, put its place into PATH."
      : `Install ${program}, or put its place into PATH.`;
  return missing(["this host"], `program ${program}`, next);
}

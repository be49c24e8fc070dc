/** An ssh server of the test's own on loopback, with domus from these sources in its PATH. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { startLoopbackSshd } from "../../tools/loopback-sshd.ts";
import { need } from "./need.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const NODE = join(ROOT, "node_modules/node/bin/node");
export const MAIN = join(ROOT, "src/cli/main.ts");

export type Sshd = {
  readonly port: number;
  /** For `--ssh`: its host is called `far`. Further options of ssh may follow. */
  readonly ssh: string;
  /** The file with hosts that ssh knows: empty at the start, and the first contact is accepted. */
  readonly knownHosts: string;
  /** A key that the server does not know. */
  readonly wrongKey: string;
};

export type SshdOptions = {
  /** What a login shell says before anything else, as a file that it reads. */
  readonly banner?: string;
};

/** `dir` is only this server's. Gone with the test. */
export async function startSshd(dir: string, options: SshdOptions = {}): Promise<Sshd> {
  need("sshd", "ssh", "ssh-keygen");
  const at = (name: string) => join(dir, name);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at("wrong_key")]);
  mkdirSync(at("bin"));
  writeFileSync(at("bin/domus"), `#!/bin/sh\nexec ${NODE} ${MAIN} "$@"\n`);
  writeFileSync(at("said"), options.banner ?? "");
  // Stands for the user's shell and what it says when it starts.
  writeFileSync(at("shell"), `#!/bin/sh\ncat ${at("said")}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n`);
  for (const program of ["bin/domus", "shell"]) chmodSync(at(program), 0o755);
  const sshd = await startLoopbackSshd(dir, {
    server: [
      `SetEnv PATH=${at("bin")}:/usr/bin:/bin:/usr/sbin:/sbin`,
      `ForceCommand ${at("shell")}`,
    ],
    client: ["LogLevel ERROR"],
  });
  onTestFinished(() => sshd[Symbol.dispose]());
  const { port, ssh, knownHosts } = sshd;
  return { port, ssh, knownHosts, wrongKey: at("wrong_key") };
}

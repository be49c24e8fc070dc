/** An ssh server of the test's own on loopback: own keys, own configuration, and domus from these sources in its PATH. */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
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
  for (const key of ["host_key", "user_key", "wrong_key"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  mkdirSync(at("bin"));
  writeFileSync(at("bin/domus"), `#!/bin/sh\nexec ${NODE} ${MAIN} "$@"\n`);
  writeFileSync(at("said"), options.banner ?? "");
  // Stands for the user's shell and what it says when it starts.
  writeFileSync(at("shell"), `#!/bin/sh\ncat ${at("said")}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n`);
  for (const program of ["bin/domus", "shell"]) chmodSync(at(program), 0o755);
  // sshd wants it; the system's unit makes it at each start.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  writeFileSync(
    at("sshd_config"),
    `ListenAddress 127.0.0.1:${port}
HostKey ${at("host_key")}
AuthorizedKeysFile ${at("user_key.pub")}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH=${at("bin")}:/usr/bin:/bin:/usr/sbin:/sbin
ForceCommand ${at("shell")}
`,
  );
  writeFileSync(
    at("ssh_config"),
    `Host far
HostName 127.0.0.1
Port ${port}
IdentityFile ${at("user_key")}
Host far badkey
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile ${at("known_hosts")}
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking accept-new
BatchMode yes
LogLevel ERROR
`,
  );
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", at("sshd_config")], {
    stdio: "ignore",
  });
  onTestFinished(() => void server.kill());
  const ssh = `ssh -F ${at("ssh_config")}`;
  await answers([...ssh.split(" "), "far", "true"]);
  return { port, ssh, knownHosts: at("known_hosts"), wrongKey: at("wrong_key") };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Until the server takes the key, or a reason why it does not. */
async function answers([program = "", ...args]: readonly string[]): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
      return;
    } catch (error) {
      if (left === 0) throw new Error("the test's sshd does not answer", { cause: error });
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

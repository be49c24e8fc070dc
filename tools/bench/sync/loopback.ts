/** An ssh server of the bench's own on loopback: own keys, own configuration, one cipher for everybody. */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export const CIPHER = "aes128-gcm@openssh.com";
const SSHD = "/usr/sbin/sshd";

export type Loopback = Disposable & {
  /** `ssh` and its options, as words of a shell: a host called `far` and a command follow. */
  readonly ssh: string;
  /** Process number of the server: whatever it starts is below it. */
  readonly pid: number;
  /** What passed each way since the last call, in bytes: by ssh's own account. */
  takeTransferred(): { readonly up: number; readonly down: number };
};

/** `dir` is only this bench's. Root, or a user whose account is not locked. */
export async function startLoopback(dir: string): Promise<Loopback> {
  const at = (name: string) => join(dir, name);
  for (const key of ["host_key", "user_key"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  copyFileSync(at("user_key.pub"), at("authorized_keys"));
  chmodSync(at("authorized_keys"), 0o600);
  // sshd wants it; the system's unit makes it at each start.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  const log = at("ssh.log");
  writeFileSync(
    at("sshd_config"),
    `ListenAddress 127.0.0.1:${port}
HostKey ${at("host_key")}
AuthorizedKeysFile ${at("authorized_keys")}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Ciphers ${CIPHER}
Compression no
`,
  );
  writeFileSync(
    at("ssh_config"),
    `Host far
HostName 127.0.0.1
Port ${port}
IdentityFile ${at("user_key")}
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile ${at("known_hosts")}
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking accept-new
BatchMode yes
Ciphers ${CIPHER}
Compression no
LogLevel VERBOSE
`,
  );
  const server = spawn(SSHD, ["-D", "-e", "-f", at("sshd_config")], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const ssh = `ssh -F ${at("ssh_config")} -E ${log}`;
  await answers(`${ssh} far true`);
  let seen = 0;
  return {
    ssh,
    pid: server.pid!,
    takeTransferred() {
      const text = existsSync(log) ? readFileSync(log, "latin1") : "";
      const lines = [
        ...text.slice(seen).matchAll(/Transferred: sent (\d+), received (\d+) bytes/g),
      ];
      seen = text.length;
      const sum = (group: 1 | 2) => lines.reduce((total, line) => total + Number(line[group]), 0);
      return { up: sum(1), down: sum(2) };
    },
    [Symbol.dispose]: () => void server.kill(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Until the server takes the key, or a reason why it does not. */
async function answers(command: string): Promise<void> {
  for (let left = 50; ; left--) {
    try {
      execFileSync("sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe"] });
      return;
    } catch (error) {
      if (left === 0)
        throw new Error(`the bench's sshd does not answer: ${command}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

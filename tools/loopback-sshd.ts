/** An ssh server of one's own on loopback, for tests and benches: own keys, own configuration, one host called `far`. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../lab/host-files.ts";

const SSHD = "/usr/sbin/sshd";

export type LoopbackSshd = Disposable & {
  readonly port: number;
  /** `ssh` and its options, as words of a shell: further options, `far` and a command follow. */
  readonly ssh: string;
  /** Process number of the server: whatever it starts is below it. */
  readonly pid: number;
  /** The file with hosts that ssh knows: empty at the start, and the first contact is accepted. */
  readonly knownHosts: string;
};

export type LoopbackOptions = {
  /** Further lines of sshd_config(5) and ssh_config(5). */
  readonly server?: readonly string[];
  readonly client?: readonly string[];
};

/** `dir` is only this server's. Root, or a user whose account is not locked. */
export async function startLoopbackSshd(
  dir: string,
  { server = [], client = [] }: LoopbackOptions = {},
): Promise<LoopbackSshd> {
  const at = (name: string) => join(dir, name);
  for (const key of ["host_key", "user_key"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  // sshd wants it; the system's unit makes it at each start.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  const serverLines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at("host_key")}`,
    `AuthorizedKeysFile ${at("user_key.pub")}`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    ...server,
  ];
  const clientLines = [
    "Host far",
    "HostName 127.0.0.1",
    `Port ${port}`,
    `IdentityFile ${at("user_key")}`,
    "Host far badkey",
    "IdentitiesOnly yes",
    "IdentityAgent none",
    `UserKnownHostsFile ${at("known_hosts")}`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking accept-new",
    "BatchMode yes",
    ...client,
  ];
  writeFileSync(at("sshd_config"), `${serverLines.join("\n")}\n`);
  writeFileSync(at("ssh_config"), `${clientLines.join("\n")}\n`);
  const running = spawn(SSHD, ["-D", "-e", "-f", at("sshd_config")], { stdio: "ignore" });
  const ssh = `ssh -F ${at("ssh_config")}`;
  await answers([...ssh.split(" "), "far", "true"]);
  return {
    port,
    ssh,
    pid: running.pid!,
    knownHosts: at("known_hosts"),
    [Symbol.dispose]: () => void running.kill(),
  };
}

/** Until the server takes the key, or a reason why it does not. */
async function answers([program = "", ...args]: readonly string[]): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
      return;
    } catch (error) {
      if (left === 0) throw new Error("sshd on loopback does not answer", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

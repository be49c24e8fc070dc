/** Commands and files over ssh to a lab host: one kept connection a host, as a new one costs an emulated CPU a second. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dom0Keys } from "./dom0.ts";
import { cacheDir } from "./debian.ts";

export type Ran = {
  /** The exit code; 255 is also what ssh says when the connection broke. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
};

export type RunOptions = {
  /** Default: 600 s, as an emulated dom0 on a busy machine may be that slow. The command is left to itself in dom0 when the time is up: killing xl loses a domain's state. */
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array;
};

export type SshTarget = {
  readonly port: number;
  /** The control socket of the kept connection. */
  readonly control: string;
};

/** The lab's own keys, made once a cache: the hosts' and the one that may log in. Nothing of the user's is used. */
export function labKeys(): Dom0Keys {
  const dir = cacheDir("lab", "keys");
  for (const name of ["host", "login"]) {
    const file = join(dir, name);
    if (existsSync(`${file}.pub`)) continue;
    rmSync(file, { force: true });
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "domus-lab", "-f", file]);
  }
  const read = (name: string) => readFileSync(join(dir, name), "utf8");
  const hostPublicKey = read("host.pub");
  writeFileSync(join(dir, "known_hosts"), `domus-lab ${hostPublicKey}`);
  return {
    hostKey: read("host"),
    hostPublicKey,
    loginKey: read("login"),
    authorized: read("login.pub"),
  };
}

/** The argv of ssh to a host, without the command; reads neither the user's configuration nor their keys. */
export function sshArgv(target: SshTarget): string[] {
  const dir = cacheDir("lab", "keys");
  const options = {
    IdentityFile: join(dir, "login"),
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    UserKnownHostsFile: join(dir, "known_hosts"),
    HostKeyAlias: "domus-lab",
    StrictHostKeyChecking: "yes",
    BatchMode: "yes",
    LogLevel: "ERROR",
    ControlPath: target.control,
    ControlMaster: "no",
    ConnectTimeout: "60",
    ServerAliveInterval: "30",
    ServerAliveCountMax: "10",
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return ["ssh", "-F", "none", ...flags, "-p", String(target.port), "root@127.0.0.1"];
}

/** A word as sh reads it back unchanged. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Opens the connection that the commands share. False when the host does not answer (yet). */
export async function openConnection(target: SshTarget): Promise<boolean> {
  closeConnection(target);
  const [program, ...args] = sshArgv(target);
  const master = spawn(program!, ["-M", "-N", "-f", "-o", "ControlMaster=yes", ...args], {
    stdio: "ignore",
  });
  return new Promise((resolve) => {
    master.on("error", () => resolve(false));
    master.on("close", (code) => resolve(code === 0));
  });
}

/** Ends the kept connection; does nothing when there is none. */
export function closeConnection(target: SshTarget): void {
  if (!existsSync(target.control)) return;
  const [program, ...args] = sshArgv(target);
  try {
    execFileSync(program!, ["-O", "exit", ...args], { stdio: "ignore", timeout: 5_000 });
  } catch {
    // the master is gone already: only its socket is left
  }
  rmSync(target.control, { force: true });
}

/** Runs a line of sh in dom0 to its end. Does not throw on an exit code. */
export function runOver(
  target: SshTarget,
  command: string,
  options: RunOptions = {},
): Promise<Ran> {
  const [program, ...args] = sshArgv(target);
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const child = spawn(program!, [...args, `export ${path}; ${command}`], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
      // the kept connection has the pipes, too, until the command ends
      child.stdout.destroy();
      child.stderr.destroy();
    }, options.timeoutMs ?? 600_000);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", reject);
    // a command that reads nothing closes the pipe; that is no failure
    child.stdin.on("error", () => undefined);
    child.on("close", (code) => {
      clearTimeout(timer);
      const text = (parts: Buffer[]) => Buffer.concat(parts).toString();
      resolve({ code: code ?? 255, stdout: text(out), stderr: text(err), timedOut });
    });
    child.stdin.end(options.input ?? "");
  });
}

/** An ssh server of the bench's own on loopback: one cipher for everybody, and an account of what passed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startLoopbackSshd } from "../../loopback-sshd.ts";

export const CIPHER = "aes128-gcm@openssh.com";

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
  const log = join(dir, "ssh.log");
  const same = [`Ciphers ${CIPHER}`, "Compression no"];
  const sshd = await startLoopbackSshd(dir, {
    server: same,
    client: [...same, "LogLevel VERBOSE"],
  });
  let seen = 0;
  return {
    ssh: `${sshd.ssh} -E ${log}`,
    pid: sshd.pid,
    takeTransferred() {
      const text = existsSync(log) ? readFileSync(log, "latin1") : "";
      const lines = [
        ...text.slice(seen).matchAll(/Transferred: sent (\d+), received (\d+) bytes/g),
      ];
      seen = text.length;
      const sum = (group: 1 | 2) => lines.reduce((total, line) => total + Number(line[group]), 0);
      return { up: sum(1), down: sum(2) };
    },
    [Symbol.dispose]: () => sshd[Symbol.dispose](),
  };
}

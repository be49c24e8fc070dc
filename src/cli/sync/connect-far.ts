/** Starts the far side of a sync session, and is one. */
import { Socket } from "node:net";
import { attempt, misuse } from "../../base/failure.ts";
import type { Far, FarOptions } from "../../guest/sync/ports.ts";
import {
  bootstrapCommand,
  executablePath,
  sendExecutable,
  sha256OfFile,
} from "../../host/local/bootstrap.ts";
import { errnoOf } from "../../host/local/errno.ts";
import { ownCommand, startFar } from "../../host/local/far-process.ts";
import { PipeReader } from "../../host/local/pipe-reader.ts";
import type { Channel } from "../../sync/channel.ts";
import { streamChannel } from "../../sync/stream-channel.ts";

/** Over ssh when there is a host, else as another process of ours. */
export async function connectFar(options: FarOptions): Promise<Far> {
  const { host, bootstrap } = options;
  if (host === undefined) return start([...ownCommand(), "sync", "--serve"], options);
  if (!bootstrap) return start(sshCommand(options, `${options.domus} sync --serve`), options);
  const executable = executablePath();
  const command = bootstrapCommand(await sha256OfFile(executable));
  const far = await start(sshCommand(options, command), options);
  // Why it could not be sent is what the far shell says when it ends.
  await attempt(() => sendExecutable(far.channel, executable));
  return far;
}

function sshCommand({ host, ssh, timeoutSeconds }: FarOptions, command: string): string[] {
  const options = [
    `ConnectTimeout=${timeoutSeconds}`,
    `ServerAliveInterval=${Math.max(1, Math.floor(timeoutSeconds / 3))}`,
  ];
  return [...ssh, "-T", ...options.flatMap((option) => ["-o", option]), "--", host!, command];
}

async function start(argv: readonly string[], { host }: FarOptions): Promise<Far> {
  const { child, ended, kill } = await startFar(argv, host === undefined);
  const where = [host ?? "the other process"];
  const channel = streamChannel({ input: child.stdout, output: child.stdin, where });
  return { channel, ended, kill };
}

/** Our own stdin and stdout as the channel of the far side. */
export function servedChannel(): Channel {
  try {
    const where = ["the near side"];
    const reader = new PipeReader(0, where);
    // Not process.stdout: Node writes to a pipe there without letting anything else go on.
    const output = new Socket({ fd: 1, readable: false, writable: true });
    const channel = streamChannel({ input: reader.socket, output, where });
    return { ...channel, read: () => reader.read() };
  } catch (error) {
    if (errnoOf(error) !== "ERR_INVALID_FD_TYPE") throw error;
    throw misuse(
      "--serve is spoken over a pipe, not by hand.",
      "domus sync SRC HOST:DST starts it at the other end by itself.",
    );
  }
}

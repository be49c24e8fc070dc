/** A client of QEMU's machine protocol (QMP: JSON lines over a unix socket; QEMU docs/interop/qmp-spec). */
import { createConnection, type Socket } from "node:net";

type Reply = { return?: unknown; error?: { class: string; desc: string }; event?: string };

export type Qmp = Disposable & {
  /** Runs one command; fails with QEMU's own words. */
  run(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
};

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Connects to a QEMU that was started with `-qmp unix:PATH,server=on,wait=off`. One client at a time. */
export async function openQmp(path: string): Promise<Qmp> {
  const socket = await connect(path);
  const waiting: { resolve: (value: unknown) => void; reject: (why: Error) => void }[] = [];
  const fail = (why: string) => {
    for (const one of waiting.splice(0)) one.reject(new Error(why));
  };
  let buffered = "";
  socket.on("data", (chunk: Buffer) => {
    buffered += chunk.toString();
    const lines = buffered.split("\n");
    buffered = lines.pop()!;
    for (const line of lines.filter((one) => one.trim() !== "")) {
      const reply = JSON.parse(line) as Reply;
      if (reply.error) waiting.shift()?.reject(new Error(`qemu: ${reply.error.desc}`));
      else if ("return" in reply) waiting.shift()?.resolve(reply.return);
    }
  });
  socket.on("error", (error) => fail(`qemu's socket ${path}: ${error.message}`));
  socket.on("close", () => fail("qemu closed its socket"));
  const run: Qmp["run"] = (command, args) =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(new Error("qemu closed its socket"));
      waiting.push({ resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`);
    });
  await run("qmp_capabilities");
  return { run, [Symbol.dispose]: () => socket.destroy() };
}

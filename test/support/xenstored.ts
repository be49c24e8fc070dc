/** A xenstored of the test's own, as far as domus talks to one: nodes, watches, parts of directories, and the ways to be broken. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMessage, latin1, takeMessage, XS } from "../../src/xen/xenstore-wire.ts";

const PART_BYTES = 4096;

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

export class FakeXenstored implements AsyncDisposable {
  readonly path: string;
  readonly nodes = new Map<string, string>();
  /** Answers with this instead; undefined: as usual. */
  answer: ((type: number, payload: string) => Uint8Array | "silence" | undefined) | undefined;
  /** In the order in which they were asked for. */
  readonly asked: string[] = [];
  /** Changes with every change below a directory. */
  generation = 1;
  readonly #directory: string;
  #server: Server | undefined;
  readonly #clients = new Map<Socket, Map<string, string>>();

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "domus-xenstored-"));
    this.path = join(this.#directory, "socket");
  }

  async start(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  /** Ends, with all connections. */
  async stop(): Promise<void> {
    for (const socket of this.#clients.keys()) socket.destroy();
    const server = this.#server;
    if (server) await new Promise((resolve) => server.close(resolve));
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Watched by those that are connected. */
  get watched(): string[] {
    return [...this.#clients.values()].flatMap((watches) => [...watches.keys()]).toSorted();
  }

  get clients(): number {
    return this.#clients.size;
  }

  write(path: string, value = ""): void {
    this.nodes.set(path, value);
    this.fire(path);
  }

  /** Tells all who watch it, or something above it. */
  fire(path: string): void {
    for (const [socket, watches] of this.#clients)
      for (const [watched, token] of watches)
        if (path === watched || path.startsWith(`${watched}/`))
          this.#send(socket, XS.watchEvent, 0, bytes(`${path}\0${token}\0`));
  }

  #serve(socket: Socket): void {
    this.#clients.set(socket, new Map());
    socket.on("error", () => {});
    socket.on("close", () => this.#clients.delete(socket));
    let received: Uint8Array = new Uint8Array(0);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (let taken = takeMessage(received); taken; taken = takeMessage(received)) {
        received = received.slice(taken.length);
        this.#handle(socket, taken.message);
      }
    });
  }

  #handle(
    socket: Socket,
    message: { readonly type: number; readonly requestId: number; readonly payload: Uint8Array },
  ): void {
    const { type, requestId } = message;
    const payload = latin1(message.payload);
    this.asked.push(`${type} ${payload.replaceAll("\0", " ").trim()}`);
    const other = this.answer?.(type, payload);
    if (other === "silence") return;
    if (other) {
      socket.write(other);
      return;
    }
    const [path = "", second = ""] = payload.split("\0");
    const error = (name: string) => this.#send(socket, XS.error, requestId, bytes(`${name}\0`));
    const reply = (text: string) => this.#send(socket, type, requestId, bytes(text));
    if (type === XS.watch) {
      this.#clients.get(socket)?.set(path, second);
      reply("OK\0");
      this.#send(socket, XS.watchEvent, 0, bytes(`${path}\0${second}\0`));
    } else if (type === XS.unwatch) {
      if (this.#clients.get(socket)?.delete(path)) reply("OK\0");
      else error("ENOENT");
    } else if (type === XS.read) {
      const value = this.nodes.get(path);
      if (value === undefined) error("ENOENT");
      else reply(value);
    } else if (type === XS.directory || type === XS.directoryPart) {
      const children = this.#children(path);
      if (!children) error("ENOENT");
      else if (type === XS.directoryPart) reply(this.#part(children, Number(second)));
      else if (children.length > PART_BYTES) error("E2BIG");
      else reply(children);
    } else error("ENOSYS");
  }

  /** As one text, with a NUL behind each. */
  #children(path: string): string | undefined {
    const below = [...this.nodes.keys()].filter((node) => node.startsWith(`${path}/`));
    if (below.length === 0 && !this.nodes.has(path)) return undefined;
    const names = new Set(below.map((node) => node.slice(path.length + 1).split("/")[0]!));
    return [...names].map((name) => `${name}\0`).join("");
  }

  #part(children: string, offset: number): string {
    const head = `${this.generation}\0`;
    const rest = children.slice(offset);
    if (rest.length + head.length + 1 <= PART_BYTES) return `${head}${rest}\0`;
    const room = rest.slice(0, PART_BYTES - head.length - 1);
    return head + room.slice(0, room.lastIndexOf("\0") + 1);
  }

  #send(socket: Socket, type: number, requestId: number, payload: Uint8Array): void {
    socket.write(encodeMessage({ type, requestId, payload }));
  }
}

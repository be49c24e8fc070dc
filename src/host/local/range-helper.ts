/**
 * What Node cannot ask of the kernel for a range of an open disk: a hole in its place (fallocate(2)), a discard (BLKDISCARD). A
 * perl (perl-base is on every Debian) does it: it answers in 0.05 ms, where starting a program for each range takes 2 to 4 ms.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { ioFailure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { errnoOf } from "./errno.ts";

/** `punch`: the range reads as zero after it, as the kernel promises. `discard`: nothing is promised. */
export type RangeOperation = "punch" | "discard";

/** Numbers of the system call fallocate (linux: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const FALLOCATE: Readonly<Record<string, number>> = {
  x64: 285,
  arm64: 47,
  riscv64: 47,
  loong64: 47,
};

/** Question: `p` or `d`, u64 offset, u64 length. Answer: u32 errno. One after the other. */
const SCRIPT = `
use strict;
my ($fallocate) = @ARGV;
binmode STDIN; binmode STDOUT;
open(my $disk, "+<&=", 3) or exit 2;
syswrite(STDOUT, pack("L<", 0)) or exit 3;
my $questions = "";
while (sysread(STDIN, $questions, 65536, length $questions)) {
  my $answers = "";
  while (length $questions >= 17) {
    my ($what, $offset, $length) = unpack("aQ<Q<", substr($questions, 0, 17, ""));
    my $done = $what eq "p"
      ? syscall($fallocate, fileno $disk, 3, $offset, $length) == 0
      : ioctl($disk, 0x1277, pack("QQ", $offset, $length));
    $answers .= pack("L<", $done ? 0 : $! + 0);
  }
  while (length $answers) {
    my $written = syswrite(STDOUT, $answers) or exit 3;
    substr($answers, 0, $written, "");
  }
}
`;

const QUESTION_BYTES = 17;
const ANSWER_BYTES = 4;

type Waiting = {
  readonly resolve: (errno: string | undefined) => void;
  readonly reject: (error: unknown) => void;
};

export type HelperOptions = {
  /** Of a disk, open for reading and writing. It has to stay open until the helper is closed. */
  readonly fd: number;
  readonly where: Where;
};

/** One process for one disk, started by the first question. */
export class RangeHelper {
  readonly #options: HelperOptions;
  readonly #waiting: Waiting[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #failure: unknown;
  #answers = Buffer.alloc(0);

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  /**
   * Resolves to the errno when the kernel refuses, to undefined when it is done. An `io` failure when there is no perl, or when
   * it has died: then nobody knows what was done.
   */
  do(operation: RangeOperation, offset: number, length: number): Promise<string | undefined> {
    if (operation === "punch" && FALLOCATE[process.arch] === undefined)
      return Promise.resolve("ENOSYS");
    const child = this.#start();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const question = Buffer.alloc(QUESTION_BYTES);
    question.write(operation === "punch" ? "p" : "d", "latin1");
    question.writeBigUInt64LE(BigInt(offset), 1);
    question.writeBigUInt64LE(BigInt(length), 9);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      child.stdin!.write(question);
    });
  }

  /** Nothing is done any more when it resolves. */
  async close(): Promise<void> {
    this.#failure ??= ioFailure(this.#options.where, "change a range", "it has been closed");
    this.#child?.stdin!.end();
    await this.#ended;
  }

  #start(): ChildProcess {
    if (this.#child) return this.#child;
    const { fd } = this.#options;
    const child = spawn("perl", ["-e", SCRIPT, String(FALLOCATE[process.arch] ?? 0)], {
      stdio: ["pipe", "pipe", "ignore", fd],
    });
    this.#child = child;
    // The first answer says that it runs.
    this.#waiting.push({ resolve: () => {}, reject: () => {} });
    this.#ended = new Promise((resolve) => {
      child.on("error", (error) => {
        this.#fail(errnoOf(error), error);
        resolve();
      });
      child.on("close", (code, signal) => {
        this.#fail(`the helper ended with ${signal ?? code}`);
        resolve();
      });
    });
    // What it did not read is what nobody answers; `close` says so.
    child.stdin!.on("error", () => {});
    child.stdout!.on("data", (chunk: Buffer) => this.#take(chunk));
    return child;
  }

  #take(chunk: Buffer): void {
    const answers = Buffer.concat([this.#answers, chunk]);
    let at = 0;
    for (; at + ANSWER_BYTES <= answers.length; at += ANSWER_BYTES) {
      const errno = answers.readUInt32LE(at);
      this.#waiting.shift()?.resolve(errno === 0 ? undefined : errnoName(errno));
    }
    this.#answers = answers.subarray(at);
  }

  #fail(errno: string, cause?: unknown): void {
    this.#failure ??= ioFailure(this.#options.where, "change a range", errno, cause);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found ? found[0] : `errno ${errno}`;
}

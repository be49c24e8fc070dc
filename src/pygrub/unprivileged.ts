/**
 * `--runas=UID`: reading a tenant's disk is left to a process without rights. The parent, which libxl has started as root,
 * opens the disk and the two files; the child gets these descriptors and a request, changes to UID (no groups), and
 * answers with one JSON document. Nothing in the answer is a path in dom0.
 */
import { spawn } from "node:child_process";
import { isSea } from "node:sea";
import { corrupt, ioFailure } from "../base/failure.ts";
import { MIB } from "../base/units.ts";
import type { BootRequest } from "../guest/bootloader/prepare-boot.ts";
import { errnoOf } from "../host/local/errno.ts";

/** The first argument of a child. No disk is called that. */
export const CHILD_MARK = "--domus-unprivileged-child";

/** Descriptors in the child. */
export const CHILD_FDS = { disk: 3, kernel: 4, ramdisk: 5 } as const;

export type ChildRequest = {
  readonly request: BootRequest;
  readonly mode: "prepare" | "describe" | "list";
  readonly limitBytes: number;
};

/** What the child says. Text in it is the guest's: it is shown escaped, and checked before it becomes an answer. */
export type ChildReply =
  | {
      readonly ok: true;
      /** For people, a line each. */
      readonly lines: readonly string[];
      readonly args: string;
      readonly hasRamdisk: boolean;
      readonly kernelPath: string;
      readonly ramdiskPaths: readonly string[];
      /** Of `list`: what goes to stdout. */
      readonly listing: string;
    }
  | { readonly ok: false; readonly lines: readonly string[] };

/** Args have 4 KiB at most that any kernel takes; a listing has a few lines for each entry. */
const MAX_REPLY_BYTES = 4 * MIB;

export type ChildFiles = {
  readonly disk: number;
  readonly kernel: number | undefined;
  readonly ramdisk: number | undefined;
};

/** Runs the child to its end. `io` when it cannot be started or is killed, `corrupt` for a reply that is none. */
export async function runUnprivileged(
  uid: number,
  request: ChildRequest,
  files: ChildFiles,
  signal: AbortSignal,
): Promise<ChildReply> {
  const where = [`process of user ${uid}`];
  const self = isSea() ? [] : [...process.execArgv, process.argv[1]!];
  const child = spawn(process.execPath, [...self, CHILD_MARK], {
    // The one executable is told by its name what to be.
    argv0: "domus-pygrub",
    uid,
    gid: uid,
    cwd: "/",
    // Nothing of the toolstack's surroundings is the child's business.
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    signal,
    killSignal: "SIGKILL",
    stdio: [
      "pipe",
      "pipe",
      "inherit",
      files.disk,
      files.kernel ?? "ignore",
      files.ramdisk ?? "ignore",
    ],
  });
  const parts: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    child.stdout!.on("data", (part: Buffer) => {
      size += part.length;
      if (size > MAX_REPLY_BYTES) child.kill("SIGKILL");
      else parts.push(part);
    });
    child.stdin!.on("error", () => {});
    child.stdin!.end(JSON.stringify(request));
    child.on("error", (error) => {
      const program = `start ${process.execPath}, which that user must be able to read and to run,`;
      reject(ioFailure(where, program, errnoOf(error), error));
    });
    child.on("close", (code, by) => {
      if (size > MAX_REPLY_BYTES) reject(corrupt(where, "an endless reply", "at most 4 MiB"));
      else if (by !== null || code !== 0) {
        reject(ioFailure(where, "read the disk", by ?? `exit code ${code}`));
      } else {
        try {
          resolve(parseReply(Buffer.concat(parts).toString("utf8")));
        } catch (error) {
          reject(error);
        }
      }
    });
  });
}

/** `corrupt` for anything but a reply: the child has read a hostile disk. */
export function parseReply(text: string): ChildReply {
  const where = ["reply of the unprivileged process"];
  const wrong = () => corrupt(where, "something else", "a reply");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (typeof value !== "object" || value === null) throw wrong();
  const reply = value as Record<string, unknown>;
  const lines = texts(reply["lines"]);
  if (!lines) throw wrong();
  if (reply["ok"] === false) return { ok: false, lines };
  const { args, hasRamdisk, kernelPath, listing } = reply;
  const ramdiskPaths = texts(reply["ramdiskPaths"]);
  if (
    reply["ok"] !== true ||
    typeof args !== "string" ||
    typeof hasRamdisk !== "boolean" ||
    typeof kernelPath !== "string" ||
    typeof listing !== "string" ||
    !ramdiskPaths
  ) {
    throw wrong();
  }
  return { ok: true, lines, args, hasRamdisk, kernelPath, ramdiskPaths, listing };
}

function texts(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}

/** One run of `domus-pygrub`, from the arguments to the exit code. */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { isatty, ReadStream } from "node:tty";
import manifest from "../../package.json" with { type: "json" };
import { failureText, FailureError, ioFailure } from "../base/failure.ts";
import { printable, printableLines } from "../base/printable.ts";
import { GIB, MIB } from "../base/units.ts";
import { parseGrub2AsPygrub } from "../boot/pygrub/grub2-config.ts";
import { decodeText, encodeText } from "../bytes/text.ts";
import type { BootRequest } from "../guest/bootloader/prepare-boot.ts";
import type { RepairWish } from "../guest/bootloader/plan-handover.ts";
import { readSettings } from "../guest/bootloader/settings.ts";
import { errnoOf } from "../host/local/errno.ts";
import { localHost } from "../host/local/local-host.ts";
import { formatAnswer } from "./answer.ts";
import { bootOnce } from "./boot.ts";
import { runMenu } from "./menu/run-menu.ts";
import { parseOptions, usageText } from "./options.ts";
import type { Options } from "./options.ts";
import { createTempFile, descriptorOut, removeTempFile } from "./temp-files.ts";
import type { TempFile } from "./temp-files.ts";
import { runUnprivileged } from "./unprivileged.ts";
import type { ChildReply, ChildRequest } from "./unprivileged.ts";
import { askWaiting } from "./waiting.ts";

const PROGRAM = "domus-pygrub";
/** libxl kills a restricted bootloader after 120 s: what takes longer is to say so itself. */
const DEADLINE_MS = 100_000;
const STDOUT = 1;
/** What a guest's disk may put on the console and into the log, of which libxl cuts nothing. */
const MAX_LINES = 60;
const MAX_LINE_LENGTH = 2000;

/** The exit code: 0, or 1 for everything that went wrong, as pygrub has it. */
export async function pygrub(argv: readonly string[]): Promise<number> {
  const parsed = parseOptions(argv);
  switch (parsed.kind) {
    case "help":
      say([usageText(PROGRAM)]);
      return 0;
    case "version":
      writeSync(STDOUT, `${PROGRAM} ${manifest.version}\n`);
      return 0;
    case "wrong":
      say([`${PROGRAM}: ${parsed.message}`, ...(parsed.usage ? [usageText(PROGRAM)] : [])]);
      return 1;
    case "run":
      return guarded(parsed.options);
  }
}

async function guarded(options: Options): Promise<number> {
  const files = new Files();
  const stop = new AbortController();
  // Not only aborted: whoever is killed must leave nothing behind, whatever is being done.
  const onSignal = (name: NodeJS.Signals) => {
    stop.abort(new Error(`ended by ${name}`));
    files.remove();
    process.exit(1);
  };
  const signals = ["SIGTERM", "SIGHUP", "SIGINT"] as const;
  for (const name of signals) process.on(name, onSignal);
  try {
    const code = await run(options, files, stop.signal);
    if (code !== 0) files.remove();
    return code;
  } catch (error) {
    files.remove();
    if (error instanceof FailureError) tell([failureText(error.failure)]);
    else if (error instanceof Error && error.name === "TimeoutError") {
      tell([`reading the disk took more than ${DEADLINE_MS / 1000} s, and was given up.`]);
    } else tell([error instanceof Error ? error.message : String(error)]);
    if (options.debug && error instanceof Error) say([printableLines(error.stack ?? "")]);
    return 1;
  } finally {
    for (const name of signals) process.off(name, onSignal);
    stop.abort();
  }
}

/** The two files of one run. */
class Files {
  readonly made: TempFile[] = [];
  #closed = false;

  make(directory: string, prefix: string): TempFile {
    const file = createTempFile(directory, prefix);
    this.made.push(file);
    return file;
  }

  drop(file: TempFile): void {
    removeTempFile(file);
    this.made.splice(this.made.indexOf(file), 1);
  }

  /** Before the answer names them: a filesystem may refuse what was written as late as here. */
  close(): void {
    this.#closed = true;
    for (const { fd, path } of this.made) {
      try {
        closeSync(fd);
      } catch (error) {
        throw ioFailure([path], "close", errnoOf(error), error);
      }
    }
  }

  remove(): void {
    for (const file of this.made.splice(0)) removeTempFile(file, !this.#closed);
  }
}

async function run(options: Options, files: Files, stop: AbortSignal): Promise<number> {
  if (options.isConfig) return showConfig(options.disk);
  prepareDirectory(options);
  const output = options.output === undefined ? STDOUT : openOutput(options.output);
  const mode = options.listEntries ? "list" : options.notReally ? "describe" : "prepare";
  if (mode === "prepare" && (await isStopped(options))) return 1;
  const kernel = mode === "prepare" ? files.make(options.directory, "boot_kernel.") : undefined;
  const ramdisk = mode === "prepare" ? files.make(options.directory, "boot_ramdisk.") : undefined;
  const job: Job = { options, mode, kernel, ramdisk, stop };
  const reply = await (options.runAs === undefined ? bootHere(job) : bootAs(options.runAs, job));
  if (!reply.ok) {
    tell(reply.lines);
    return 1;
  }
  tell(reply.lines);
  if (mode === "list") {
    writeAll(STDOUT, reply.listing);
    return 0;
  }
  if (ramdisk && !reply.hasRamdisk) files.drop(ramdisk);
  const ramdiskPath = ramdisk ? ramdisk.path : `<ramdisk:${reply.ramdiskPaths.join(" ")}>`;
  const answer = {
    kernel: kernel ? kernel.path : `<kernel:${reply.kernelPath}>`,
    args: reply.args,
    ...(reply.hasRamdisk && { ramdisk: ramdiskPath }),
  };
  files.close();
  writeAll(output, formatAnswer(answer, options.format));
  return 0;
}

/** Here, where the rights are still those of libxl, and before anything is made. */
async function isStopped(options: Options): Promise<boolean> {
  const host = localHost();
  const wish = async () => (await readSettings(host)).waitingImage;
  const services = { host, parentPid: process.ppid, env: process.env, wish };
  const said = await askWaiting(options, services);
  if (said) tell(said.lines);
  return said?.stops ?? false;
}

type Job = {
  readonly options: Options;
  readonly mode: ChildRequest["mode"];
  readonly kernel: TempFile | undefined;
  readonly ramdisk: TempFile | undefined;
  readonly stop: AbortSignal;
};

async function bootHere({ options, mode, kernel, ramdisk, stop }: Job): Promise<ChildReply> {
  const limit = fileLimitBytes();
  const asks = mode === "prepare" && options.interactive && isatty(0) && isatty(STDOUT);
  // A person may think as long as they like.
  const signal = asks ? stop : AbortSignal.any([stop, AbortSignal.timeout(DEADLINE_MS)]);
  return bootOnce({
    request: await requestOf(options),
    mode,
    host: localHost(),
    signal,
    ...(kernel &&
      ramdisk && {
        out: {
          kernel: descriptorOut(kernel.fd, kernel.path, limit),
          ramdisk: descriptorOut(ramdisk.fd, ramdisk.path, limit),
        },
      }),
    ...(asks && {
      choose: (menu) =>
        runMenu(menu, options.disk, { input: new ReadStream(0), output: process.stdout }, signal),
    }),
  });
}

async function bootAs(uid: number, job: Job): Promise<ChildReply> {
  const { options, mode, kernel, ramdisk, stop } = job;
  const request = { request: await requestOf(options), mode, limitBytes: fileLimitBytes() };
  const disk = openDisk(options.disk);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(DEADLINE_MS)]);
  try {
    return await runUnprivileged(
      uid,
      request,
      { disk, kernel: kernel?.fd, ramdisk: ramdisk?.fd },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    closeSync(disk);
  }
}

async function requestOf(options: Options): Promise<BootRequest> {
  const { disk, kernel, ramdisk, args, entry, offset } = options;
  return {
    disk,
    args,
    repair: await repairOf(options),
    ...(kernel !== undefined && { kernel }),
    ...(ramdisk !== undefined && { ramdisk }),
    ...(entry !== undefined && { entry }),
    ...(offset !== undefined && { offset }),
  };
}

async function repairOf({ repair }: Options): Promise<RepairWish> {
  if (!repair) return "never";
  const settings = await readSettings(localHost());
  tell(settings.problems);
  return settings.repair;
}

/** Python's RLIMIT_FSIZE of the unprivileged pygrub; here it bounds every run where it is set. */
function fileLimitBytes(): number {
  const wish = process.env["PYGRUB_MAX_FILE_SIZE_MB"];
  return wish !== undefined && /^\d{1,6}$/.test(wish) ? Number(wish) * MIB : GIB;
}

function prepareDirectory({ directory, directoryGiven }: Options): void {
  if (directoryGiven) {
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
    throw new Error(`${directory} is not an existing directory`);
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw ioFailure([directory], "create", errnoOf(error), error);
  }
}

/** It must be there, and is not shortened: libxl has made it. */
function openOutput(path: string): number {
  return opened(path, constants.O_WRONLY);
}

function openDisk(path: string): number {
  return opened(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

function opened(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw ioFailure([path], "open", errnoOf(error), error);
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = encodeText(text);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  } catch (error) {
    throw ioFailure(["the answer"], "write", errnoOf(error), error);
  }
}

/** `--isconfig`: what pygrub itself reads in a grub.cfg outside any disk. */
function showConfig(path: string): number {
  let text: string;
  try {
    text = decodeText(readFileSync(path));
  } catch (error) {
    throw ioFailure([path], "read", errnoOf(error), error);
  }
  const parsed = parseGrub2AsPygrub(text);
  if ("crash" in parsed) throw new Error(`${path}: ${parsed.crash}`);
  const { kernelPath, ramdiskPath, args } = parsed.chosen;
  const lines = [
    `  kernel: ${kernelPath}`,
    ...(ramdiskPath === undefined ? [] : [`  initrd: ${ramdiskPath}`]),
    `  args: ${args}`,
  ];
  writeAll(STDOUT, `${lines.map(printable).join("\n")}\n`);
  return 0;
}

/** To the console: whose text it is shows, and control characters do not. */
function tell(lines: readonly string[]): void {
  const shown = lines.slice(0, MAX_LINES).map((line) => line.slice(0, MAX_LINE_LENGTH));
  if (lines.length > MAX_LINES) shown.push(`and ${lines.length - MAX_LINES} more lines`);
  say(shown.map((line, index) => (index === 0 ? `${PROGRAM}: ${line}` : `  ${line}`)));
}

/** Synchronously, so that nothing is lost when the process ends next. */
function say(lines: readonly string[]): void {
  for (const line of lines) {
    try {
      writeSync(2, `${printable(line)}\n`);
    } catch {
      // A console that is gone keeps no guest from starting.
    }
  }
}

/** `npm run lab -- up|down|ssh|status|reset`: real Xen hosts in QEMU. See docs/howto/lab.md. */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ensurePrograms } from "../tools/programs.ts";
import { listRecords } from "./host-files.ts";
import { findHost, openHost, type LabHost } from "./host.ts";
import { LAB_PACKAGES } from "./packages.ts";
import { accelerator } from "./qemu.ts";
import { isLabRelease, RELEASES, type LabRelease } from "./releases.ts";

const USAGE = `npm run lab -- up [--release bookworm|bullseye|trixie] [--name NAME] [--hosts N]
npm run lab -- ssh [--name NAME] [-- COMMAND]
npm run lab -- status
npm run lab -- reset [--name NAME]    back to the state of the first boot
npm run lab -- down [--name NAME] [--keep]    without --name: all but those of tests (test-...);
                                              --keep keeps their disks`;

class UsageError extends Error {}

const say = (line: string): void => void process.stderr.write(`lab: ${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const OPTIONS = {
  release: { type: "string" },
  name: { type: "string" },
  hosts: { type: "string" },
  keep: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Flags = { release?: string; name?: string; hosts?: string; keep?: boolean };

function release(flags: Flags): LabRelease | undefined {
  if (flags.release === undefined || isLabRelease(flags.release)) return flags.release;
  throw new UsageError(`--release is one of ${Object.keys(RELEASES).join(", ")}`);
}

/** The hosts' names: NAME, or NAME1, NAME2, ... when there are several. */
function names(flags: Flags): string[] {
  const count = Number(flags.hosts ?? "1");
  if (!Number.isInteger(count) || count < 1 || count > 9) {
    throw new UsageError("--hosts is a number from 1 to 9");
  }
  const name = flags.name ?? "lab";
  return count === 1 ? [name] : Array.from({ length: count }, (_, at) => `${name}${at + 1}`);
}

function existing(name: string): LabHost {
  const host = findHost(name, say);
  if (!host) throw new Error(`there is no lab host ${name}: npm run lab -- up --name ${name}`);
  return host;
}

async function up(flags: Flags): Promise<void> {
  const wanted = release(flags);
  if (accelerator() === "tcg") {
    say("no KVM here: the host is emulated, everything takes ten times as long");
  }
  for (const name of names(flags)) {
    const host = await openHost({ name, say, ...(wanted && { release: wanted }) });
    const xen = /xen_version\s*:\s*(\S+)/.exec(await host.output("xl info"))?.[1];
    print(`${name}: up, Xen ${xen}, ${host.address} on the lab's network`);
    print(`${name}: npm run lab -- ssh --name ${name}`);
  }
}

function status(): void {
  for (const { name } of listRecords()) {
    const host = existing(name);
    const state = host.isUp ? "up  " : "down";
    print(
      `${name.padEnd(12)} ${state} ${host.release.padEnd(9)} ${host.address}  ${host.directory}`,
    );
  }
}

/** The hosts that no test is using. */
function ownHosts(): string[] {
  return listRecords().flatMap(({ name }) => (name.startsWith("test-") ? [] : name));
}

async function down(flags: Flags): Promise<void> {
  const hosts = flags.name === undefined ? ownHosts() : [flags.name];
  for (const name of hosts) {
    const host = existing(name);
    await (flags.keep ? host.killPower() : host.remove());
    print(`${name}: down${flags.keep ? ", its disks are kept" : ""}`);
  }
}

function ssh(flags: Flags, command: readonly string[]): void {
  const name = flags.name ?? ownHosts()[0] ?? "lab";
  const host = existing(name);
  if (!host.isUp) throw new Error(`the lab host ${name} is down: npm run lab -- up --name ${name}`);
  const [program, ...args] = host.sshCommand;
  const terminal = command.length === 0 ? ["-t"] : [];
  // the last word of ssh's argv is where to log in: options come before it
  const to = args.pop()!;
  const ran = spawnSync(program!, [...args, ...terminal, to, ...command], { stdio: "inherit" });
  process.exitCode = ran.status ?? 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) return print(USAGE);
  if (rest.length > 0 && command !== "ssh") throw new UsageError(`what is ${rest.join(" ")}?`);
  ensurePrograms(LAB_PACKAGES);
  if (command === "up") await up(values);
  else if (command === "down") await down(values);
  else if (command === "status") status();
  else if (command === "reset") await existing(names(values)[0]!).reset();
  else if (command === "ssh") ssh(values, rest);
  else throw new UsageError(`there is no command ${command}`);
}

try {
  await main();
} catch (error) {
  if (error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE")) {
    say(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
  } else {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

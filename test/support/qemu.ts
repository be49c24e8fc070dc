/** Boots a kernel and an initramfs in QEMU (software emulation, no network) and reads its console. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Boot = {
  readonly kernel: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memoryMib?: number;
  /** Image files, as virtio disks in this order. */
  readonly disks?: readonly string[];
  /** The console text is complete when it matches; the machine is then stopped. */
  readonly until: RegExp;
  readonly timeoutMs?: number;
};

/** For how long the console's text may have been there before it is seen. */
const POLL_MS = 100;

/**
 * The whole console text. Fails when neither `until` is seen nor the machine ends within the time. The console is a file: a pipe
 * that nobody reads for a moment makes the kernel give up on its serial port, and lines are lost.
 */
export async function bootInQemu(boot: Boot): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "domus-qemu-"));
  try {
    return await boots(boot, join(dir, "console"));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function boots(boot: Boot, console: string): Promise<string> {
  const args = [
    "-accel tcg -machine q35 -cpu max -display none -monitor none -nic none -no-reboot",
    `-m ${boot.memoryMib ?? 512}`,
  ].flatMap((words) => words.split(" "));
  args.push("-serial", `file:${console}`, "-kernel", boot.kernel);
  if (boot.initrd) args.push("-initrd", boot.initrd);
  args.push("-append", `console=ttyS0 panic=-1 ${boot.append ?? ""}`);
  for (const file of boot.disks ?? []) {
    args.push("-drive", `file=${file},format=raw,if=virtio,cache=unsafe`);
  }
  writeFileSync(console, "");
  const said = () => readFileSync(console, "latin1");
  return new Promise((resolve, reject) => {
    const qemu = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    const timer = setTimeout(() => qemu.kill("SIGKILL"), boot.timeoutMs ?? 300_000);
    const looking = setInterval(() => boot.until.test(said()) && qemu.kill("SIGTERM"), POLL_MS);
    qemu.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    qemu.on("error", reject);
    qemu.on("close", (code, signal) => {
      clearTimeout(timer);
      clearInterval(looking);
      const text = said();
      if (signal === "SIGKILL") reject(new Error(`no end in time; the console says:\n${text}`));
      else if (code !== 0 && text === "") reject(new Error(`qemu: ${errors}`));
      else resolve(text);
    });
  });
}

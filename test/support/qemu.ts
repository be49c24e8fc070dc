/** Boots a kernel and an initramfs in QEMU (software emulation, no network) and reads its console. */
import { spawn } from "node:child_process";

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

/** The whole console text. Fails when neither `until` is seen nor the machine ends within the time. */
export function bootInQemu(boot: Boot): Promise<string> {
  const args = [
    "-accel tcg -machine q35 -cpu max -display none -serial stdio -monitor none -nic none -no-reboot",
    `-m ${boot.memoryMib ?? 512}`,
  ].flatMap((words) => words.split(" "));
  args.push("-kernel", boot.kernel);
  if (boot.initrd) args.push("-initrd", boot.initrd);
  args.push("-append", `console=ttyS0 panic=-1 ${boot.append ?? ""}`);
  for (const file of boot.disks ?? []) {
    args.push("-drive", `file=${file},format=raw,if=virtio,cache=unsafe`);
  }
  return new Promise((resolve, reject) => {
    const qemu = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    let errors = "";
    const timer = setTimeout(() => qemu.kill("SIGKILL"), boot.timeoutMs ?? 120_000);
    qemu.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    qemu.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (boot.until.test(text)) qemu.kill("SIGTERM");
    });
    qemu.on("error", reject);
    qemu.on("close", (code, signal) => {
      clearTimeout(timer);
      if (signal === "SIGKILL") reject(new Error(`no end in time; the console says:\n${text}`));
      else if (code !== 0 && text === "") reject(new Error(`qemu: ${errors}`));
      else resolve(text);
    });
  });
}

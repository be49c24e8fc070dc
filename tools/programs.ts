/** Programs of the system that scripts of the project use, and how they come onto a Debian machine. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

export function isInstalled(program: string): boolean {
  if (program.startsWith("/")) return existsSync(program);
  return (
    spawnSync("sh", ["-c", 'command -v "$1"', "sh", program], { env: { ...process.env, PATH } })
      .status === 0
  );
}

/**
 * Sees to it that the programs are there: installs their packages when run by root, says what to install otherwise.
 * `wanted` is program, or the path of a file, to Debian package.
 */
export function ensurePrograms(wanted: Readonly<Record<string, string>>): void {
  const absent = Object.keys(wanted).filter((program) => !isInstalled(program));
  if (absent.length === 0) return;
  const packages = [...new Set(absent.map((program) => wanted[program]!))];
  const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid?.() !== 0) {
    console.error(`domus: this needs ${absent.join(", ")}. Install them as root:\n  ${command}`);
    process.exit(1);
  }
  console.error(`domus: installing ${packages.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (line: string) =>
    spawnSync("sh", ["-c", line], { env, stdio: ["ignore", 2, 2] }).status === 0;
  if (run(command) || (run("apt-get -q update") && run(command))) return;
  console.error("domus: apt-get failed: see above");
  process.exit(1);
}

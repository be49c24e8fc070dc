/** Runs our pygrub from the sources, as libxl would: in a directory of its own, with an output file that is there. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "../../src/pygrub/main.ts");

export type DomusPygrub = {
  readonly exitCode: number | null;
  /** What was written to `--output`. */
  readonly answer: string;
  /** The contents of what the answer names. */
  readonly kernel?: Uint8Array;
  readonly ramdisk?: Uint8Array;
  readonly args: string;
  readonly stdout: string;
  readonly stderr: string;
  /** What it has left in the output directory. */
  readonly left: readonly string[];
};

export function domusPygrub(
  image: string,
  options: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): DomusPygrub {
  const dir = mkdtempSync(join(tmpdir(), "domus-pygrub-"));
  try {
    const output = join(dir, "out");
    writeFileSync(output, "");
    const files = join(dir, "d");
    rmSync(files, { recursive: true, force: true });
    spawnSync("mkdir", [files]);
    const ran = spawnSync(
      process.execPath,
      [
        MAIN,
        "-q",
        `--output=${output}`,
        "--output-format=simple0",
        `--output-directory=${files}`,
        ...options,
        image,
      ],
      { encoding: "utf8", env: { ...process.env, ...env } },
    );
    const answer = readFileSync(output, "utf8");
    const item = (name: string) =>
      answer
        .split("\0")
        .find((one) => one.startsWith(`${name} `))
        ?.slice(name.length + 1);
    const [kernel, ramdisk] = ["kernel", "ramdisk"]
      .map(item)
      .map((path) => path && readFileSync(path));
    return {
      exitCode: ran.status,
      answer,
      args: item("args") ?? "",
      stdout: ran.stdout,
      stderr: ran.stderr,
      left: readdirSync(files),
      ...(kernel && { kernel }),
      ...(ramdisk && { ramdisk }),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

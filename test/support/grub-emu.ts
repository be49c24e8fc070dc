/**
 * Real GRUB 2.06 as a program: Debian's grub-emu, unpacked into the cache, never installed. It runs a configuration
 * from a directory of this machine; its `linux` is missing, so a test defines a function of that name.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, debianPackage } from "../../lab/debian.ts";
import { need, sh } from "./need.ts";

let ready: { readonly program: string; readonly libraries: string } | undefined;

/** grub-emu links SDL for a screen that nobody looks at: empty functions of those names stand in for it. */
function grubEmu(): { readonly program: string; readonly libraries: string } {
  if (ready) return ready;
  need("gcc", "nm");
  const program = join(debianPackage("bookworm", "grub-emu"), "usr/bin/grub-emu");
  const libraries = cacheDir("grub-emu-lib");
  if (!existsSync(join(libraries, "libSDL-1.2.so.0"))) {
    sh(
      `nm -D --undefined-only ${program} | grep -o 'SDL_[A-Za-z_]*' | sort -u | sed 's/.*/void &(void){}/' > sdl.c
       gcc -shared -fPIC -o libSDL-1.2.so.0 sdl.c`,
      { cwd: libraries },
    );
  }
  ready = { program, libraries };
  return ready;
}

/**
 * What GRUB printed, without terminal sequences and its greeting, one line each. The configuration should end in
 * `exit`, else GRUB waits in its menu until `timeoutMs` is over.
 */
export function runGrubEmu(
  directory: string,
  config: string | Uint8Array,
  timeoutMs = 15_000,
): string[] {
  const { program, libraries } = grubEmu();
  writeFileSync(join(directory, "grub.cfg"), config);
  const ran = spawnSync(program, ["-d", directory, "-r", "host"], {
    env: { ...process.env, LD_LIBRARY_PATH: libraries, TERM: "dumb" },
    input: "",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: 1 << 28,
  });
  const text = ran.stdout.toString("utf8");
  if (!text.includes("Welcome to GRUB")) {
    throw new Error(`grub-emu did not start: ${ran.stderr.toString()}${text}`);
  }
  return (
    text
      // oxlint-disable-next-line no-control-regex -- terminal sequences are what is taken out
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "")
      .replaceAll("\r", "")
      .split("\n")
      .slice(1)
  );
}

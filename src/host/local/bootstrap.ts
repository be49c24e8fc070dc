/** Brings this domus to a host that has none, for as long as one session lasts (docs/design/sync-session.md, "--bootstrap"). */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { misuse } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { Channel } from "../../sync/channel.ts";

const PIECE_BYTES = 8 * MIB;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * For the login shell of the other host, whatever that is: without single quotes and line feeds inside. It takes the
 * executable from its stdin (see `sendExecutable`), is the far side of a session with it, and removes it when that has
 * ended. What goes wrong is said on stderr behind "cannot run what was sent", with exit code 126.
 */
export function bootstrapCommand(sha256: string): string {
  if (!SHA256.test(sha256)) throw new TypeError("no SHA-256");
  const fail = (why: string) => `{ echo "cannot run what was sent: ${why}" >&2; exit 126; }`;
  const script = [
    "umask 077",
    "d=",
    // A directory may be one in which nothing can be run.
    'for t in /var/tmp /tmp "$HOME"; do d=$(mktemp -d "$t/domus-XXXXXXXXXX" 2>/dev/null) || continue',
    'f="$d/domus"; printf "#!/bin/sh\\nexit 0\\n" >"$f"; chmod 700 "$f"; "$f" 2>/dev/null && break',
    'rm -rf "$d"; d=',
    "done",
    `[ -n "$d" ] || ${fail("neither in /var/tmp nor in /tmp nor at home can a program be put and run.")}`,
    'trap "rm -rf \\"$d\\"" EXIT',
    'trap "exit 129" HUP',
    'trap "exit 130" INT',
    'trap "exit 143" TERM',
    ': >"$f"',
    `while read -r n && [ "$n" -gt 0 ]; do head -c "$n" | gzip -dc >>"$f" || ${fail("it did not fit into $d, or arrived damaged.")}`,
    "done",
    `echo "${sha256}  $f" | sha256sum -c >/dev/null 2>&1 || ${fail("it did not arrive as it was.")}`,
    `"$f" --version >/dev/null 2>"$d/why" || ${fail('$(head -c 300 "$d/why" | tr "\\n" " ")')}`,
    '"$f" sync --serve',
  ].join("; ");
  // A list cannot begin behind "do" or "then" with a semicolon.
  return `exec sh -c '${script.replaceAll("do; ", "do ")}'`;
}

/** The single executable that this is, or that was built from these sources. `misuse` when there is none. */
export function executablePath(): string {
  if (isSea()) return process.execPath;
  const built = fileURLToPath(new URL("../../../dist/domus", import.meta.url));
  if (existsSync(built)) return built;
  throw misuse(
    "There is no executable to send: domus runs from its sources.",
    "Make it first: npm run build.",
  );
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MIB }))
    hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** `length LF` and so many bytes of gzip, again and again; then `0 LF`. */
export async function sendExecutable(channel: Channel, path: string): Promise<void> {
  await using file = await open(path);
  for (let at = 0; ;) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const packed = await promisify(gzip)(piece.subarray(0, bytesRead), { level: 1 });
    await channel.write([Buffer.from(`${packed.length}\n`), packed]);
  }
  await channel.write([Buffer.from("0\n")]);
}

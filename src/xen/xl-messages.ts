/** What xl says on stderr, in words for people. */
import { commandFailed } from "../base/failure.ts";
import type { FailureError } from "../base/failure.ts";

/** As `Ran` of src/host/host.ts. */
type Ran = {
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly stderr: string;
};

/** A question to Xen that xl did not answer. The one text for it, wherever it is asked. */
export function noAnswer({ argv, exitCode, stderr }: Ran): FailureError {
  const said = xlSaid(stderr);
  return commandFailed([argv.join(" ")], {
    what: `${argv.join(" ")} got no answer from Xen.`,
    why: `xl says: ${said || `nothing; it ended with exit code ${exitCode}`}`,
    next: /Permission denied|Operation not permitted/i.test(said)
      ? "Run it as root: only root may ask Xen."
      : "xl info says whether this host runs Xen and is its dom0, systemctl status xenstored whether the store is there that xl needs.",
  });
}

/** So many messages of xl, from the first on: it is the cause, those behind it are what came of it. */
const MAX_MESSAGES = 3;
const MAX_TEXT = 400;

/** What xl says of each save and restore, whatever becomes of it. */
const NO_MESSAGE =
  /^(?:xc: (?:info|progress|detail|debug): |Saving to .* new xl format|Loading new save file|\s+Savefile contains|Parsing config)/;

/**
 * What is in xl's messages, without what only its developers want: `libxl: error: libxl_device.c:1111:device_backend_callback: `. What
 * a script says is the cause of what libxl says of it, and comes first.
 */
export function xlSaid(stderr: string): string {
  const messages: string[] = [];
  for (const line of stderr.slice(0, 65_536).split(/\r?\n/)) {
    if (NO_MESSAGE.test(line)) continue;
    const message = line
      .trim()
      .replace(PREFIX, "")
      .replace(/^Domain \d+: ?/, "");
    // The scripts for block devices break their lines.
    if (messages.at(-1)?.endsWith(",")) messages.push(`${messages.pop()} ${message}`);
    else if (message !== "" && !messages.includes(message)) messages.push(message);
  }
  const ofScript = (message: string) => (message.startsWith("script: ") ? 0 : 1);
  const said = messages.toSorted((a, b) => ofScript(a) - ofScript(b));
  const text = said.slice(0, MAX_MESSAGES).join("; ");
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
}

const PREFIX =
  /^(?:lib\w+: (?:error|warning|info): (?:\w+\.c:\d+:\s?\w+: ?)?|xen\w+: error: |xc: (?:error|panic): (?:panic: )?(?:\w+\.c:\d+: ?)?)/;

/** Why the far side never came, or went away: from what ssh and the far shell said last. Pure. */
import { printable } from "../../base/printable.ts";
import type { FarEnding, FarOptions } from "./ports.ts";

export type Told = { readonly what: string; readonly why: string; readonly next: string };

type Sign = {
  readonly pattern: RegExp;
  readonly tell: (host: string, found: RegExpMatchArray, domus: string) => Told;
};

/** OpenSSH's own words (ssh is not translated), and those of shells. */
const SIGNS: readonly Sign[] = [
  {
    pattern: /Could not resolve hostname ([^\s:]+)/,
    tell: (host, [, name]) => ({
      what: `There is no host ${name}.`,
      why: "Neither /etc/hosts, DNS nor ~/.ssh/config knows that name.",
      next: `Check the spelling of ${host}. A local file with a colon in its name is written ./NAME.`,
    }),
  },
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    tell: (host) => ({
      what: `${host} is not the host that it was: its ssh key has changed.`,
      why: "Either it was installed again, or somebody is in between.",
      next: `Ask who looks after it. If it was installed again: ssh-keygen -R ${hostOnly(host)}, then ssh ${host} once by hand.`,
    }),
  },
  {
    pattern: /Host key verification failed/,
    tell: (host) => ({
      what: `ssh does not know the host key of ${host}.`,
      why: "This user has never logged in there, or has not accepted the key.",
      next: `Run ssh ${host} once by hand, compare the fingerprint, accept it, then run this again.`,
    }),
  },
  {
    pattern: /Permission denied \(([^)]*)\)/,
    tell: (host, [, methods]) => ({
      what: `${host} does not let this user in.`,
      why: `ssh was refused (${methods}): no key that it knows, or a wrong password.`,
      next: `Try ssh ${host} true. Name another user as USER@${hostOnly(host)}:PATH, another key with --ssh 'ssh -i FILE', or put the key there with ssh-copy-id ${host}.`,
    }),
  },
  {
    pattern:
      /(Connection refused|Connection timed out|No route to host|Network is unreachable|Operation timed out)/,
    tell: (host, [, why]) => ({
      what: `${host} cannot be reached.`,
      why: `ssh says: ${why}.`,
      next: `Check that it is up (ping ${hostOnly(host)}) and that its ssh listens on that port; another port is --ssh 'ssh -p PORT'.`,
    }),
  },
  {
    pattern: /cannot run what was sent: (.*)/,
    tell: (host, [, why]) => ({
      what: `The domus that was sent to ${host} does not run there.`,
      why: why!,
      next: "Install domus there by hand, for that machine, and leave --bootstrap out.",
    }),
  },
  {
    pattern: /(command not found|[:\s]not found$|No such file or directory)/m,
    tell: (host, _, domus) => ({
      what: `There is no domus on ${host}.`,
      why: `The shell there does not find ${domus}${domus.includes("/") ? "" : " in its PATH"}.`,
      next: "Send it along with --bootstrap, copy dist/domus to /usr/local/bin there, or name it with --far-domus PATH.",
    }),
  },
];

const MAX_SAID_LINES = 6;

/** Undefined when nothing was said and it ended as it should. */
export function explainEnding(
  { exitCode, stderr }: FarEnding,
  { host, ssh, domus }: FarOptions,
): Told | undefined {
  const name = host ?? "the other process";
  const said = saidLines(stderr);
  // Only a shell that has not found domus ends with 127, and only ssh itself with 255.
  if (host !== undefined && (exitCode === 255 || exitCode === 127 || exitCode === 126))
    for (const { pattern, tell } of SIGNS) {
      const found = stderr.match(pattern);
      if (found) return tell(host, found, domus);
    }
  if (/no command registered|unknown flag|there is no command/i.test(stderr))
    return {
      what: `The domus on ${name} is older, and does not know sync.`,
      why: `It is started with "${domus}".`,
      next: "Send this one along with --bootstrap, or install it there.",
    };
  if (exitCode === 0 && said === "") return undefined;
  const ended = exitCode === undefined ? "was killed" : `ended with exit code ${exitCode}`;
  const program = host === undefined ? "domus sync --serve" : ssh[0]!;
  return {
    what: `The connection to ${name} has ended.`,
    why: `${program} ${ended}${said === "" ? "." : `, and said: ${said}`}`,
    next:
      host === undefined
        ? "Run the same command again: it goes on where it was."
        : `See whether ssh ${host} works, then run the same command again: it goes on where it was.`,
  };
}

/** The last lines, as one. */
function saidLines(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .slice(-MAX_SAID_LINES)
    .map(printable)
    .join(" / ")
    .slice(0, 1000);
}

/** `hostb` of `root@hostb` */
function hostOnly(host: string): string {
  return host.slice(host.lastIndexOf("@") + 1);
}

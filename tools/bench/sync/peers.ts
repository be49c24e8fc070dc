/** What domus is compared with, each with the options that were best for it; all over the same ssh, unless they are local. */
import { join } from "node:path";

export const SCENARIOS = [
  "first copy",
  "delta",
  "nothing changed",
  "delta, kept index",
  "nothing changed, kept index",
  "changed blocks known",
] as const;
export type Scenario = (typeof SCENARIOS)[number];

export type Peer = {
  readonly name: string;
  /**
   * For bash, with SRC, DST (a path on the far side), SSH (a command, options and all), LOOKS, KEPT and DIR in its
   * environment. A scenario that is not there is not for it.
   */
  readonly commands: Readonly<Partial<Record<Scenario, string>>>;
};

/** The command as it is shipped, on both sides. */
export function domusPeer(dist: string): Peer {
  const sync = (options: string) =>
    `${dist} sync --ssh "$SSH" --far-domus ${dist} --state-dir $DIR/state ${options} $SRC far:$DST`;
  return {
    name: "domus sync",
    commands: {
      "first copy": sync(""),
      delta: sync("--full"),
      "nothing changed": sync("--full"),
      "delta, kept index": sync("--keep-index"),
      "nothing changed, kept index": sync("--keep-index"),
    },
  };
}

/** The engine alone, both sides from one bundle: `side` is its path, `node` what runs it. */
export function enginePeer(node: string, side: string): Peer {
  const far = `$SSH far ${node} ${side} destination $DST`;
  const near = `${node} ${side} source $SRC "${far}"`;
  return {
    name: "its engine alone",
    commands: {
      "first copy": near,
      delta: near,
      "nothing changed": near,
      "changed blocks known": `${near} $LOOKS`,
    },
  };
}

const ALL = ["first copy", "delta", "nothing changed"] as const;

function everywhere(name: string, command: string): Peer {
  return { name, commands: Object.fromEntries(ALL.map((scenario) => [scenario, command])) };
}

const PERL = join(import.meta.dirname, "digests.pl");
const RSYNC = 'rsync --inplace -I --no-whole-file -e "$SSH" $SRC far:$DST';

export const PEERS: readonly Peer[] = [
  everywhere("rsync --inplace -I", RSYNC),
  everywhere(
    "perl, md5, lzop",
    `$SSH far perl ${PERL} digest $DST >$DIR/digests && ` +
      `perl ${PERL} changed $SRC $DIR/digests | lzop -c | $SSH far "lzop -dc | perl ${PERL} write $DST"`,
  ),
  {
    name: "dd | ssh dd",
    commands: {
      "first copy": `dd if=$SRC bs=4M status=none | $SSH far "dd of=$DST bs=4M iflag=fullblock conv=notrunc status=none"`,
    },
  },
  {
    name: "dd | zstd -1 | ssh, sparse",
    commands: {
      "first copy": `dd if=$SRC bs=4M status=none | zstd -q -1 -T2 -c | $SSH far "zstd -q -dc | dd of=$DST bs=4M iflag=fullblock conv=sparse,notrunc status=none"`,
    },
  },
  {
    name: "qemu-img convert (local)",
    commands: {
      "first copy": `qemu-img convert -f raw -O raw -n --target-is-zero -W -m 8 $SRC $DST`,
    },
  },
];

const KEPT = ["delta, kept index", "nothing changed, kept index"] as const;

/**
 * `name=command` of `--peer`: a program that Debian does not package, where a person has it. `name@kept=command`: one that
 * keeps an index between runs, in the file KEPT.
 */
export function peerOf(text: string): Peer {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`--peer wants name=command, not ${text}`);
  const [name, command] = [text.slice(0, at), text.slice(at + 1)];
  if (!name.endsWith("@kept")) return everywhere(name, command);
  return {
    name: name.slice(0, -"@kept".length),
    commands: Object.fromEntries(KEPT.map((scenario) => [scenario, command])),
  };
}

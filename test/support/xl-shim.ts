/**
 * A program `xl` in front of dom0's own that strikes at a counted call: kills the command that called it, or xl itself, or says
 * that it is time to pull the plug. A call is counted wherever the machine is slow or fast.
 */
import type { LabHost } from "../../lab/host.ts";
import { quote } from "../../lab/ssh.ts";

const DIRECTORY = "/var/tmp/xl-shim";

/**
 * `caller before`, `caller after`: SIGKILL for domus before or after that call. `xl`: SIGKILL for that call of xl, once
 * it has been at work for `delayMs`, or its image has begun to grow. `power before`, `power after`: the call hangs until the plug is pulled.
 * `hook`: the line of sh `hook` is run before it.
 */
export type Strike = {
  readonly what: "caller before" | "caller after" | "xl" | "power before" | "power after" | "hook";
  /** Counted from 1, among the calls of that verb, of all by default. */
  readonly at: number;
  /** A verb of xl: `save`. */
  readonly of?: string;
  readonly delayMs?: number | "grown";
  readonly hook?: string;
};

const SHIM = `#!/bin/sh
dir=${DIRECTORY}
# every one says what it was asked, so that a test can see it
echo "$*" >> $dir/calls
read -r at delay of what < $dir/strike
struck=no
counted=no
[ "$of" = "*" ] && counted=yes
[ "$of" = "$1" ] && counted=yes
if [ $counted = yes ]; then
  n=$(($(cat $dir/count) + 1))
  echo $n > $dir/count
  [ $n = "$at" ] && struck=yes
fi
[ $struck = yes ] || exec /usr/sbin/xl "$@"
echo "$*" > $dir/struck
hang() { touch $dir/power; while :; do sleep 1000; done; }
# has the image, which is one of the words, begun to grow?
grown() {
  for one in "$@"; do
    [ -f "$one" ] && [ "$(stat -c %s "$one")" -gt 1000000 ] && return 0
  done
  return 1
}
case "$what" in
  "caller before") kill -9 $PPID; exit 137 ;;
  "power before") hang ;;
  hook) sh $dir/hook > /dev/null 2>&1; exec /usr/sbin/xl "$@" ;;
  xl) /usr/sbin/xl "$@" &
    child=$!
    if [ "$delay" = grown ]; then
      until grown "$@"; do
        kill -0 $child 2> /dev/null || break
        sleep 0.1
      done
    else
      sleep $delay
    fi
    kill -9 $child
    wait $child
    exit 137 ;;
esac
/usr/sbin/xl "$@"
code=$?
case "$what" in
  "caller after") kill -9 $PPID ;;
  "power after") hang ;;
esac
exit $code
`;

/** Puts the shim into dom0; `withShim` makes a command use it. */
export async function installShim(host: LabHost): Promise<void> {
  await host.output(
    `mkdir -p ${DIRECTORY} && cat > ${DIRECTORY}/xl && chmod 755 ${DIRECTORY}/xl
     sync -f ${DIRECTORY}`,
    { input: SHIM },
  );
}

/** Makes ready for the next command: nothing was called yet. */
export async function armShim(host: LabHost, strike: Strike): Promise<void> {
  const { what, at, of = "*", delayMs = 0, hook = "" } = strike;
  const delay = delayMs === "grown" ? delayMs : (delayMs / 1000).toFixed(3);
  await host.output(
    `cd ${DIRECTORY} && rm -f power struck calls && echo 0 > count && read -r line && echo "$line" > strike && cat > hook`,
    { input: `${at} ${delay} ${of} ${what}\n${hook}\n` },
  );
}

/** The command line with the shim in front of xl. */
export function withShim(command: string): string {
  return `PATH=${DIRECTORY}:$PATH ${command}`;
}

export type ShimSaw = {
  /** The words of each call of xl, in order. */
  readonly calls: readonly string[];
  /** The call at which it struck. */
  readonly struck?: string;
  /** It is time to pull the plug. */
  readonly power: boolean;
};

export async function readShim(host: LabHost): Promise<ShimSaw> {
  const { stdout } = await host.run(
    `cd ${quote(DIRECTORY)}; cat struck 2>/dev/null || echo; [ -e power ] && echo yes || echo no; cat calls 2>/dev/null`,
  );
  const [struck = "", power, ...calls] = stdout.trimEnd().split("\n");
  return { calls, ...(struck !== "" && { struck }), power: power === "yes" };
}

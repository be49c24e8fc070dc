/** A `World` as domus sees a host: what xl prints, /proc, and the logs. */
import { missing } from "../../../../src/base/failure.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { Observation } from "../../../../src/guest/watch/observation.ts";
import type { Host } from "../../../../src/host/host.ts";
import type { DomainState } from "../../../../src/xen/xl-list.ts";
import { xlList } from "../../../support/dom0.ts";
import type { World } from "./world.ts";

const FLAGS: Readonly<Record<DomainState | "unknown", string>> = {
  ...{ running: "-b----", paused: "--p---", suspended: "---ss-", crashed: "---sc-" },
  ...{ "shut-down": "---s--", dying: "---s-d", unknown: "r-----" },
};

export type WorldHost = Host & {
  /** Xen does not answer. */
  isDeaf: boolean;
  /** How often xl was asked. */
  asked: number;
};

export function worldHost(world: World): WorldHost {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const files = (look: Observation): Map<string, string> => {
    const logs = new Map<string, string>();
    for (const life of look.lifetimes) {
      const path = `/var/log/xen/xl-${life.name}.log`;
      logs.set(path, (logs.get(path) ?? "") + logText(life));
    }
    for (const { pid, verb, words } of look.processes)
      logs.set(`/proc/${pid}/cmdline`, ["/usr/sbin/xl", verb, ...words, ""].join("\0"));
    return logs
      .set("/proc/sys/kernel/random/boot_id", `${world.bootId}\n`)
      .set("/proc/uptime", "100.00 1.00\n");
  };
  const host: WorldHost = {
    name: "this host",
    live: true,
    isDeaf: false,
    asked: 0,
    async run(argv) {
      host.asked++;
      if (host.isDeaf) return { argv, exitCode: 1, stdout: "", stderr: "xencall: error: no\n" };
      const { domains } = world.look();
      const idle = domains.filter(({ hasRun }) => !hasRun).map(({ uuid }) => uuid);
      const listed = domains.map(({ domid, name, uuid, state, guest }) => ({
        ...{ domid, name, uuid, flags: FLAGS[state] },
        config: {
          c_info: { name, uuid },
          disks: guest!.disks.map(({ vdev, target }) => ({
            ...{ pdev_path: target, vdev, format: "raw", readwrite: 1 },
          })),
        },
      }));
      const lines = (xlList(listed)[argv.join(" ")] ?? "").split("\n").map((line) =>
        // Its time of a processor.
        idle.some((uuid) => line.includes(uuid)) ? line.replace(" 25.2 ", "  0.0 ") : line,
      );
      return { argv, exitCode: 0, stderr: "", stdout: lines.join("\n") };
    },
    async openBlock(path) {
      const text = files(world.look()).get(path);
      if (text === undefined) throw missing([path], "such file");
      return {
        ...memorySource(bytes(text), [path]),
        blockSize: 512,
        modifiedMs: world.nowMs,
        async *extents() {},
        async [Symbol.asyncDispose]() {},
      };
    },
    async readFile(path) {
      const text = files(world.look()).get(path);
      if (text === undefined) throw missing([path], "such file");
      return bytes(text);
    },
    async list(path) {
      const inside = [...files(world.look()).keys()].filter((one) => one.startsWith(`${path}/`));
      return [...new Set(inside.map((one) => one.slice(path.length + 1).split("/")[0]!))].sort();
    },
    kind: async () => "file",
    realPath: async (path) => path,
  };
  return host;
}

function logText({
  domid,
  name,
  pid,
  restartOf,
  ending,
}: Observation["lifetimes"][number]): string {
  const lines = [
    ...(restartOf === undefined ? [] : ["Done. Rebooting now"]),
    `Waiting for domain ${name} (domid ${domid}) to die [pid ${pid}]`,
  ];
  if (ending && ending.code === undefined) lines.push(`Domain ${domid} has been destroyed.`);
  if (ending?.code !== undefined)
    lines.push(`Domain ${domid} has shut down, reason code ${ending.code} 0x${ending.code}`);
  if (ending?.action !== undefined)
    lines.push(`Action for shutdown reason code ${ending.code} is ${ending.action}`);
  return `${lines.join("\n")}\n`;
}

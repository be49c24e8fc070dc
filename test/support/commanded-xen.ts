/** A scripted Xen for the commands that act on domains: what each call of xl does is the test's. */
import { imagesThatWait } from "../../src/guest/guard/waiting-disks.ts";
import type { LifecyclePorts } from "../../src/guest/lifecycle/ports.ts";
import type { Host, Ran } from "../../src/host/host.ts";
import type { GuestEvent } from "../../src/host/records.ts";
import { fakeClock } from "./clock.ts";
import type { FakeClock } from "./clock.ts";
import { fakeDom0, xlList } from "./dom0.ts";
import type { Dom0Options, FakeDomain } from "./dom0.ts";
import { fakeRecords, recordStore } from "./fake-records.ts";

export const WEB1_UUID = "822e57d0-1279-42d4-ac91-63be99d78339";

export type Said = Partial<Pick<Ran, "exitCode" | "stdout" | "stderr">>;

/** Domains as they are now; a test changes them. */
export type CommandedXen = {
  domains: FakeDomain[];
  /** All calls that are no questions, without `xl`. */
  readonly calls: string[];
  /** What was told to people. */
  readonly told: string[];
  readonly clock: FakeClock;
  readonly ports: LifecyclePorts;
  readonly events: () => readonly Omit<GuestEvent, "id" | "atMs">[];
};

export type CommandedOptions = {
  /** By xl's verb. A verb that is not here succeeds and does nothing. */
  readonly verbs?: Readonly<
    Record<string, (xen: CommandedXen, argv: readonly string[]) => Said | void>
  >;
  /** Called at each look at Xen, with the number of looks before it. */
  readonly onLook?: (xen: CommandedXen, looks: number) => void;
  readonly files?: Dom0Options["files"];
  readonly findUsers?: LifecyclePorts["guard"]["findUsers"];
  readonly replaceFile?: Host["replaceFile"];
};

export function commandedXen(
  domains: readonly FakeDomain[],
  { verbs = {}, onLook, files = {}, findUsers, replaceFile }: CommandedOptions = {},
): CommandedXen {
  const store = recordStore();
  const records = fakeRecords(store);
  const clock = fakeClock();
  let looks = 0;
  const list = (flag: string, domid: string | undefined): Said => {
    onLook?.(xen, looks++);
    const wanted = xen.domains.filter((one) => domid === undefined || String(one.domid) === domid);
    if (domid !== undefined && wanted.length === 0)
      return { exitCode: 1, stderr: `Error: Domain '${domid}' does not exist.\n` };
    return { stdout: xlList(wanted)[`xl list ${flag}`]! };
  };
  const host: Host = {
    ...fakeDom0({ files }),
    ...(replaceFile && { replaceFile }),
    async run(argv) {
      const [, verb = "", ...words] = argv;
      const asks = verb === "list";
      if (!asks) xen.calls.push(argv.slice(1).join(" "));
      const said = (asks ? list(words[0]!, words[1]) : verbs[verb]?.(xen, argv)) ?? {};
      return { argv, exitCode: 0, stdout: "", stderr: "", ...said };
    },
  };
  const told: string[] = [];
  const none = () => Promise.reject(new Error("no files here"));
  const xen: CommandedXen = {
    domains: [...domains],
    calls: [],
    told,
    clock,
    events: () =>
      store.tables.events.map(({ guest, uuid, domid, kind, by, detail }) => ({
        ...{ guest, kind, by, detail },
        ...(uuid !== undefined && { uuid }),
        ...(domid !== undefined && { domid }),
      })),
    ports: {
      records,
      self: { pid: 1, pidStarted: "1", bootId: "b" },
      isAlive: () => true,
      host,
      guard: {
        findUsers: findUsers ?? (async () => []),
        copyState: async () => undefined,
        reachesOf: async (paths) =>
          new Map(paths.map((path) => [path, { identity: path, reaches: [path] }])),
        waitingImages: () => imagesThatWait(host, records),
      },
      files: {
        makeDirectory: none,
        create: none,
        sync: none,
        rename: none,
        remove: none,
        freeBytes: none,
      },
      xlWith: async () => [],
      clock,
      nowMs: () => 1_700_000_000_000 + clock.now(),
      imageDirectory: "/var/lib/domus/images",
      tell: (text) => told.push(text),
    },
  };
  return xen;
}

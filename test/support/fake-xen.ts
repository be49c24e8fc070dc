/**
 * A dom0 in memory that keeps state: domains with memory, disks that they write to, files that are lost with the power unless
 * they were flushed. A command that works on it can be cut off before and after each of its effects.
 */
import { missing, ioFailure } from "../../src/base/failure.ts";
import { directoryOf } from "../../src/base/path.ts";
import { memorySource } from "../../src/disk/source.ts";
import type { BlockDevice } from "../../src/disk/source.ts";
import type { GuardPorts } from "../../src/guest/guard/disk-guard.ts";
import { imagesThatWait } from "../../src/guest/guard/waiting-disks.ts";
import type { ImageFiles, LifecyclePorts } from "../../src/guest/lifecycle/ports.ts";
import type { Host, Ran } from "../../src/host/host.ts";
import { replaceFileWith } from "../../src/host/local/replace-file.ts";
import type { ReplaceFiles } from "../../src/host/local/replace-file.ts";
import { fakeDom0, xlList } from "./dom0.ts";
import { Life } from "./fake-process.ts";
import type { Cut, Meanwhile } from "./fake-process.ts";
import type { Dom0Options } from "./dom0.ts";
import { fakeRecords, recordStore } from "./fake-records.ts";
import {
  domainJson,
  libxcContext,
  libxcStream,
  libxlStream,
  pageData,
  saveImage,
} from "./save-image.ts";

type FileNode = { bytes: Uint8Array; durable: Uint8Array; modifiedMs: number };

/** What becomes of names that no directory was flushed for when the power fails; contents are what was flushed of them. */
export type LostNames = "all" | "none" | "all but the last";

type Names = Map<string, FileNode>;

type Disk = { content: number; durable: number; writes: number };

type Domain = {
  readonly domid: number;
  name: string;
  readonly uuid: string;
  state: "running" | "paused" | "suspended";
  /** What it remembers of its disk. */
  memory: number;
  cpu: number;
  whole: boolean;
  /** What it was built with, as libxl has it. */
  readonly own: readonly object[];
  /** What was attached to it, as in a config. */
  extra: readonly string[];
};

export const GUEST = "pandora";
export const UUID = "22f7f7cc-5a0b-4f2d-9c1e-0123456789ab";
export const DISK = "/dev/vg0/pandora-disk";
/** A second disk, which is there to be attached. */
export const EXTRA = "/dev/vg0/extra,raw,xvdb,rw";
/** The guest's disk under another name. */
export const DISK_ALIAS = "/dev/mapper/vg0-pandora--disk";
/** A second guest, with a disk of its own. */
export const OTHER = "mail";
const OTHER_UUID = "99999999-5a0b-4f2d-9c1e-0123456789ab";
const OTHER_DISK = "/dev/vg0/mail,raw,xvda,rw";
export const CONFIG = "/etc/xen/pandora.cfg";
export const IMAGES = "/var/lib/domus/images";
const CONFIG_TEXT = `name = "pandora"\nuuid = "${UUID}"\nmemory = 128\ndisk = ['${DISK},raw,xvda,w']\n`;
const DISK_BYTES = 65_536;

export class FakeXen {
  readonly store = recordStore();
  readonly disk: Disk = { content: 1, durable: 1, writes: 0 };
  domains: Domain[] = [];
  /** What went wrong that must never: a guest that met another disk than it remembers, two at one disk, half a domain that ran. */
  readonly disasters: string[] = [];
  bootId = "boot-1";
  nowMs = Date.parse("2026-11-21T12:00:00Z");
  /** Whether this xl has `xl resume`. */
  hasResume = false;
  /** As xl fails when it is not killed. */
  failing: "save" | "restore" | "create" | undefined;
  freeBytes = 1e12;
  /** The filesystem that the records are on, too, is full as long as an image is being written to it. */
  isFull = false;
  lostNames: LostNames = "all";
  /** How much later than by this host's clock files are written: they are on a server, or it took so long. */
  filesAheadMs = 0;
  /** An xl create that is killed ends before its domain has a name. */
  killedEarly = false;
  #files: Names = new Map();
  #durableNames: Names = new Map();
  /** Changes of names in directories that were not flushed since. */
  #unflushed: ((names: Names) => void)[] = [];
  #domid = 0;
  #pid = 100;
  #alive = new Set<number>();
  /** An xl that lives on after its domus was killed. */
  #pending: { readonly argv: readonly string[]; readonly pid: number } | undefined;

  constructor() {
    this.putFile(CONFIG, Buffer.from(CONFIG_TEXT));
  }

  get config(): string {
    return Buffer.from(this.#files.get(CONFIG)?.bytes ?? "").toString();
  }

  get paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** What the guest remembers that is saved in a file; undefined for what is no whole image. */
  savedMemory(path: string): number | undefined {
    const bytes = this.#files.get(path)?.bytes;
    if (!bytes || bytes.length < image(0).length) return undefined;
    const found = /"token": (\d+)/.exec(Buffer.from(bytes).toString("latin1"));
    return found ? Number(found[1]) : undefined;
  }

  putFile(path: string, bytes: Uint8Array): void {
    this.#put(path, bytes);
    this.#files.get(path)!.durable = bytes;
    this.#durableNames.set(path, this.#files.get(path)!);
  }

  bytesOf(path: string): Uint8Array {
    return this.#files.get(path)!.bytes;
  }

  /** As mv does it: the time stays. */
  moveFile(from: string, to: string): void {
    for (const names of [this.#files, this.#durableNames]) {
      names.set(to, names.get(from)!);
      names.delete(from);
    }
  }

  removeFile(path: string): void {
    this.#files.delete(path);
    this.#durableNames.delete(path);
  }

  /** Guests that run do some work: they write to the disk and remember it. */
  tick(): void {
    for (const domain of this.domains)
      if (domain.state === "running" && domain.name !== OTHER) this.#work(domain);
  }

  boot(): Domain {
    const domain = this.#create({ state: "running", memory: this.disk.content });
    this.#work(domain);
    return domain;
  }

  powerFails(): void {
    this.domains = [];
    this.#pending = undefined;
    this.#alive.clear();
    this.bootId = `boot-${Number(this.bootId.slice(5)) + 1}`;
    this.disk.content = this.disk.durable;
    const kept = { all: [], none: this.#unflushed, "all but the last": this.#unflushed.slice(-1) };
    for (const change of kept[this.lostNames]) change(this.#durableNames);
    this.#unflushed = [];
    this.#files = new Map(
      [...this.#durableNames].map(([path, node]) => [path, { ...node, bytes: node.durable }]),
    );
    this.#durableNames = new Map(this.#files);
  }

  /** A process of domus. With a cut its end comes at that effect, and the outcome is `killed`. */
  async process<T>(
    work: (ports: LifecyclePorts) => Promise<T>,
    cut?: Cut,
    meanwhile?: Meanwhile,
  ): Promise<{
    /** How often it touched the world and could be overtaken. */
    readonly touches: number;
    readonly effects: number;
    readonly xlRuns: number;
    readonly outcome: "killed" | "done" | "failed";
    readonly error?: unknown;
    readonly value?: T;
  }> {
    const life = new Life(cut, meanwhile);
    const pid = this.#pid++;
    this.#alive.add(pid);
    let kill: () => void = () => {};
    const killed = new Promise<"killed">((resolve) => (kill = () => resolve("killed")));
    life.onDeath = (power) => {
      this.#alive.delete(pid);
      if (power) this.powerFails();
      kill();
    };
    const worked = work(this.#ports(life, pid)).then(
      (value) => ({ outcome: "done" as const, value }),
      (error: unknown) => ({ outcome: "failed" as const, error }),
    );
    const ended = await Promise.race([worked, killed]);
    this.#alive.delete(pid);
    const counts = { touches: life.touches, effects: life.effects, xlRuns: life.xlRuns };
    if (ended === "killed" || life.dead) return { ...counts, outcome: "killed" };
    return { ...counts, ...ended };
  }

  #ports(life: Life, pid: number): LifecyclePorts {
    const records = fakeRecords(this.store, (commit) => {
      const saving = [...this.#files].find(([path]) => path.endsWith(".saving"));
      if (this.isFull && saving && saving[1].bytes.length > 0)
        throw ioFailure(["records.db"], "write", "ENOSPC");
      life.effectSync(commit);
    });
    return {
      records,
      self: { pid, pidStarted: "1", bootId: this.bootId },
      isAlive: (mark) => mark.bootId === this.bootId && this.#alive.has(mark.pid),
      host: this.#host(life),
      guard: {
        findUsers: (path) => life.look(() => this.guard.findUsers(path)),
        copyState: (path) => life.look(() => this.guard.copyState(path)),
        reachesOf: (paths) => life.look(() => this.guard.reachesOf(paths)),
        waitingImages: () => life.look(() => imagesThatWait(this.#host(life), records)),
      },
      files: this.#imageFiles(life),
      xlWith: async (word) => {
        const pending = this.#pending;
        return pending?.argv.includes(word) ? [pending.pid] : [];
      },
      clock: {
        now: () => this.nowMs,
        sleep: async (ms) => {
          this.nowMs += ms;
          this.endPending();
        },
      },
      nowMs: () => this.nowMs,
      imageDirectory: IMAGES,
      tell: () => {},
    };
  }

  guard: Omit<GuardPorts, "waitingImages"> = {
    findUsers: async (path) =>
      this.domains
        .filter((one) => disksOf(one).has(identityOf(path)))
        .map(({ name }) => ({ kind: "guest", what: `a disk of domain ${name}`, writes: true })),
    copyState: async () => undefined,
    reachesOf: async (paths) =>
      new Map(
        paths.map((path) => [path, { identity: identityOf(path), reaches: [identityOf(path)] }]),
      ),
  };

  /** The xl that outlived its domus comes to its end. */
  endPending(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) this.#xl(pending.argv, "whole");
    this.#assertOneEach();
  }

  /** Whether it runs already or not: what was given to two will be written to by both. */
  #assertOneEach(): void {
    const all = this.domains.flatMap((one) => [...disksOf(one)]);
    for (const path of new Set(all))
      if (all.indexOf(path) !== all.lastIndexOf(path))
        this.disasters.push(`two domains have the disk ${path}`);
    for (const { guest, state, disks } of this.store.tables.images)
      for (const one of this.domains) {
        const isTaken = disks.some(({ path, readonly }) => {
          return !readonly && disksOf(one).has(identityOf(path));
        });
        if (state === "waiting" && one.name !== guest && isTaken)
          this.disasters.push(`${one.name} has a disk that the image of ${guest} waits for`);
      }
  }

  #host(life: Life): Host {
    const view = () => fakeDom0({ files: this.#view(), programs: xlList([]) });
    return {
      ...view(),
      run: (argv) => this.#run(argv, life),
      openBlock: async (path) => (path === DISK ? this.#diskDevice() : view().openBlock(path)),
      readFile: (path) => view().readFile(path),
      list: (path) => view().list(path),
      kind: (path) => view().kind(path),
      realPath: (path) => view().realPath(path),
      replaceFile: (path, change) => replaceFileWith(this.#replaceFiles(life), path, change),
      observeDisk: async (path) => {
        if (path !== DISK) throw missing([path], "such disk");
        this.disk.durable = this.disk.content;
        const counter = {
          ...{ device: "254:0", diskseq: this.bootId },
          ...{ sectorsWritten: String(this.disk.writes), sectorsDiscarded: "0" },
        };
        return {
          identity: "d".repeat(64),
          writes: { bootId: this.bootId, counters: [counter] },
        };
      },
    };
  }

  #view(): Dom0Options["files"] {
    const files = [...this.#files].map(([path, { bytes, modifiedMs }]) => [
      path,
      { content: bytes, modified: new Date(modifiedMs).toISOString() },
    ]);
    return {
      ...Object.fromEntries(files),
      [DISK]: { kind: "block-device", sizeBytes: DISK_BYTES },
      [DISK_ALIAS]: { kind: "block-device", sizeBytes: DISK_BYTES },
      [pathOf(EXTRA)]: { kind: "block-device", sizeBytes: DISK_BYTES },
      [pathOf(OTHER_DISK)]: { kind: "block-device", sizeBytes: DISK_BYTES },
    };
  }

  #diskDevice(): BlockDevice {
    const bytes = new Uint8Array(DISK_BYTES);
    new DataView(bytes.buffer).setUint32(8192, this.disk.content);
    return {
      ...memorySource(bytes, [DISK]),
      blockSize: 512,
      async *extents() {},
      async [Symbol.asyncDispose]() {},
    };
  }

  async #run(argv: readonly string[], life: Life): Promise<Ran> {
    if (argv[0] !== "xl") return { argv, exitCode: 127, stdout: "", stderr: "" };
    if (argv[1] === "list") return life.look(() => this.#list(argv));
    return life.xl((how) => {
      if (how === "later") {
        this.#pending = { argv, pid: this.#pid++ };
        return { argv, exitCode: 0, stdout: "", stderr: "" };
      }
      const ran = this.#xl(argv, how);
      this.#assertOneEach();
      this.tick();
      return ran;
    });
  }

  #list(argv: readonly string[]): Ran {
    const [, , flag = "", domid] = argv;
    const wanted = this.domains.filter((one) => domid === undefined || String(one.domid) === domid);
    if (domid !== undefined && wanted.length === 0)
      return { argv, exitCode: 1, stdout: "", stderr: `Domain '${domid}' does not exist.\n` };
    const rows = wanted.map((one) => ({
      ...one,
      flags: { running: "-b----", paused: "--p---", suspended: "---ss-" }[one.state],
      config: {
        ...domainJson(one.name, one.uuid),
        disks: [...one.own, ...one.extra.map(diskJson)],
      },
    }));
    let stdout = xlList(rows)[`xl list ${flag}`]!;
    for (const { uuid, cpu } of wanted)
      stdout = stdout.replace(`25.2 ${uuid}`, `${cpu.toFixed(1)} ${uuid}`);
    return { argv, exitCode: 0, stdout, stderr: "" };
  }

  /** What the command does; `half`: it is killed before its end. */
  #xl(argv: readonly string[], how: "whole" | "half"): Ran {
    const [, verb = "", ...words] = argv;
    const ended = (exitCode: number, stderr = ""): Ran => ({ argv, exitCode, stdout: "", stderr });
    const killed = ended(137);
    const named = this.domains.find(
      ({ domid }) => String(domid) === words.find((one) => /^\d+$/.test(one)),
    );
    switch (verb) {
      case "save": {
        if (!named) return ended(1, "no such domain\n");
        return this.#save(named, words.at(-1)!, how)
          ? ended(0)
          : how === "half"
            ? killed
            : ended(1, "Failed to save domain\n");
      }
      case "resume":
        if (!this.hasResume) return ended(2, "command not implemented\n");
        if (named?.state === "suspended") named.state = "running";
        return ended(0);
      case "restore": {
        const memory = this.savedMemory(words.at(-1)!);
        if (memory === undefined || this.failing === "restore")
          return ended(1, "xc: error: Failed to read\n");
        if (this.#isNameTaken()) return ended(3, 'Domain with name "pandora" already exists.\n');
        this.#create({ state: "paused", memory, whole: how === "whole" });
        return how === "half" ? killed : ended(0);
      }
      case "create": {
        if (this.failing === "create") return ended(3, "libxl: error: no memory\n");
        if (this.#isNameTaken()) return ended(3, 'Domain with name "pandora" already exists.\n');
        const domain = this.#create({
          ...{ state: "paused", memory: this.disk.content, whole: how === "whole" },
          uuid: this.#uuidFor(words),
        });
        if (how === "half") {
          if (this.killedEarly) domain.name = "(null)";
          return killed;
        }
        this.#go(domain);
        return ended(0);
      }
      case "unpause":
        if (how === "half") return killed;
        if (named?.state === "paused") this.#go(named);
        return ended(named ? 0 : 1);
      case "block-attach":
        if (how === "half") return killed;
        if (!named || named.extra.includes(words[1]!)) return ended(1, "it has that disk\n");
        named.extra = [...named.extra, words[1]!];
        return ended(0);
      case "block-detach":
        if (how === "half") return killed;
        if (!named) return ended(1, "no such domain\n");
        named.extra = named.extra.filter((one) => one.split(",")[2] !== words[1]);
        return ended(0);
      case "destroy":
        if (how === "half") return killed;
        this.domains = this.domains.filter((one) => one !== named);
        return ended(named ? 0 : 1);
      default:
        return ended(2, `unknown ${verb}\n`);
    }
  }

  /** Of the config, or behind it on the command line; else xl makes one up. */
  #uuidFor(words: readonly string[]): string {
    const settings = [this.config, ...words].join("\n");
    return (
      /^uuid ?= ?"(.*)"$/m.exec(settings)?.[1] ??
      `${this.#domid}`.padStart(8, "9") + "-0000-4000-8000-000000000000"
    );
  }

  #isNameTaken(): boolean {
    return this.domains.some(({ name }) => name === GUEST);
  }

  /** A guest that is suspended already does not answer: then the save fails and lets it go on. */
  #save(domain: Domain, path: string, how: "whole" | "half"): boolean {
    if (domain.state !== "running") {
      this.#put(path, new Uint8Array(100));
      if (how === "whole") domain.state = "running";
      return false;
    }
    domain.state = "suspended";
    const bytes = image(domain.memory);
    if (how === "half" || this.failing === "save") {
      this.#put(path, bytes.subarray(0, bytes.length / 2));
      if (how === "whole") domain.state = "running";
      return false;
    }
    this.#put(path, bytes);
    domain.state = "paused";
    return true;
  }

  #create(
    as: Pick<Domain, "state" | "memory"> & Partial<Pick<Domain, "whole" | "own" | "uuid">>,
  ): Domain {
    this.#domid += 1;
    const of = { domid: this.#domid, name: GUEST, uuid: UUID };
    const own = domainJson(GUEST)["disks"] as object[];
    const domain = { ...of, cpu: 0, whole: true, own, extra: [], ...as };
    this.domains.push(domain);
    return domain;
  }

  /** The second guest runs. */
  bootOther(): Domain {
    const own = [diskJson(OTHER_DISK)];
    const domain = this.#create({ state: "running", memory: 0, own });
    return Object.assign(domain, { name: OTHER, uuid: OTHER_UUID });
  }

  #go(domain: Domain): void {
    domain.state = "running";
    if (!domain.whole) this.disasters.push("half a domain runs");
    this.#work(domain);
  }

  #work(domain: Domain): void {
    if (domain.memory !== this.disk.content)
      this.disasters.push(
        `a guest that remembers ${domain.memory} writes to a disk with ${this.disk.content}`,
      );
    const users = this.domains.filter((one) => disksOf(one).has(DISK));
    if (users.filter(({ state }) => state === "running").length > 1)
      this.disasters.push("two domains write to one disk");
    domain.memory += 1;
    domain.cpu += 0.5;
    this.disk.content = domain.memory;
    this.disk.writes += 8;
  }

  #put(path: string, bytes: Uint8Array): void {
    const node = this.#files.get(path);
    const modifiedMs = this.nowMs + this.filesAheadMs;
    if (node) Object.assign(node, { bytes, modifiedMs });
    else this.#files.set(path, { bytes, durable: new Uint8Array(0), modifiedMs });
  }

  /** A directory, where no file is at the path. */
  #flush(path: string): void {
    const node = this.#files.get(path);
    if (node) node.durable = node.bytes;
    else this.#flushNames();
  }

  #flushNames(): void {
    for (const change of this.#unflushed.splice(0)) change(this.#durableNames);
  }

  #changeNames(change: (names: Names) => void): void {
    change(this.#files);
    this.#unflushed.push(change);
  }

  /** Contents come in two halves, and no name is safe before its directory is flushed. */
  #replaceFiles(life: Life): ReplaceFiles {
    const writeNew = async (path: string, bytes: Uint8Array) => {
      await life.effect(() => {
        if (this.#files.has(path)) throw ioFailure([path], "create", "EEXIST");
        const half = bytes.subarray(0, bytes.length / 2);
        const node = { bytes: half, durable: new Uint8Array(0), modifiedMs: this.nowMs };
        this.#changeNames((names) => names.set(path, node));
      });
      await life.effect(() => void (this.#files.get(path)!.bytes = bytes));
    };
    return {
      read: (path) => life.look(() => this.#files.get(path)!.bytes),
      copyNew: (from, to) => writeNew(to, this.#files.get(from)!.bytes),
      writeNew,
      sync: (path) =>
        life.effect(() => {
          if (!this.#files.has(path) && path !== directoryOf(CONFIG))
            throw ioFailure([path], "open", "ENOENT");
          this.#flush(path);
        }),
      rename: (from, to) =>
        life.effect(() => {
          const node = this.#files.get(from)!;
          this.#changeNames((names) => {
            names.delete(from);
            names.set(to, node);
          });
        }),
      remove: async (path) => {
        if (!this.#files.has(path)) return;
        await life.effect(() => this.#changeNames((names) => void names.delete(path)));
      },
    };
  }

  #imageFiles(life: Life): ImageFiles {
    const at = (path: string) => {
      const node = this.#files.get(path);
      if (!node) throw ioFailure([path], "open", "ENOENT");
      return node;
    };
    return {
      makeDirectory: async () => {},
      create: (path) =>
        life.effect(() => {
          if (this.#files.has(path)) throw ioFailure([path], "create", "EEXIST");
          this.#put(path, new Uint8Array(0));
        }),
      sync: (path) => life.effect(() => this.#flush(path)),
      rename: (from, to) =>
        life.effect(() => {
          const node = at(from);
          if (this.#files.has(to)) throw ioFailure([from], "rename", "EEXIST");
          this.#changeNames((names) => {
            names.delete(from);
            names.set(to, node);
          });
          this.#flushNames();
        }),
      remove: (path) =>
        life.effect(() => {
          if (!this.#files.has(path)) return;
          this.#changeNames((names) => void names.delete(path));
          this.#flushNames();
        }),
      freeBytes: async () => this.freeBytes,
    };
  }
}

/** The same for both names of the guest's disk. */
function identityOf(path: string): string {
  return path === DISK_ALIAS ? DISK : path;
}

/** What it may write to. */
function disksOf({ own, extra }: Domain): ReadonlySet<string> {
  const all = [...own, ...extra.map(diskJson)] as { pdev_path: string; readwrite?: number }[];
  const written = all.filter(({ readwrite }) => readwrite === 1);
  return new Set(written.map(({ pdev_path }) => identityOf(pdev_path)));
}

function pathOf(spec: string): string {
  return spec.split(",")[0]!;
}

/** libxl's JSON of a disk that was attached. */
function diskJson(spec: string): object {
  const [path, format, vdev] = spec.split(",");
  return { pdev_path: path, vdev, format, readwrite: 1 };
}

function image(token: number): Uint8Array {
  const stream = libxlStream({
    records: [libxcContext(libxcStream({ records: [pageData(3, 2)] }))],
  });
  return saveImage({ config: { ...domainJson(GUEST, UUID), token }, stream });
}

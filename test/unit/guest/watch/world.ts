/** A host in miniature: what people and guests do, what xl would write of it, and what a look at any moment would show. */
import type { Ending, Lifetime } from "../../../../src/guest/watch/monitor-log.ts";
import type {
  DomainLook,
  Observation,
  XlProcess,
} from "../../../../src/guest/watch/observation.ts";
import type { DomainState } from "../../../../src/xen/xl-list.ts";

export type Happened = { readonly kind: string; readonly guest: string; readonly domid: number };

type Domain = {
  domid: number;
  name: string;
  uuid: string;
  state: DomainState;
  disks: string[];
  pid: number;
  verb: "create" | "restore";
  onCrash: "preserve" | "restart";
  logName: string;
  hasRun: boolean;
};

type Life = { -readonly [K in keyof Lifetime]: Lifetime[K] };

export class World {
  nowMs = 1_000_000;
  bootId = "boot-1";
  readonly domains = new Map<number, Domain>();
  readonly happened: Happened[] = [];
  readonly saved = new Map<string, Domain>();
  #lives: Life[] = [];
  #nextDomid = 1;
  #nextPid = 100;
  /** `xl` at work on a domain. */
  #busy: XlProcess | undefined;

  start(guest: string, options: { paused?: boolean; onCrash?: Domain["onCrash"] } = {}): void {
    const { paused = false, onCrash = "preserve" } = options;
    const domain = this.#make(guest, { verb: "create", onCrash, disks: ["xvda"] });
    if (paused) {
      domain.state = "paused";
      domain.hasRun = false;
      // Long enough to be on purpose.
      this.#tell("created", domain);
    } else this.#tell("started", domain);
  }

  pause(domain: Domain): void {
    domain.state = "paused";
    this.#tell("paused", domain);
  }

  resume(domain: Domain): void {
    domain.state = "running";
    domain.hasRun = true;
    const isFirst = !this.happened.some(
      (one) => one.domid === domain.domid && one.kind !== "created",
    );
    this.#tell(isFirst ? "started" : "resumed", domain);
  }

  attach(domain: Domain): void {
    domain.disks.push(`xvd${"bcdefghij"[domain.disks.length - 1]}`);
    this.#tell("attached", domain);
  }

  detach(domain: Domain): void {
    domain.disks.pop();
    this.#tell("detached", domain);
  }

  rename(domain: Domain, name: string): void {
    domain.name = name;
    this.#tell("renamed", domain);
  }

  shutDown(domain: Domain): void {
    this.#end(domain, { code: 0, action: "destroy" });
    this.#tell("stopped", domain);
  }

  destroy(domain: Domain): void {
    const isOver = domain.state === "crashed";
    this.#end(domain, isOver ? undefined : {});
    this.#tell("stopped", domain);
  }

  /** What `look` sees while it is taken apart: by the process that is named, or one that is not seen. */
  beginDestroy(domain: Domain, by: "xl" | "unseen" = "xl"): void {
    domain.state = "paused";
    domain.disks.length = 0;
    if (by === "xl") this.#busy = { pid: 98, verb: "destroy", words: [domain.name] };
  }

  endDestroy(domain: Domain): void {
    this.#busy = undefined;
    this.destroy(domain);
  }

  /** The `xl` that is at work on a domain ends without having done it. */
  giveUp(): void {
    this.#busy = undefined;
  }

  reboot(domain: Domain): void {
    this.#end(domain, { code: 1, action: "restart" });
    const next = this.#make(domain.name, { ...domain, restartOf: domain.domid });
    this.#tell("rebooted", next);
  }

  crash(domain: Domain): void {
    const ending = { code: 3, action: domain.onCrash };
    this.#tell("crashed", domain);
    if (domain.onCrash === "preserve") {
      domain.state = "crashed";
      this.#life(domain.domid).ending = ending;
      // It ends when it has nothing more to do.
      domain.pid = 0;
      return;
    }
    this.#end(domain, ending);
    const next = this.#make(domain.name, { ...domain, restartOf: domain.domid });
    this.#tell("started", next);
  }

  /** What `look` sees while the memory is written. */
  beginSave(domain: Domain, image = `/save/${domain.name}`): void {
    domain.state = "suspended";
    domain.pid = 0;
    this.#life(domain.domid).ending = { code: 2 };
    this.#busy = { pid: 99, verb: "save", words: [String(domain.domid), image] };
  }

  endSave(domain: Domain): void {
    this.#busy = undefined;
    this.domains.delete(domain.domid);
    this.saved.set(domain.name, domain);
    this.#tell("saved", domain);
  }

  restore(guest: string): void {
    const image = this.saved.get(guest)!;
    this.saved.delete(guest);
    const domain = this.#make(guest, { ...image, verb: "restore" });
    this.#tell("restored", domain);
  }

  /** What a guest of that name is now. */
  get(name: string): Domain | undefined {
    return [...this.domains.values()].find((one) => one.name === name);
  }

  look(): Observation {
    this.nowMs += 1000;
    const domains = [...this.domains.values()].map(
      ({ domid, name, uuid, state, hasRun, disks }): DomainLook => ({
        ...{ domid, name, uuid, state, hasRun },
        guest: {
          name,
          uuid,
          nics: [],
          disks: disks.map((vdev) => ({
            ...{ vdev, target: `/dev/${name}/${vdev}`, format: "raw" },
            ...{ readonly: false, cdrom: false, elsewhere: false },
          })),
        },
      }),
    );
    const monitors = [...this.domains.values()]
      .filter(({ pid }) => pid !== 0)
      .map(({ pid, verb, logName }): XlProcess => {
        const word = verb === "create" ? `/etc/xen/${logName}.cfg` : `/save/${logName}`;
        return { pid, verb, words: [word] };
      });
    return {
      atMs: this.nowMs,
      bootId: this.bootId,
      domains,
      lifetimes: this.#lives.map((life) => ({ ...life })),
      processes: [...monitors, ...(this.#busy ? [this.#busy] : [])],
    };
  }

  #make(
    name: string,
    from: Pick<Domain, "verb" | "onCrash" | "disks"> & {
      readonly restartOf?: number;
      readonly pid?: number;
    },
  ): Domain {
    const pid = from.restartOf === undefined ? this.#nextPid++ : from.pid!;
    const domid = this.#nextDomid++;
    const domain: Domain = {
      ...{ domid, name, pid, state: "running" as const, logName: name, hasRun: true },
      uuid: `00000000-0000-4000-8000-${Buffer.from(name).toString("hex").padStart(12, "0").slice(-12)}`,
      ...{ verb: from.verb, onCrash: from.onCrash, disks: [...from.disks] },
    };
    this.domains.set(domid, domain);
    const life: Life = { domid, name, pid };
    if (from.restartOf !== undefined) life.restartOf = from.restartOf;
    this.#lives.push(life);
    return domain;
  }

  #life(domid: number): Life {
    return this.#lives.find((one) => one.domid === domid)!;
  }

  #end(domain: Domain, ending: Ending | undefined): void {
    this.domains.delete(domain.domid);
    if (ending) this.#life(domain.domid).ending = ending;
  }

  #tell(kind: string, { name, domid }: Domain): void {
    this.happened.push({ kind, guest: name, domid });
  }
}

/** Does something that can be done now; false when there is nothing of that kind to do. */
export function act(world: World, what: number, which: number): boolean {
  const domains = [...world.domains.values()];
  const domain = domains[which % Math.max(1, domains.length)];
  const name = `g${which % 4}`;
  const isFree = !world.get(name) && !domains.some((one) => one.logName === name);
  switch (what % 12) {
    case 0:
    case 1:
      if (!isFree || world.saved.has(name)) return false;
      world.start(name, { paused: what === 1, onCrash: which % 2 === 0 ? "preserve" : "restart" });
      return true;
    case 2:
      if (!isFree || !world.saved.has(name)) return false;
      world.restore(name);
      return true;
    default:
      return domain !== undefined && actOn(world, domain, what);
  }
}

function actOn(world: World, domain: Domain, what: number): boolean {
  const begun = world.happened.some(
    ({ domid, kind }) => domid === domain.domid && kind !== "created",
  );
  if (what % 12 === 3) {
    if (domain.state === "running") world.pause(domain);
    else if (domain.state === "paused") world.resume(domain);
    else return false;
    return true;
  }
  if (what % 12 === 4) {
    if (!begun && domain.state !== "crashed") return false;
    world.destroy(domain);
    return true;
  }
  if (domain.state !== "running") return false;
  switch (what % 12) {
    case 5:
      if (domain.disks.length > 6) return false;
      world.attach(domain);
      return true;
    case 6:
      if (domain.disks.length < 2) return false;
      world.detach(domain);
      return true;
    case 7:
      world.shutDown(domain);
      return true;
    case 8:
      world.reboot(domain);
      return true;
    case 9:
      world.crash(domain);
      return true;
    default:
      return false;
  }
}

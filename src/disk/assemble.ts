/**
 * Logical volumes and arrays from the members on all disks of a guest. Another system is one folder with an
 * `Assembler` and one line in `assemblers`.
 *
 * LVM on md and md on LVM make it a loop: what was put together can hold members of something else. A group that lacks
 * members waits until nothing else moves, since they may turn up inside of another.
 */
import { explainFailure } from "../base/explain.ts";
import { FailureError } from "../base/failure.ts";
import type { Failure } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import { assertRange } from "./source.ts";
import type { ByteSource } from "./source.ts";
import { MAX_VOLUMES } from "./assembler.ts";
import type { Assembler, Part } from "./assembler.ts";
import type { Content, ProbeContext, Tried, Volume } from "./content.ts";
import { detectContent } from "./detect.ts";
import { lvmAssembler } from "./lvm/assemble.ts";
import { mdAssembler } from "./md/assemble.ts";
import { readDisk } from "./tree.ts";

/** In this order where both could go on; the one that is lower in most guests is first. */
const assemblers = (): readonly Assembler[] => [mdAssembler(), lvmAssembler()];

/**
 * Volumes in volumes in volumes; nobody builds more. It ends what hostile metadata can do: a volume that has the
 * physical volume that it lies on inside.
 */
const MAX_LEVELS = 4;

export type Assembled = {
  /** Logical volumes and arrays, with their partitions as children. */
  readonly volumes: readonly Volume[];
  readonly findings: readonly Finding[];
  /** Members that nothing could be made of, on disks or in `volumes`: what is in them is not known. */
  readonly opaque: readonly Volume[];
};

/** `disks` as `readVolumes` gives them: all that the guest has. Fails for nothing that a disk can hold. */
export async function assembleVolumes(
  disks: readonly Volume[],
  context: ProbeContext = {},
): Promise<Assembled> {
  const assembly = new Loop(context);
  for (const disk of disks) assembly.admit(disk, 0);
  while (await assembly.step());
  return assembly.result();
}

/** Members that are waiting, and what was made. */
class Loop {
  readonly #context: ProbeContext;
  readonly #assemblers = assemblers();
  /** With the number of assemblies below. */
  readonly #waiting = new Map<Volume, number>();
  readonly #volumes: Volume[] = [];
  readonly #findings: Finding[] = [];
  readonly #opaque: Volume[] = [];

  constructor(context: ProbeContext) {
    this.#context = context;
  }

  /** The members among a volume and those inside. */
  admit(volume: Volume, level: number): void {
    for (const one of [volume, ...volume.children]) {
      if (one.content.kind !== "member") continue;
      if (level < MAX_LEVELS) this.#waiting.set(one, level);
      else this.#opaque.push(one);
    }
  }

  /**
   * One assembly; false when there is nothing left to do. Each takes members away, and those that it brings are one
   * level up or among at most MAX_VOLUMES volumes: so it ends.
   */
  async step(): Promise<boolean> {
    for (const partial of [false, true]) {
      for (const assembler of this.#assemblers) {
        const members = this.#membersOf(assembler.system);
        if (members.length > 0 && (await this.#assemble(assembler, members, partial))) return true;
      }
    }
    return false;
  }

  result(): Assembled {
    return { volumes: this.#volumes, findings: this.#findings, opaque: this.#opaque };
  }

  #membersOf(system: Assembler["system"]): Volume[] {
    return [...this.#waiting.keys()].filter(
      ({ content }) => content.kind === "member" && content.member.system === system,
    );
  }

  async #assemble(
    assembler: Assembler,
    members: readonly Volume[],
    partial: boolean,
  ): Promise<boolean> {
    const { signal } = this.#context;
    const made = await assembler.assemble(members, { partial, ...(signal && { signal }) });
    const levels = made.used.map((member) => this.#waiting.get(member) ?? 0);
    const level = Math.max(0, ...levels) + 1;
    for (const member of [...made.used, ...made.opaque]) this.#waiting.delete(member);
    this.#opaque.push(...made.opaque);
    this.#findings.push(...made.findings);
    for (const part of made.parts) {
      if (this.#volumes.length === MAX_VOLUMES) {
        this.#opaque.push(...made.used);
        this.#findings.push(tooMany(part));
        break;
      }
      const volume = await volumeOf(part, this.#context);
      this.#volumes.push(volume);
      this.admit(volume, level);
    }
    return made.used.length + made.opaque.length > 0;
  }
}

async function volumeOf(part: Part, context: ProbeContext): Promise<Volume> {
  const { name, assembly } = part;
  if (!part.source.ok) {
    const { failure } = part.source;
    const tried: Tried[] = [{ name: part.format, failure }];
    const content = contentOf(part, failure);
    return { name, source: failingSource(part, failure), content, tried, assembly, children: [] };
  }
  const source = part.source.value;
  // Its members are on cached disks: another cache would only hold the same bytes twice.
  if (part.partitionable) return { name, source, assembly, ...(await readDisk(source, context)) };
  return { name, source, assembly, ...(await detectContent(source, context)), children: [] };
}

/** What domus does not read is named; what is damaged or incomplete is unknown. */
function contentOf({ format }: Part, failure: Failure): Content {
  if (failure.kind !== "unsupported") return { kind: "unknown" };
  const { what, why } = explainFailure(failure);
  return { kind: "named", format, uuid: "", why: `${what} ${why}` };
}

function failingSource({ sizeBytes, where }: Part, failure: Failure): ByteSource {
  const source: ByteSource = {
    size: sizeBytes,
    where,
    async read(offset, length) {
      assertRange(source, offset, length);
      throw new FailureError(failure);
    },
  };
  return source;
}

function tooMany({ name, where }: Part): Finding {
  return {
    code: "volumes-limit",
    severity: "warning",
    where,
    what: `domus stopped at ${MAX_VOLUMES} logical volumes; it did not look at ${name} and what follows.`,
    why: "Guests have far fewer. Metadata that describes more is damaged or made to waste the time of its reader.",
    next: "Compare with lvs in the running guest. If it has that many volumes, report it: then the limit is too low.",
  };
}

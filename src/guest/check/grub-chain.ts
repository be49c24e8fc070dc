/** kernel= names GRUB: which boot that leads to inside the guest. */
import { attempt, failureText } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { detectGrubImage } from "../../boot/grub-image/grub-image.ts";
import type { GrubImage } from "../../boot/grub-image/grub-image.ts";
import { runGrubImage } from "../../boot/grub-image/run-image.ts";
import { isElf } from "../../boot/kernel/elf.ts";
import { openImage } from "../../boot/kernel/open-image.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import type { Host } from "../../host/host.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";
import { bootOf, directBoot, usesBootloader } from "./find-boot.ts";
import type { FoundBoot } from "./find-boot.ts";

const MAX_IMAGE_BYTES = 32 * MIB;

export type GrubChain = {
  readonly path: string;
  readonly image: GrubImage;
  /** The boot of GRUB itself. */
  readonly itself: FoundBoot;
  /** What GRUB starts; absent when that cannot be told. */
  readonly boot?: FoundBoot;
  /** Why not. */
  readonly said?: string;
};

export type GrubChainOptions = {
  readonly host: Host;
  readonly config: DomainConfig;
  readonly volumes: readonly BootVolume[];
  readonly signal?: AbortSignal;
};

/** `undefined` when what Xen starts is no GRUB, or could not be read: that is told of where the kernel is judged. */
export async function findGrubChain(options: GrubChainOptions): Promise<GrubChain | undefined> {
  const { config, volumes, signal } = options;
  const path = config.kernel;
  if (!path || config.type === "hvm" || usesBootloader(config)) return undefined;
  const image = await readGrubImage(options, path);
  if (!image) return undefined;
  const base = { path, image, itself: directBoot(config) };
  const given = { where: [path], volumes, ...(signal && { signal }) };
  const ran = await attempt(() => runGrubImage(image, given));
  if (!ran.ok) return { ...base, said: `${failureText(ran.failure)}.` };
  const { chosen, entries, because } = ran.value;
  const entry = chosen === undefined ? undefined : entries[chosen];
  const boot = entry && bootOf(ran.value, entry, config);
  if (!boot) return { ...base, said: `Its own configuration leads to no kernel: ${because}.` };
  return { ...base, boot: { ...boot, because: `GRUB (${path}) takes it: ${because}` } };
}

/** A bzImage is told by its first bytes, so that kernels are not read twice. */
async function readGrubImage(
  { host, signal }: GrubChainOptions,
  path: string,
): Promise<GrubImage | undefined> {
  const read = await attempt(async () => {
    await using file = await host.openBlock(path);
    const head = await file.read(0, Math.min(4, file.size), signal);
    const isGzip = head[0] === 0x1f && head[1] === 0x8b;
    if (file.size > MAX_IMAGE_BYTES || !(isElf(head) || isGzip)) return undefined;
    const bytes = await file.read(0, file.size, signal);
    const { elf } = await openImage(bytes, { where: [path], ...(signal && { signal }) });
    return "bytes" in elf ? detectGrubImage(elf.bytes, [path]) : undefined;
  });
  return read.ok ? read.value : undefined;
}

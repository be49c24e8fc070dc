/**
 * Save images, the files of `xl save`, read without Xen: whose they are, what was inside, and whether they are complete.
 *
 *     0    xl's header           since Xen 4.2, 48 bytes
 *     48   the config            u32 length, then JSON (since 4.5) or xl.cfg text; what the guest really had when saved
 *     ...  libxl's stream        since Xen 4.6; libxc's stream is in it. Before that libxc's first format, which says
 *                                nowhere how long it is
 *
 * xl itself: xen: tools/xl/xl_saverestore.c, xl_vmcontrol.c. Images of libvirt and of xend are recognised and named.
 */
import { attemptSync, corrupt, FailureError, overLimit, unsupported } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { hex, MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { decodeCString, latin1 } from "../../bytes/text.ts";
import { parseDomainConfig } from "../domain-config.ts";
import { parseDomainJson, summaryOfConfig } from "../domain-summary.ts";
import type { DomainSummary } from "../domain-summary.ts";
import { CutOff, ImageWindow } from "./image-bytes.ts";
import type { ImageBytes } from "./image-bytes.ts";
import { noStreamFacts, walkStream } from "./stream.ts";
import type { StreamFacts } from "./stream.ts";
import { XL_BYTEORDER, XL_FLAG_JSON, XL_FLAG_STREAM_V2, XL_MAGIC, xlHeader } from "./structs.ts";

/** `xl-legacy`: of Xen 4.2 to 4.5. */
export type SaveImageFormat = "xl" | "xl-legacy" | "libvirt" | "xend";

export type ImageEnd =
  /** Both END records are there. What lies behind them is not part of the image; xl does not look at it. */
  | { readonly kind: "complete"; readonly trailingBytes: number }
  /** The file ends at `atBytes`, inside `what`: the disk was full, or whoever wrote it was ended. */
  | { readonly kind: "cut-off"; readonly atBytes: number; readonly what: string }
  /** What is there contradicts the format, or is of a version that domus does not know. */
  | { readonly kind: "unreadable"; readonly failure: Failure }
  /** The format has no end that can be found without restoring it. */
  | { readonly kind: "unknown" };

/** The config that is inside: what a restore gives the guest. */
export type SavedConfig = {
  readonly form: "json" | "xl.cfg";
  /** As it is in the image, without the NUL at its end. May hold passwords (VNC, SPICE). */
  readonly text: string;
  /** Absent when there is no making sense of it; `failure` then says why. */
  readonly guest?: DomainSummary;
  readonly failure?: Failure;
};

export type SaveImage = {
  readonly where: Where;
  readonly sizeBytes: number;
  readonly format: SaveImageFormat;
  /** Absent: saved without one, not read, or cut off in it. */
  readonly config?: SavedConfig;
  readonly stream?: StreamFacts;
  readonly end: ImageEnd;
};

export type ReadImageOptions = {
  /** Left out: true. Otherwise the stream is not walked, and `end` is `unknown` unless the header itself is cut off. */
  readonly walk?: boolean;
  readonly signal?: AbortSignal;
};

/** Enough of a file to tell whether it is a save image. */
export const IMAGE_HEAD_BYTES = 32;

/** A config is a few KiB; this is one with thousands of devices. */
const MAX_CONFIG_BYTES = 4 * MIB;

/** By its first bytes (`IMAGE_HEAD_BYTES`, or what there is of the file); undefined for any other file. */
export function detectSaveImage(head: Uint8Array): "xl" | "libvirt" | "xend" | undefined {
  const text = latin1(head.subarray(0, IMAGE_HEAD_BYTES));
  if (text === XL_MAGIC) return "xl";
  if (text.startsWith("libvirt-xml\n \0 \r")) return "libvirt";
  return text.startsWith("LinuxGuestRecord") ? "xend" : undefined;
}

/**
 * Reads all but the pages: a block for every 4 MiB of the guest. Undefined when it is no save image. Failures are those
 * of reading; what is wrong with the image is in `end`.
 */
export async function readSaveImage(
  bytes: ImageBytes,
  options: ReadImageOptions = {},
): Promise<SaveImage | undefined> {
  const window = new ImageWindow(bytes, options.signal);
  const head = await window.take(0, Math.min(IMAGE_HEAD_BYTES, bytes.size), "the magic");
  const kind = detectSaveImage(head);
  const base = { where: bytes.where, sizeBytes: bytes.size };
  if (kind === undefined) return undefined;
  if (kind !== "xl") return { ...base, format: kind, end: { kind: "unknown" } };
  const found: Found = { format: "xl", stream: noStreamFacts() };
  const end = await endOf(window, async () => {
    const startBytes = await readHead(window, found);
    if (found.format === "xl-legacy" || options.walk === false) return;
    await walkStream(window, startBytes, found.stream);
  });
  const { format, config, stream } = found;
  return {
    ...base,
    format,
    ...(config && { config }),
    ...(format === "xl" && { stream }),
    end: end ?? ended(stream, bytes.size),
  };
}

function ended({ endBytes }: StreamFacts, sizeBytes: number): ImageEnd {
  if (endBytes === undefined) return { kind: "unknown" };
  return { kind: "complete", trailingBytes: sizeBytes - endBytes };
}

type Found = { format: "xl" | "xl-legacy"; config?: SavedConfig; readonly stream: StreamFacts };

/** What is wrong with the image; failures of the machine pass through. */
async function endOf(
  window: ImageWindow,
  work: () => Promise<void>,
): Promise<ImageEnd | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof CutOff) {
      return { kind: "cut-off", atBytes: window.size, what: error.what };
    }
    if (error instanceof FailureError && error.failure.kind !== "io") {
      return { kind: "unreadable", failure: error.failure };
    }
    throw error;
  }
}

/** xl's header and the config; returns where the stream begins. */
async function readHead(window: ImageWindow, found: Found): Promise<number> {
  const where = within(window.where, "xl header");
  const header = xlHeader.read(await window.take(0, xlHeader.size, "xl's header"), 0, where);
  const { byteorder, mandatory_flags: flags, optional_data_len: length } = header;
  if (byteorder !== XL_BYTEORDER) {
    if (byteorder === 0x04030201) throw unsupported(where, "an image of a big-endian machine");
    throw corrupt(where, `byte order ${hex(byteorder)}`, hex(XL_BYTEORDER));
  }
  const unknown = (flags & ~(XL_FLAG_JSON | XL_FLAG_STREAM_V2)) >>> 0;
  if (unknown !== 0) throw unsupported(where, `the mandatory flags ${hex(unknown)}`);
  if ((flags & XL_FLAG_STREAM_V2) === 0) found.format = "xl-legacy";
  if (length > MAX_CONFIG_BYTES) {
    throw overLimit(where, "the data in front of the stream", `${MAX_CONFIG_BYTES} bytes`);
  }
  const data = await window.take(xlHeader.size, length, "the config");
  const config = readConfig(data, (flags & XL_FLAG_JSON) !== 0, window.where);
  if (config) found.config = config;
  return xlHeader.size + length;
}

function readConfig(data: Uint8Array, isJson: boolean, image: Where): SavedConfig | undefined {
  const where = within(image, "config");
  // xl leaves it out when it has none; what comes behind the config, it does not look at.
  if (data.length === 0) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const length = data.length < 4 ? undefined : view.getUint32(0, true);
  if (length === undefined || length > data.length - 4) {
    throw corrupt(
      where,
      `a config of ${length ?? "?"} bytes in ${data.length}`,
      "its length and it",
    );
  }
  if (length === 0) return undefined;
  const text = decodeCString(data.subarray(4, 4 + length));
  const form = isJson ? "json" : "xl.cfg";
  const read = attemptSync(() => (isJson ? parseDomainJson(text, where) : fromText(text, where)));
  return { form, text, ...(read.ok ? { guest: read.value } : { failure: read.failure }) };
}

function fromText(text: string, where: Where): DomainSummary {
  const { config, failures } = parseDomainConfig(text, { path: where.join(" > ") });
  if (config) return summaryOfConfig(config);
  const [first] = failures;
  throw first ? new FailureError(first) : corrupt(where, "a config without a name", "a guest's");
}

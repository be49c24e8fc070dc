/**
 * Network interfaces, the entries of `vif=` (xl-network-configuration(5); xen: tools/xl/xl_parse.c parse_nic_config,
 * tools/libs/util/libxlu_vif.c). xl is easy on them: of most mistakes it only complains, and creates the guest with
 * what is left. The COLO settings are read and dropped.
 */
import { FailureError } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";

/** A parsed `vif=` entry (xen: tools/libs/util/libxlu_vif.c, docs/man/xl-network-configuration.5). */
export type VifSpec = {
  readonly text: string;
  readonly type?: "vif" | "ioemu";
  /** `00:16:3e:01:02:03`; absent: xl makes one up at every start. */
  readonly mac?: string;
  /** Absent: the host's default, xenbr0. */
  readonly bridge?: string;
  readonly gatewaydev?: string;
  readonly ip?: string;
  readonly script?: string;
  readonly backend?: string;
  readonly vifname?: string;
  readonly model?: string;
  /** As written: `10Mb/s@20ms`. */
  readonly rate?: string;
  readonly devid?: number;
  readonly mtu?: number;
  readonly vlan?: string;
  readonly trusted?: boolean;
  /** What xl complains about and leaves out: `brige=xenbr0 (no such key)`. */
  readonly ignored?: readonly string[];
};

type Draft = { -readonly [K in keyof VifSpec]?: VifSpec[K] };

const TEXT_KEYS = [
  "bridge",
  "gatewaydev",
  "ip",
  "script",
  "backend",
  "vifname",
  "model",
  "vlan",
] as const;

/** A `syntax` failure (line 1, column in the spec) where xl refuses: a rate, a devid or an mtu that it cannot read. */
export function parseVifSpec(text: string, where: Where = []): VifSpec {
  const draft: Draft = {};
  const ignored: string[] = [];
  let at = 0;
  for (const piece of text.split(",")) {
    const parameter = piece.replace(/^ +/, "");
    const column = at + piece.length - parameter.length + 1;
    at += piece.length + 1;
    if (piece === "") continue;
    const complaint = take(draft, parameter, (expected, found) => {
      throw new FailureError({
        kind: "syntax",
        where,
        line: 1,
        column,
        found: printable(found),
        expected,
      });
    });
    if (complaint !== undefined) ignored.push(`${printable(parameter)} (${complaint})`);
  }
  return { text, ...draft, ...(ignored.length > 0 ? { ignored } : {}) };
}

type Refuse = (expected: string, found: string) => never;

/** Takes one `key=value`; what xl complains about when it leaves it out. */
function take(draft: Draft, parameter: string, refuse: Refuse): string | undefined {
  if (parameter === "trusted" || parameter === "untrusted") {
    draft.trusted = parameter === "trusted";
    return undefined;
  }
  const equals = parameter.indexOf("=");
  const key = parameter.slice(0, Math.max(equals, 0));
  const value = parameter.slice(equals + 1);
  const textKey = TEXT_KEYS.find((name) => name === key);
  if (textKey) {
    draft[textKey] = value;
    return undefined;
  }
  switch (key) {
    case "type":
      if (value !== "vif" && value !== "ioemu") return "a type is vif or ioemu";
      draft.type = value;
      return undefined;
    case "mac": {
      const mac = parseMac(value);
      if (mac === undefined) return "a mac is six bytes in hexadecimal";
      draft.mac = mac;
      return undefined;
    }
    case "netdev":
      draft.gatewaydev = value;
      return "deprecated: write gatewaydev";
    case "rate":
      if (!isRate(value)) refuse("a rate such as 10Mb/s or 1MB/s@20ms", value);
      draft.rate = value;
      return undefined;
    case "devid":
    case "mtu":
      draft[key] = parseCount(value) ?? refuse(`a number after ${key}=`, value);
      return undefined;
    case "accel":
      return "xl has no accelerated interfaces";
    default:
      return key === "forwarddev" || /^colo_[a-z0-9_]+$/.test(key) ? undefined : "no such key";
  }
}

/** Six bytes of one or two digits; what separates them does not matter to xl. */
function parseMac(text: string): string | undefined {
  const bytes = /^([0-9a-f]{1,2})(?:[^0-9a-f]([0-9a-f]{1,2})){5}$/i.test(text)
    ? text.toLowerCase().split(/[^0-9a-f]/)
    : undefined;
  return bytes?.map((byte) => byte.padStart(2, "0")).join(":");
}

const UINT32_MAX = 2 ** 32 - 1;

const UINT64_MAX = 2n ** 64n - 1n;
const FACTORS: Readonly<Record<string, number>> = { G: 1e9, M: 1e6, K: 1e3, "": 1 };
const DEFAULT_INTERVAL_US = 50_000;

/**
 * An amount per second, and maybe how often it is replenished: each from 1 to what fits 32 bits (the amount without
 * its unit, the interval in microseconds), and their product within 64 bits.
 */
function isRate(text: string): boolean {
  const [amount = "", ...rest] = text.split("@");
  const match = /^([0-9]+)([GMK]?)([Bb])\/s$/.exec(amount);
  if (!match || !isCount(match[1]!)) return false;
  const interval = rest.length === 0 ? DEFAULT_INTERVAL_US : intervalUs(rest.join("@"));
  if (interval === undefined) return false;
  const units = BigInt(octalAware(match[1]!)) * BigInt(FACTORS[match[2]!]!);
  const bytes = match[3] === "b" ? units / 8n : units;
  return bytes <= UINT64_MAX / BigInt(interval);
}

function intervalUs(text: string): number | undefined {
  const match = /^([0-9]+)([mu]?)s?$/.exec(text);
  if (!match || !isCount(match[1]!)) return undefined;
  const unit = match[2] === "m" ? 1000 : match[2] === "u" ? 1 : 1_000_000;
  const interval = octalAware(match[1]!) * unit;
  return interval <= UINT32_MAX ? interval : undefined;
}

function isCount(digits: string): boolean {
  const value = octalAware(digits);
  return value >= 1 && value <= UINT32_MAX;
}

/** strtoull(base 0) of digits: a leading 0 makes them octal, up to the first 8 or 9. */
function octalAware(digits: string): number {
  if (!digits.startsWith("0")) return Number(digits);
  return Number.parseInt(/^0[0-7]*/.exec(digits)![0], 8);
}

/** strtoul(base 10): what follows the digits is left alone. */
function parseCount(text: string): number | undefined {
  const digits = /^\s*\+?([0-9]{1,15})/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

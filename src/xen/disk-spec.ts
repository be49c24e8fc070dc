/**
 * Disk specifications, the entries of `disk=` (xl-disk-configuration(5); xen: tools/libs/util/libxlu_disk_l.l).
 *
 * xl reads one with a lexer that takes, at each place, the longest piece that any of its patterns matches; of equal
 * ones the first pattern wins. The same table of patterns, in the same order, is here: what a comma, colon or `=` in
 * an odd place does then comes out the same. The table is that of Xen 4.19; earlier releases lack its newest words
 * (`trusted`, `specification=`, `grant_usage=`). The COLO settings are read and dropped.
 */
import { FailureError } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";

/** A parsed `disk=` entry (xen: tools/libs/util/libxlu_disk_l.l, docs/man/xl-disk-configuration.5). */
export type DiskSpec = {
  /** As written in the config. */
  readonly text: string;
  /** Empty for an empty CD-ROM drive. */
  readonly target: string;
  readonly format: DiskFormat;
  readonly vdev: string;
  readonly readonly: boolean;
  readonly cdrom: boolean;
  readonly backendtype?: DiskBackend;
  /** The domain that serves the disk, when it is not dom0. */
  readonly backend?: string;
  /** `block-iscsi` for `script=block-iscsi` or the `iscsi:` prefix. */
  readonly script?: string;
  readonly discard?: boolean;
  readonly directIoSafe: boolean;
  /** `specification=virtio`; Xen 4.17 and later. */
  readonly specification?: "xen" | "virtio";
  readonly trusted?: boolean;
  /** Deprecated spellings that were used: `phy:`, `file:`, `tap:aio:`, `:cdrom`. */
  readonly deprecated: readonly string[];
};

export type DiskFormat = "raw" | "qcow" | "qcow2" | "vhd" | "qed" | "empty";
export type DiskBackend = "phy" | "qdisk" | "tap" | "standalone";

const FORMATS: readonly DiskFormat[] = ["raw", "qcow", "qcow2", "vhd", "qed", "empty"];
const BACKENDS: readonly DiskBackend[] = ["phy", "qdisk", "tap", "standalone"];

/**
 * A `syntax` failure (line 1, column in the spec) where xl refuses the spec. The vdev is not looked into:
 * see `parseVdev`.
 */
export function parseDiskSpec(text: string, where: Where = []): DiskSpec {
  const reading = new Reading(text, where);
  while (!reading.atEnd) reading.step();
  return reading.finish();
}

/** One of the lexer's patterns. `act` gets the text that it matched, without the lookahead. */
type Rule = {
  readonly pattern: RegExp;
  /** What must follow. Not part of the match, but it counts for its length. */
  readonly lookahead?: RegExp;
  act(reading: Reading, match: string): void;
};

/** `key=value` up to a comma, which goes with it. */
function named(key: string, act: (reading: Reading, value: string) => void): Rule {
  return {
    pattern: new RegExp(`${key}=[^,]*,?`, "y"),
    act: (reading, match) => act(reading, stripComma(match.slice(key.length + 1))),
  };
}

function flag(name: string, act: (reading: Reading) => void): Rule {
  return { pattern: new RegExp(`${name},?`, "y"), act };
}

function ignored(): void {
  // COLO: accepted, and of no use to domus
}

/** The rest of the line. */
const REST = /.*/y;

const RULES: readonly Rule[] = [
  { pattern: /[ \t\n]+/y, lookahead: /(?:[^ \t\n].*)?/y, act: ignored },
  named("format", (reading, value) => reading.setFormat(value)),
  flag("cdrom", (reading) => reading.setCdrom(true)),
  flag("devtype=cdrom", (reading) => reading.setCdrom(true)),
  flag("devtype=disk", (reading) => reading.setCdrom(false)),
  named("devtype", (reading) => reading.refuse("devtype=cdrom or devtype=disk")),
  named("access", (reading, value) => reading.setAccess(value)),
  named("backend", (reading, value) => reading.setText("backend", value)),
  named("backendtype", (reading, value) => reading.setBackendtype(value)),
  named("specification", (reading, value) => reading.setSpecification(value)),
  named("vdev", (reading, value) => reading.setText("vdev", value)),
  named("script", (reading, value) => reading.setText("script", value)),
  flag("direct-io-safe", (reading) => reading.set({ directIoSafe: true })),
  flag("discard", (reading) => reading.set({ discard: true })),
  flag("no-discard", (reading) => reading.set({ discard: false })),
  flag("(?:no-)?colo", ignored),
  named("colo-(?:host|port|export)", ignored),
  named("(?:active|hidden)-disk", ignored),
  flag("trusted", (reading) => reading.set({ trusted: true })),
  flag("untrusted", (reading) => reading.set({ trusted: false })),
  flag("grant_usage=[01]", ignored),
  {
    pattern: /target=.*/y,
    act: (reading, match) => reading.setText("target", stripComma(match.slice("target=".length))),
  },
  {
    pattern: /[a-z][-a-z0-9]*=[^,],?/y,
    act: (reading) =>
      reading.refuse("a parameter that xl knows, such as vdev=, format= or target="),
  },
  {
    pattern: /(?:raw|qcow2?|vhd):/y,
    lookahead: REST,
    act: (reading, match) => reading.prefix(match, "format"),
  },
  {
    pattern: /(?:iscsi|e?nbd|drbd):/y,
    lookahead: REST,
    act: (reading, match) => reading.prefix(match, "script"),
  },
  {
    pattern: /(?:tapdisk|tap2?|aio|ioemu|file|phy):/y,
    lookahead: REST,
    act: (reading, match) => reading.prefix(match, "nothing"),
  },
  {
    pattern: /[a-z][a-z0-9]*:/y,
    lookahead: /(?:[^a-z0-9].*)?/y,
    act: (reading) =>
      reading.refuse("a prefix that xl knows, such as phy: or file: (or none at all)"),
  },
  { pattern: /[^=,]*,|[^=,]+,?/y, act: (reading, match) => reading.positional(stripComma(match)) },
];

function stripComma(text: string): string {
  return text.endsWith(",") ? text.slice(0, -1) : text;
}

type Draft = {
  target?: string;
  format?: DiskFormat;
  vdev?: string;
  backendtype?: DiskBackend;
  backend?: string;
  script?: string;
  discard?: boolean;
  directIoSafe?: boolean;
  specification?: "xen" | "virtio";
  trusted?: boolean;
};

class Reading {
  readonly #text: string;
  readonly #where: Where;
  readonly #draft: Draft = {};
  readonly #deprecated: string[] = [];
  #at = 0;
  #pieceAt = 0;
  #readonly = false;
  #cdrom = false;
  #accessSet = false;

  constructor(text: string, where: Where) {
    this.#text = text;
    this.#where = where;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Takes the longest piece; every match is at least one character, so steps end. */
  step(): void {
    let longest = 0;
    let winner: { rule: Rule; match: string } | undefined;
    for (const rule of RULES) {
      const match = matchAt(rule.pattern, this.#text, this.#at);
      if (match === undefined) continue;
      const ahead = rule.lookahead && matchAt(rule.lookahead, this.#text, this.#at + match.length);
      const length = match.length + (ahead?.length ?? 0);
      if (length > longest) {
        longest = length;
        winner = { rule, match };
      }
    }
    this.#pieceAt = this.#at;
    // As in the config file, xl's lexer overlooks a single odd character at the very end.
    const last = this.#at === this.#text.length - 1;
    if (!winner && last) winner = { rule: { pattern: REST, act: ignored }, match: "=" };
    if (!winner) this.refuse("a comma, or key=value with a key that xl knows");
    this.#at += winner.match.length;
    winner.rule.act(this, winner.match);
  }

  refuse(expected: string, found = this.#text.slice(this.#pieceAt)): never {
    throw new FailureError({
      kind: "syntax",
      where: this.#where,
      line: 1,
      column: this.#pieceAt + 1,
      found:
        found === ""
          ? "nothing"
          : printable(found.length > 60 ? `${found.slice(0, 57)}...` : found),
      expected,
    });
  }

  set(values: Draft): void {
    Object.assign(this.#draft, values);
  }

  setCdrom(cdrom: boolean): void {
    this.#cdrom = cdrom;
  }

  /** A text may be given again only while it is empty. */
  setText(name: "target" | "vdev" | "script" | "backend", value: string): void {
    if (this.#draft[name]) this.refuse(`${name} only once (it is ${this.#draft[name]} already)`);
    this.#draft[name] = value;
  }

  setFormat(value: string): void {
    const format = value === "" ? "raw" : FORMATS.find((name) => name === value);
    if (!format) this.refuse(`a format: one of ${FORMATS.join(", ")}`, value);
    this.#once("format", this.#draft.format, format);
    this.#draft.format = format;
  }

  setBackendtype(value: string): void {
    const backendtype = BACKENDS.find((name) => name === value);
    if (!backendtype) this.refuse(`a backendtype: one of ${BACKENDS.join(", ")}`, value);
    this.#once("backendtype", this.#draft.backendtype, backendtype);
    this.#draft.backendtype = backendtype;
  }

  setSpecification(value: string): void {
    if (value !== "xen" && value !== "virtio") this.refuse("specification=xen or virtio", value);
    this.#once("specification", this.#draft.specification, value);
    this.#draft.specification = value;
  }

  setAccess(value: string): void {
    if (!["r", "ro", "w", "rw", ""].includes(value)) {
      this.refuse("an access mode: r, ro, w or rw", value);
    }
    this.#readonly = value === "r" || value === "ro";
  }

  prefix(match: string, sets: "format" | "script" | "nothing"): void {
    this.#deprecated.push(match);
    const name = match.slice(0, -1);
    if (sets === "format") this.setFormat(name);
    if (sets === "script") this.setText("script", `block-${name}`);
  }

  /** Target, format (not after a prefix), vdev, access: the first of them that is not there yet. */
  positional(value: string): void {
    const draft = this.#draft;
    const prefixed = this.#deprecated.some((spelling) => !spelling.startsWith(":"));
    if (draft.target === undefined) {
      draft.target = value;
    } else if (!prefixed && draft.format === undefined) {
      if (draft.target === "" && this.#vdevAndDevtype(value)) draft.format = "empty";
      else this.setFormat(value);
    } else if (draft.vdev === undefined) {
      if (!this.#vdevAndDevtype(value)) draft.vdev = value;
    } else if (!this.#accessSet) {
      this.#accessSet = true;
      this.setAccess(value);
    } else {
      this.refuse("no more than target, format, vdev and access without a key");
    }
  }

  finish(): DiskSpec {
    this.#pieceAt = this.#text.length;
    const draft = this.#draft;
    if (draft.vdev === undefined) this.refuse("a vdev, the disk's name in the guest, such as xvda");
    if (draft.target === undefined && !this.#cdrom) this.refuse("a target, the disk in dom0");
    const { target = "", format = "raw", vdev, directIoSafe = false, ...rest } = draft;
    return {
      text: this.#text,
      target,
      format: this.#cdrom && target === "" ? "empty" : format,
      vdev,
      readonly: this.#cdrom || this.#readonly,
      cdrom: this.#cdrom,
      directIoSafe,
      ...rest,
      deprecated: this.#deprecated,
    };
  }

  #once(name: string, before: string | undefined, value: string): void {
    if (before !== undefined && before !== value) {
      this.refuse(`${name} only once (it is ${before} already)`, value);
    }
  }

  /** `hdc:cdrom`. False when there is no colon. */
  #vdevAndDevtype(value: string): boolean {
    const colon = value.lastIndexOf(":");
    if (colon < 0) return false;
    const devtype = value.slice(colon + 1);
    if (devtype !== "cdrom" && devtype !== "disk")
      this.refuse(":cdrom or :disk after the vdev", devtype);
    this.setText("vdev", value.slice(0, colon));
    this.#cdrom = devtype === "cdrom";
    this.#deprecated.push(`:${devtype}`);
    return true;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { jsonFlag } from "../flags.ts";
import type { SyncFlags } from "./sync-run.ts";

const off = (brief: string) => ({ kind: "boolean", brief, default: false }) as const;
const text = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, brief, placeholder, optional: true }) as const;

export const syncCommand = buildCommand<SyncFlags, string[], Context>({
  docs: {
    brief: "Make one disk equal to another, here or on another host, by sending only what differs",
    fullDescription: [
      "Makes DST equal to SRC: a block device, a file (sparse or not), or a logical volume as vg/lv, on this host or, with",
      "HOST: in front, on another one through ssh. Both sides read and hash at the same time, only 4 KiB blocks that differ are",
      "sent, what was written is read back, and both sides agree on a digest of the whole before it is called done.",
      "A run that was cut off, however, is completed by running the same command again.",
      "",
      "  domus sync vg0/web1 hostb:vg0/web1        a first copy, and the same command again for what changed since",
      "  domus sync hostb:/srv/web1.img web1.img   from there to here",
      "  domus sync web1.img hostb:/dev/vg0/web1 --dry-run",
      "  domus sync --check vg0/web1 hostb:vg0/web1",
      "",
      "Not read and not sent: holes, and blocks that an ext2/3/4 filesystem does not use (others: --shut-down). They become holes",
      "at the destination. When anybody may be writing to SRC, all of it is read.",
      "",
      "A dash is stdin or stdout: zcat web1.img.gz | domus sync - hostb:vg0/web1.",
      "",
      "A destination that somebody uses (mounted, swap, LVM, md, a guest, ...), that the memory image of a saved guest waits for,",
      "or that is too small is refused: exit code 4.",
      "A file at the destination is made when there is none; a device has to be there.",
    ].join("\n"),
    customUsage: ["[OPTION]... <SRC> [HOST:]<DST>", "[OPTION]... <HOST:SRC> <DST>"],
  },
  parameters: {
    flags: {
      json: { ...jsonFlag, brief: "Events, one JSON document a line, the result as the last one" },
      dryRun: off("Say what would be done, change nothing"),
      check: off("Compare only, and change nothing: exit code 3 when they differ"),
      allBlocks: off("Copy blocks that no filesystem uses, too"),
      shutDown: off(
        "The guest of SRC was shut down, not saved or paused: leave out unused blocks of XFS, btrfs, FAT and swap, too",
      ),
      since: text(
        "DST is a finished copy of this snapshot of SRC's volume (vg/lv): look only at what changed since",
        "SNAPSHOT",
      ),
      keepIndex: off("Keep digests beside the record of the copy: the next run need not read DST"),
      full: off("Read all of DST, whatever is known of it from earlier runs"),
      verify: off(
        "Read again from the disk what was compared and written, before it is called done",
      ),
      size: text("How long stdin is, when SRC is - and DST is not there yet: 8G, or bytes", "SIZE"),
      stateDir: text(
        "Keep records of copies to devices there, at DST's host (default: /var/lib/domus)",
        "DIR",
      ),
      bwlimit: text("Send at most so much a second: 500K, 10M, 1G", "RATE"),
      nice: off("Let everything else on both machines have processor and disk first"),
      timeout: text("Give up when nothing is heard for so long (default: 60)", "SECONDS"),
      ssh: text("Connect with this command: 'ssh -p 2222 -i KEY'", "COMMAND"),
      farDomus: text("Where domus is on the other host (default: domus, in its PATH)", "PATH"),
      bootstrap: off("Send this domus to the other host first, and remove it there afterwards"),
      serve: off("Be the far side on stdin and stdout; not for use by hand"),
    },
    positional: {
      kind: "array",
      maximum: 2,
      parameter: {
        brief: "Device, file or vg/lv; with HOST: in front on that host",
        parse: String,
        placeholder: "SRC DST",
      },
    },
  },
  loader: async () => (await import("./sync-run.ts")).run,
});

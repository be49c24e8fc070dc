/**
 * What the lines on a guest's console say about its boot: that it is up, that it failed and why, or nothing yet. Pure. The texts
 * are those of the kernel, of the initramfs generators, of init systems and loaders; docs/design/console.md lists them.
 */
import { shorten } from "../../check/remedy.ts";

export type BootSign = {
  readonly kind: "up" | "failed" | "unclear";
  /** A clause for people, with text of the guest in it as it is: `the kernel panicked: ...`. */
  readonly reason: string;
};

/** How far a boot has come, by what was last heard of. */
export type BootStage = "nothing" | "loader" | "kernel" | "initramfs" | "system";

type Rule = {
  readonly pattern: RegExp;
  readonly kind: BootSign["kind"];
  /** `$1` is the pattern's group. */
  readonly reason: string;
};

/** In complete lines. The first that fits decides. */
const RULES: readonly Rule[] = [
  // linux: kernel/panic.c; before 2.6.12 without `not syncing`.
  {
    pattern: /Kernel panic(?: - not syncing)?: ?(.*)/,
    kind: "failed",
    reason: "the kernel panicked: $1",
  },
  // initramfs-tools: scripts/local, scripts/functions
  {
    pattern: /ALERT! {1,4}(\S.{0,300}?) does not exist\. {1,4}Dropping to a shell/,
    kind: "failed",
    reason: "the initramfs waited in vain for the root disk: $1 does not exist",
  },
  {
    pattern: /requires a manual fsck|fsck (?:died|failed) with exit (?:status|code) [48]/,
    kind: "failed",
    reason: "a filesystem is damaged, and its check needs a person",
  },
  { pattern: /No init found\. Try passing init=/, kind: "failed", reason: "there is no init" },
  // mkinitcpio: init_functions
  {
    pattern: /You are now being dropped into an emergency shell/,
    kind: "failed",
    reason: "it stopped in the emergency shell of its initramfs",
  },
  // Alpine's mkinitfs: initramfs-init
  {
    pattern: /initramfs emergency recovery shell launched/,
    kind: "failed",
    reason: "it stopped in the emergency shell of its initramfs",
  },
  // genkernel: initrd.scripts
  {
    pattern: /Could not find the root (?:block )?device in (.+?)\.?$/,
    kind: "failed",
    reason: "the initramfs did not find the root disk $1",
  },
  // dracut: dracut-emergency.sh, dracut-lib.sh
  {
    pattern: /Entering emergency mode\. Exit the shell to continue|dracut.*Could not boot/,
    kind: "failed",
    reason: "its initramfs did not find what it needs, and stopped in a shell",
  },
  // systemd: units/emergency.service.in, units/rescue.service.in, src/sulogin-shell
  {
    pattern: /You are in (emergency|rescue) mode/,
    kind: "failed",
    reason: "systemd stopped in $1 mode",
  },
  {
    pattern: /Reached target .{0,40}\b(Emergency|Rescue) Mode/,
    kind: "failed",
    reason: "systemd stopped in $1 mode",
  },
  {
    pattern: /^(?:Give root password for|Press Enter for) (?:system )?maintenance/,
    kind: "failed",
    reason: "it stopped, and waits for a person to repair it",
  },
  {
    pattern: /Cannot open access to console, the root account is locked/,
    kind: "failed",
    reason: "it stopped in emergency mode, where nobody can log in: root has no password",
  },
  // SeaBIOS: src/boot.c
  { pattern: /^No bootable device\./, kind: "failed", reason: "the BIOS found no bootable disk" },
  // systemd, cloud-init, sysvinit, Alpine's /etc/issue
  {
    pattern:
      /Reached target .{0,60}?(?:Multi-User|multi-user\.target|Graphical Interface|graphical\.target)/,
    kind: "up",
    reason: "systemd has started all that it is to start",
  },
  {
    pattern: /systemd\[1\]: Startup finished in/,
    kind: "up",
    reason: "systemd has started all that it is to start",
  },
  {
    pattern: /^Cloud-init v\. .* finished at/,
    kind: "up",
    reason: "cloud-init has finished",
  },
  { pattern: /INIT: Entering runlevel: ?([2-5])/, kind: "up", reason: "init is in runlevel $1" },
  // Somebody wrote behind it, or has logged in.
  {
    pattern: /^(?:[\w.-]{1,64} )?login:(?:$| \[ *\d+\.\d+\])/,
    kind: "up",
    reason: "it asks for a login",
  },
  { pattern: /^Welcome to Alpine Linux/, kind: "up", reason: "it asks for a login" },
];

/** In the line that has no end: programs that wait for an answer. */
const PROMPTS: readonly Rule[] = [
  // A message of the kernel may stand behind it.
  {
    pattern: /^(?:[\w.-]{1,64} )?login: ?(?:$|\[ *\d+\.\d+\])/,
    kind: "up",
    reason: "it asks for a login",
  },
  {
    pattern: /^\(initramfs\) ?$|^dracut:[^ ]{0,80}# ?$|^\[rootfs [^\]]{0,80}\]# ?$/,
    kind: "failed",
    reason: "it stopped in a shell of its initramfs",
  },
  {
    pattern: /^grub(?:dom)?> ?$/,
    kind: "failed",
    reason: "GRUB found no menu, and waits at its prompt",
  },
  {
    pattern: /^grub rescue> ?$/,
    kind: "failed",
    reason: "GRUB found neither its modules nor a menu, and waits at its rescue prompt",
  },
  {
    pattern: /^(?:Give root password for|Press Enter for) (?:system )?maintenance/,
    kind: "failed",
    reason: "it stopped, and waits for a person to repair it",
  },
  {
    pattern: /^\[?[\w.-]{1,64}@[\w.-]{1,64}[: ][^ ]{0,80} ?[#$] ?$/,
    kind: "up",
    reason: "a shell answers on its console",
  },
];

/** Only of a loader; others number their errors as well. */
const LEGACY_GRUB = /^Error \d{1,2}: /;

/** A shell that does not say where it is. */
const BARE_SHELL = /^(?:[~/][^ ]{0,80} |(?:ba)?sh-[\d.]{1,12})?[#$] ?$/;

/** What is no end, but says why one came: the last of them is quoted with a failure. */
const HINTS =
  /VFS: Cannot open root device|Warning: .* does not exist|ERROR: device .* not found|Gave up waiting for|Timed out waiting for device|\[FAILED\] .*(?:[Mm]ount|File System Check|device)|Mounting root.*failed|^error: |No space left on device|Out of memory|I\/O error/;

const STAGES: readonly (readonly [RegExp, BootStage])[] = [
  [/GNU GRUB|^Booting from |^ *Booting '|SeaBIOS|^ISOLINUX|^SYSLINUX|EXTLINUX/, "loader"],
  [/Linux version \d|^Booting the kernel|Copyright.*(?:FreeBSD|NetBSD)/, "kernel"],
  [/Run \/init as init process|Loading, please wait|^Begin: |dracut/, "initramfs"],
  [
    /Welcome to (?!.*[Ii]nitramfs)|systemd\[1\]|INIT: version|OpenRC|Run \/sbin\/init as init|EXT[234]-fs \(\S+\): mounted filesystem|XFS \(\S+\): (?:Ending clean|Mounting)|BTRFS info.*(?:first mount|space|enabling)|VFS: Mounted root/,
    "system",
  ],
];
const ORDER: readonly BootStage[] = ["nothing", "loader", "kernel", "initramfs", "system"];

/** One test for all that is above, as most lines are none of it. */
const MAY_MATTER = new RegExp(
  [
    LEGACY_GRUB,
    ...RULES.map(({ pattern }) => pattern),
    HINTS,
    ...STAGES.map(([pattern]) => pattern),
  ]
    .map(({ source }) => source)
    .join("|"),
);

/** A class for what was heard before. */
export class BootSigns {
  /** The one that decided; what comes later does not change it. */
  sign: BootSign | undefined;
  stage: BootStage = "nothing";
  #hint = "";

  /** A line that has ended. */
  take(line: string): void {
    if (this.sign || !MAY_MATTER.test(line)) return;
    for (const [pattern, stage] of STAGES) if (pattern.test(line)) this.#enter(stage);
    const isLegacyGrub = this.stage === "loader" && LEGACY_GRUB.test(line);
    if (isLegacyGrub) this.sign = { kind: "failed", reason: `GRUB gave up: ${shorten(line)}` };
    else this.sign = this.#match(RULES, line);
    if (HINTS.test(line)) this.#hint = line;
  }

  /** The line that has no end yet. */
  takePrompt(line: string): void {
    if (this.sign || line.trim() === "") return;
    this.sign = this.#match(PROMPTS, line);
    if (this.sign || !BARE_SHELL.test(line)) return;
    this.sign =
      this.stage === "system"
        ? { kind: "up", reason: "a shell on its root filesystem answers on its console" }
        : {
            kind: "unclear",
            reason:
              "a shell answers on its console, and does not say whether it is the system's or that of an initramfs which found no system",
          };
  }

  /** For a boot that ended without a word of its own; empty when nothing pointed to it. */
  get hint(): string {
    return shorten(withoutTime(this.#hint));
  }

  /** Back only to a kernel that starts anew. */
  #enter(stage: BootStage): void {
    if (stage !== "kernel" && ORDER.indexOf(stage) <= ORDER.indexOf(this.stage)) return;
    this.stage = stage;
    this.#hint = "";
  }

  #match(rules: readonly Rule[], line: string): BootSign | undefined {
    for (const { pattern, kind, reason } of rules) {
      const match = pattern.exec(line);
      if (!match) continue;
      const group = shorten((match[1] ?? "").trim());
      const text = reason.replace("$1", () => group);
      const because = kind === "failed" && this.#hint !== "" ? ` (before that: ${this.hint})` : "";
      return { kind, reason: `${text}${because}` };
    }
    return undefined;
  }
}

/** Without `[    8.107636] `. */
function withoutTime(line: string): string {
  return line.replace(/^\[ *\d+\.\d+\] /, "");
}

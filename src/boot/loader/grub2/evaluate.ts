/** A configuration file to a `LoaderResult`: run it, look at every entry, choose as GRUB would. */
import type { Finding } from "../../../base/finding.ts";
import { missing } from "../../../base/failure.ts";
import { grubDefault } from "../grub-default.ts";
import type { BootEntry, BootFile, BootVolume, LoaderResult } from "../loader.ts";
import { chooseEntry } from "./choose.ts";
import type { Choice } from "./choose.ts";
import { runConfig } from "./commands/files.ts";
import { runSource } from "./execute.ts";
import { configWhere, createMachine } from "./machine.ts";
import type { Platform } from "./machine.ts";
import { readMenu } from "./menu-tree.ts";
import type { MenuTree } from "./menu-tree.ts";

export type Grub2Options = {
  readonly config: BootFile;
  /** Every filesystem that this GRUB could see; that of `config` among them. */
  readonly volumes: readonly BootVolume[];
  /** What `$grub_platform` and `$grub_cpu` say; `pc` and `x86_64` when left out. */
  readonly platform?: Partial<Platform>;
  /** Variables that the image of GRUB sets before it reads the configuration. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

/**
 * Fails with `missing` when there is no such file, with `limit` when the script asks for more than any real one, and
 * with what a filesystem says when it is damaged. What is wrong in the script itself is among the findings.
 */
export async function evaluateGrub2(options: Grub2Options): Promise<LoaderResult> {
  const machine = createMachine({ ...options, run: runSource });
  if (!(await runConfig(machine, options.config))) {
    throw missing(options.config.volume.fs.where, `file ${options.config.path}`);
  }
  const { stopped } = machine;
  const menu = stopped?.menu ?? machine.menu;
  const entries: BootEntry[] = [];
  const tree = await readMenu(machine, menu, { submenus: [], chosen: [], flat: entries });
  const left = stopped !== undefined && !stopped.menu;
  const choice: Choice = left
    ? { because: `the configuration ends with \`${stopped.by}\``, timeout: -1, tried: [] }
    : chooseEntry(tree);
  return {
    loader: "grub2",
    volume: menu.config.volume,
    configPath: menu.config.path,
    entries,
    ...(choice.index !== undefined && { chosen: choice.index }),
    because: choice.because,
    timeout: choice.timeout,
    findings: [
      ...machine.findings.values(),
      ...passwordFinding(tree, choice),
      ...defaultFinding(tree, choice),
    ],
    where: configWhere(menu.config),
  };
}

/** An entry that asks for a password stops an unattended boot. */
function passwordFinding(tree: MenuTree, choice: Choice): Finding[] {
  const { env, config } = tree.menu;
  const node = choice.tried.find((one) => one.entry.restricted);
  if (!node || !env.get("superusers")) return [];
  return [
    {
      code: "grub-password",
      severity: "warning",
      where: configWhere(config),
      what: `GRUB asks for a user and a password before it starts "${node.entry.title}".`,
      why: "The configuration names superusers, and the entry does not have the option --unrestricted.",
      next: "In the guest, add --unrestricted to CLASS in /etc/grub.d/10_linux and run update-grub (or grub2-mkconfig).",
    },
  ];
}

/** A kernel that was removed, or a menu that was written anew with other titles, leaves such a default behind. */
function defaultFinding(tree: MenuTree, { unmatched, because }: Choice): Finding[] {
  if (unmatched === undefined || tree.nodes.length === 0) return [];
  return [
    grubDefault(configWhere(tree.menu.config), {
      said: unmatched,
      instead: because,
      next: "In the guest, set GRUB_DEFAULT in /etc/default/grub to an entry that is there and run update-grub; where it is saved, grub-set-default ENTRY (Fedora and its relatives: grubby --set-default).",
    }),
  ];
}

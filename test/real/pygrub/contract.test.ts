/**
 * The same disks for the real pygrub of Xen 4.17 and for ours. Where pygrub reads a disk rightly both must hand over the
 * same files and the same arguments, to the byte; where they differ there is a reason, and the list of the reasons is a
 * page of the documentation that this test keeps true (`UPDATE_GOLDEN=1` writes it anew).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { NothingToStart, prepareBoot } from "../../../src/guest/bootloader/prepare-boot.ts";
import { FailureError } from "../../../src/base/failure.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import {
  EXTLINUX_CONFIGS,
  ext4,
  GRUB2_CONFIGS,
  LEGACY_MENUS,
  tree,
} from "../../support/pygrub-images.ts";
import { DISKS, FILE_SYSTEMS, LAYOUTS } from "../../support/pygrub-disks.ts";
import { realPygrub } from "../../support/pygrub.ts";

type Handed = { readonly kernel: string; readonly ramdisk?: string; readonly args: string };

async function ours(image: string): Promise<Handed | undefined> {
  const collect = () => {
    const parts: Uint8Array[] = [];
    return {
      parts,
      write: async (chunk: Uint8Array) => void parts.push(Uint8Array.from(chunk)),
      restart: async () => void (parts.length = 0),
    };
  };
  const [kernel, ramdisk] = [collect(), collect()];
  try {
    const boot = await prepareBoot(
      { disk: image, args: "", repair: "auto" },
      { host: localHost(), xen: async () => undefined },
      { kernel, ramdisk },
    );
    return {
      kernel: Buffer.concat(kernel.parts).toString(),
      args: boot.args,
      ...(boot.ramdiskPaths.length > 0 && { ramdisk: Buffer.concat(ramdisk.parts).toString() }),
    };
  } catch (error) {
    if (error instanceof NothingToStart || error instanceof FailureError) return undefined;
    throw error;
  }
}

function theirs(image: string): Handed | undefined {
  const { exitCode, kernel, ramdisk, args } = realPygrub(image);
  if (exitCode !== 0 || kernel === undefined) return undefined;
  return { kernel, args, ...(ramdisk !== undefined && { ramdisk }) };
}

type Images = Readonly<Record<string, () => string>>;

const FAMILIES: Readonly<Record<string, Images>> = {
  "grub.cfg": withConfig("/boot/grub/grub.cfg", GRUB2_CONFIGS),
  "menu.lst": withConfig("/boot/grub/menu.lst", LEGACY_MENUS),
  "extlinux.conf": withConfig("/boot/extlinux/extlinux.conf", EXTLINUX_CONFIGS),
  disk: DISKS,
  filesystem: FILE_SYSTEMS,
  layout: LAYOUTS,
};

function withConfig(path: string, configs: Readonly<Record<string, string | Uint8Array>>): Images {
  return Object.fromEntries(
    Object.entries(configs).map(([name, config]) => [name, () => ext4(tree({ [path]: config }))]),
  );
}

const NOT_READ = "pygrub cannot read this file system";
const GIVES_UP = "pygrub's parser gives up here, GRUB does not";

/** Why ours is right. A case that differs and is not in here fails, and so does one in here that does not differ. */
const REASONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "grub.cfg": {
    "default= is not set": "GRUB takes `default=1` for the same as `set default=1`",
    "default with an underscore": "GRUB reads no number there, and takes the first entry",
    "negative default": "GRUB takes the first entry, pygrub breaks off",
    "default by title": "pygrub knows numbers only, and takes the first entry without a word",
    "submenu is flattened": "GRUB counts a submenu as one entry, pygrub counts what is in it",
    "path of a submenu": "pygrub knows numbers only, and takes the first entry without a word",
    "condition inside an entry": "GRUB evaluates the condition, pygrub takes the last line",
    linuxefi: "pygrub does not know `linuxefi` and `initrdefi`",
    "two initrds": "pygrub takes both for the name of one file; ours joins them, as GRUB does",
    "only a tab after the path": "pygrub takes the rest of the line for the path",
    "path with $root": "pygrub does not know variables",
    "root set to LVM":
      "pygrub gives up; the guest has no such volume, so ours starts without what GRUB would look for there, and says so",
    "two = in a set": GIVES_UP,
    "blank in a set": GIVES_UP,
    "set without a value": GIVES_UP,
    "two = in an entry": GIVES_UP,
    "no blank before the brace": GIVES_UP,
    "brace only in the options": "GRUB reads the entry on one line, pygrub what follows it",
    "title without quotes": GIVES_UP,
    "title that is not UTF-8": GIVES_UP,
    "entry in an entry": GIVES_UP,
    "brace too many": "GRUB keeps the entries before it, pygrub drops all",
    "function on one line": "pygrub takes what follows for the function's body and loses an entry",
    "no-break space at the end": "Python strips it, GRUB does not",
    "quotes in arguments": "GRUB evaluates quotes, pygrub hands them on",
  },
  "menu.lst": {
    "options before the kernel": "pygrub takes the option for the kernel's name",
    "Xen and modules":
      "pygrub takes the hypervisor for the kernel where the lines call it `kernel`; ours starts the dom0 kernel in the first module",
    "a tab before the arguments": "pygrub takes the rest of the line for the path",
  },
  "extlinux.conf": {
    "default with arguments": "SYSLINUX takes the first word for the label and appends the others",
  },
  disk: {
    "MBR, a swap partition first": "domus goes by what is in a partition, not by its type",
    "MBR, an entry without its kernel in the first":
      "pygrub takes the first entry and fails; ours goes on to the next partition",
    "MBR, a logical partition": "pygrub does not see logical partitions",
    "GPT whose entries lie elsewhere": "pygrub looks at sector 2 only",
    "GPT with a broken first header": "pygrub does not know the second header",
    "LVM in a partition": "pygrub does not know LVM",
  },
  filesystem: {
    "ext4, inline_data":
      "pygrub's library hands over the rest of the room in the inode as well, as NULs",
    "ext4, bigalloc": NOT_READ,
    "XFS version 4, ftype=1": NOT_READ,
    "XFS version 5": NOT_READ,
    btrfs: NOT_READ,
  },
  layout: {
    "blscfg and loader entries": "pygrub does not know the Boot Loader Specification",
    "loader entries without GRUB": "pygrub does not know the Boot Loader Specification",
    "saved_entry in grubenv": "pygrub does not read grubenv, and takes the first entry",
    "a broken /boot/grub/grub.cfg before a good /boot/grub2/grub.cfg":
      "pygrub looks no further than the first file that is there",
  },
};

const PAGE = join(import.meta.dirname, "../../../docs/reference/domus-pygrub-differences.md");

type Row = { readonly family: string; readonly name: string; readonly cells: readonly string[] };

const rows: Row[] = [];
let same = 0;

describe.each(Object.entries(FAMILIES))("%s", (family, images) => {
  test.each(Object.entries(images))("%s", async (name, make) => {
    const image = make();
    const [real, own] = [theirs(image), await ours(image)];
    const reason = REASONS[family]?.[name];
    if (reason === undefined) {
      expect(own).toEqual(real);
      same += 1;
      return;
    }
    expect(own, "there is no difference to give a reason for").not.toEqual(real);
    // Whatever pygrub starts, ours starts something.
    expect(own).toBeDefined();
    rows.push({ family, name, cells: [handedText(real), handedText(own), reason] });
  });

  test("has every case that a reason is given for", () => {
    expect(Object.keys(images)).toEqual(expect.arrayContaining(Object.keys(REASONS[family] ?? {})));
  });
});

function handedText(handed: Handed | undefined): string {
  if (!handed) return "nothing";
  const { kernel, ramdisk, args } = handed;
  const shown = [kernel, ...(ramdisk === undefined ? [] : ramdisk.split(/\0+/)), args];
  return shown
    .map((one) => one.replace(/\0+$/, (nuls) => ` and ${nuls.length} NULs`))
    .filter((one) => one !== "")
    .map((one) => `\`${one.replaceAll("|", "\\|").replaceAll("\u00a0", "<U+00A0>")}\``)
    .join(" ");
}

function pageText(): string {
  const tables = Object.keys(FAMILIES).map((family) => {
    const lines = rows
      .filter((row) => row.family === family)
      .map(({ name, cells }) => `| ${[name, ...cells].join(" | ")} |`);
    return [
      `## ${family}`,
      "",
      "| case | pygrub | domus-pygrub | why |",
      "|---|---|---|---|",
      ...lines,
    ].join("\n");
  });
  return `# Where domus-pygrub and pygrub differ

Made by \`test/real/pygrub/contract.test.ts\`, which runs pygrub of Xen 4.17 and domus-pygrub on ${same + rows.length} disks. On
${same} of them both hand over the same files and the same arguments, to the byte, or neither starts anything. The other
${rows.length} are below: what each hands over (kernel, initramfs, arguments), and why.

${tables.join("\n\n")}

${BEHAVIOUR}`;
}

const BEHAVIOUR = `## The program

| pygrub | domus-pygrub | why |
|---|---|---|
| exits with 0 after failures with \`--runas\` and \`-l\` | exits with 1 | the caller would take the failure for success |
| leaves empty \`boot_kernel.*\` and \`boot_ramdisk.*\` after a failure | leaves nothing, also after SIGTERM, SIGHUP, SIGINT and on a full disk | nobody else removes them |
| \`-n\` prints \`None\` since 4.17 | prints \`<kernel:/path>\` and \`<ramdisk:/path>\` | what pygrub printed before |
| \`-l\` breaks off at the first entry without an initramfs | lists all, \`initrd: None\` for those | the list is to be whole |
| \`-l\` shows the \`root:\` that its parser has read | shows the partition that the kernel is in | that is where it is read from |
| leaves the menu with an error when arguments are edited | edits them | |
| has a prompt of its own (\`c\`), and its own edit screen | edits the line of arguments | what else is to start is in the guest's configuration |
| limits files by \`PYGRUB_MAX_FILE_SIZE_MB\` (128) with \`--runas\` only | always; 1 GiB where it is not set | 1 GiB is what Xen itself takes |
| limits memory by \`PYGRUB_MAX_RAM_USAGE_MB\` with \`--runas\` | does not read it | address space, which that limits, says nothing of the memory that Node.js uses; its readers are bounded one by one |
| \`--runas\`: a chroot with the disk in it | a process of that user, without groups and capabilities, with three open files | needs no mount |
| starts Solaris (\`/platform/i86xpv/kernel/...\`) and NetWare (\`/nwserver/xnloader.sys\`) without a configuration | needs \`kernel=\` and \`ramdisk=\` in the guest's config | neither is made any more |
`;

test("the page of the documentation is this", ({ skip }) => {
  const whole = Object.values(FAMILIES).reduce((sum, one) => sum + Object.keys(one).length, 0);
  // With -t, or after a failure above, there is nothing to compare.
  if (same + rows.length < whole) skip("not every case has run");
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(PAGE, pageText());
  expect(readFileSync(PAGE, "utf8")).toBe(pageText());
});

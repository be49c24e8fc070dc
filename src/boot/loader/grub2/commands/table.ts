/** The one list of all commands. */
import { BAD_ARGUMENT, OK, TEST_FAILED } from "../machine.ts";
import type { CommandFunction, CommandTable } from "./call.ts";
import { fileCommands } from "./files.ts";
import { loadCommands } from "./load.ts";
import { menuCommands } from "./menu.ts";
import { regexpCommands } from "./regexp.ts";
import { searchCommands } from "./search.ts";
import { variableCommands } from "./variables.ts";

/** Commands that change nothing about what is booted: screens, keyboards, modules, passwords, drives. */
const WITHOUT_EFFECT =
  "acpi all_functional_test authenticate background_color background_image badram boottime cat clear cmosset cmostest " +
  "cmp crc cryptomount cutmem date devicetree distrust drivemap dump file hashsum help hexdump hiddenentry hwmatch insmod " +
  "keymap legacy_password loadfont load_video ls lsacpi lsmmap lsmod lspci lssal md5sum module_policy mouse nativedisk " +
  "net_add_addr net_bootp net_del_addr net_ls_addr outb outl outw parttool password password_pbkdf2 pcidump play " +
  "read rmmod sendkey serial setpci sha1sum sha256sum sha512sum sleep smbios terminal_input terminal_output terminfo " +
  "time trust trust_certificate usb verify_detached vbeinfo videoinfo vbetest wrmsr rdmsr xen_boot zfs-bootfs";

const withoutEffect: CommandTable = [
  ...WITHOUT_EFFECT.split(" ").map((name) => [name, () => OK] as const),
  // Nobody holds a key down.
  ["keystatus", () => TEST_FAILED],
  // Asks for a 64-bit CPU, unless it asks for PAE, which those have, too.
  ["cpuid", () => OK],
  ["legacy_kernel", () => BAD_ARGUMENT],
];

export const commands: ReadonlyMap<string, CommandFunction> = new Map([
  ...withoutEffect,
  ...variableCommands,
  ...fileCommands,
  ...searchCommands,
  ...menuCommands,
  ...loadCommands,
  ...regexpCommands,
]);

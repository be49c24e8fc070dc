/**
 * The commands of GRUB 0.97 (stage2/builtins.c) and of the patches that Debian, Ubuntu, Fedora and SUSE shipped. A
 * line that begins with another word does nothing.
 */
export const COMMANDS: ReadonlySet<string> = new Set(
  `background blocklist boot bootp cat chainloader clear cmp color configfile debug default density device dhcp
  displayapm displaymem efimap embed fallback find foreground fstest geometry gfxmenu graphics halt help hiddenmenu
  hide ifconfig impsprobe initrd install ioprobe kernel lock makeactive map md5crypt module modulenounzip pager
  partnew parttype password pause print quiet quit rarp read reboot root rootnoverify savedefault serial setkey setup
  setvbe shade shiftdown silent splash splashimage terminal terminfo testload testvbe tftpserver timeout title unhide
  uppermem uuid vbeprobe verbose viewport wildcard`.split(/\s+/),
);

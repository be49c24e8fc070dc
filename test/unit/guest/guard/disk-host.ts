import { scriptedHost } from "../../host/local/scripted-system.ts";

/** sda: sda1, and sda2 a PV of two volumes, pandora's and mail's; a file behind a loop device, with a second name. */
export const DISK_HOST = scriptedHost({
  files: {
    "/sys/devices/sda/dev": "8:0",
    "/sys/devices/sda/sda1/dev": "8:1",
    "/sys/devices/sda/sda1/partition": "1",
    "/sys/devices/sda/sda2/dev": "8:2",
    "/sys/devices/sda/sda2/partition": "2",
    "/sys/devices/dm-0/dev": "253:0",
    "/sys/devices/dm-1/dev": "253:1",
    "/sys/devices/loop0/dev": "7:0",
    "/sys/devices/loop0/loop/backing_file": "/srv/pandora.img",
  },
  links: {
    "/sys/dev/block/8:0": "/sys/devices/sda",
    "/sys/dev/block/8:1": "/sys/devices/sda/sda1",
    "/sys/dev/block/8:2": "/sys/devices/sda/sda2",
    "/sys/dev/block/253:0": "/sys/devices/dm-0",
    "/sys/dev/block/253:1": "/sys/devices/dm-1",
    "/sys/dev/block/7:0": "/sys/devices/loop0",
    "/sys/class/block/loop0": "/sys/devices/loop0",
    "/sys/devices/sda/sda2/holders/dm-0": "/sys/devices/dm-0",
    "/sys/devices/sda/sda2/holders/dm-1": "/sys/devices/dm-1",
    "/dev/vg0/pandora-disk": "/dev/dm-0",
  },
  nodes: {
    "/dev/sda": "8:0",
    "/dev/sda1": "8:1",
    "/dev/sda2": "8:2",
    "/dev/dm-0": "253:0",
    "/dev/mapper/vg0-pandora--disk": "253:0",
    "/dev/mapper/vg0-mail": "253:1",
    "/dev/loop0": "7:0",
    "/srv/pandora.img": 12,
    "/srv/link.img": 12,
    "/srv/other.img": 13,
  },
});

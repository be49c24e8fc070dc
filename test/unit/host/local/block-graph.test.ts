/** What two disks have to do with each other, on a machine that is made up. */
import { expect, test } from "vitest";
import { readReaches } from "../../../../src/host/local/block-graph.ts";
import { scriptedHost } from "./scripted-system.ts";

/** sda with sda1; on sda1 the volume dm-0, of which dm-1 is an alias; loop0 and loop1 on one file, which has two names. */
const host = scriptedHost({
  files: {
    "/sys/devices/sda/dev": "8:0\n",
    "/sys/devices/sda/sda1/dev": "8:1\n",
    "/sys/devices/sda/sda1/partition": "1\n",
    "/sys/devices/dm-0/dev": "253:0\n",
    "/sys/devices/dm-1/dev": "253:1\n",
    "/sys/devices/dm-2/dev": "253:2\n",
    "/sys/devices/loop0/dev": "7:0\n",
    "/sys/devices/loop0/loop/backing_file": "/srv/web1.img\n",
    "/sys/devices/loop1/dev": "7:1\n",
    "/sys/devices/loop1/loop/backing_file": "/srv/web1.img\n",
    "/sys/class/block/loop0/dev": "7:0\n",
    "/sys/class/block/loop0/loop/backing_file": "/srv/web1.img\n",
    "/sys/class/block/loop1/dev": "7:1\n",
    "/sys/class/block/loop1/loop/backing_file": "/srv/web1.img\n",
  },
  links: {
    "/sys/dev/block/8:0": "/sys/devices/sda",
    "/sys/dev/block/8:1": "/sys/devices/sda/sda1",
    "/sys/dev/block/253:0": "/sys/devices/dm-0",
    "/sys/dev/block/253:1": "/sys/devices/dm-1",
    "/sys/dev/block/253:2": "/sys/devices/dm-2",
    "/sys/dev/block/7:0": "/sys/devices/loop0",
    "/sys/dev/block/7:1": "/sys/devices/loop1",
    "/sys/devices/sda/sda1/holders/dm-0": "/sys/devices/dm-0",
    "/sys/devices/sda/sda1/holders/dm-2": "/sys/devices/dm-2",
    "/sys/devices/dm-0/holders/dm-1": "/sys/devices/dm-1",
  },
  nodes: {
    "/dev/sda": "8:0",
    "/dev/sda1": "8:1",
    "/dev/vg0/web1": "253:0",
    "/dev/mapper/vg0-web1": "253:0",
    "/dev/mapper/alias": "253:1",
    "/dev/vg0/mail": "253:2",
    "/dev/loop0": "7:0",
    "/dev/loop1": "7:1",
    "/srv/web1.img": 12,
    "/srv/hardlink.img": 12,
    "/srv/mail.img": 13,
  },
});

const PATHS = [
  ...["/dev/sda", "/dev/sda1", "/dev/vg0/web1", "/dev/mapper/vg0-web1", "/dev/mapper/alias"],
  ...["/dev/vg0/mail", "/dev/loop0", "/dev/loop1", "/srv/web1.img", "/srv/hardlink.img"],
  ...["/srv/mail.img", "/nowhere"],
];

async function share(a: string, b: string): Promise<boolean> {
  const found = await readReaches(host, PATHS);
  const [one, other] = [found.get(a)!, found.get(b)!];
  return one.reaches.includes(other.identity) || other.reaches.includes(one.identity);
}

test.each([
  ["/dev/vg0/web1", "/dev/mapper/vg0-web1"],
  ["/dev/vg0/web1", "/dev/mapper/alias"],
  ["/dev/sda1", "/dev/sda"],
  ["/dev/sda", "/dev/mapper/alias"],
  ["/srv/web1.img", "/srv/hardlink.img"],
  ["/dev/loop0", "/srv/hardlink.img"],
  ["/dev/loop0", "/dev/loop1"],
])("%s and %s are one", async (a, b) => {
  expect([await share(a, b), await share(b, a)]).toEqual([true, true]);
});

test.each([
  ["/dev/vg0/web1", "/dev/vg0/mail"],
  ["/srv/web1.img", "/srv/mail.img"],
  ["/dev/loop0", "/dev/sda"],
])("%s and %s are two", async (a, b) => {
  expect([await share(a, b), await share(b, a)]).toEqual([false, false]);
});

test("what is not there is not in the answer", async () => {
  const found = await readReaches(host, PATHS);
  expect([...found.keys()]).toEqual(PATHS.slice(0, -1));
  expect(await readReaches(host, ["/nowhere"])).toEqual(new Map());
  expect(await readReaches(host, [])).toEqual(new Map());
});

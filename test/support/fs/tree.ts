/** A tree of files that has every kind of oddity, made through the kernel in a mounted filesystem. */
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { randomSource } from "../mutate.ts";
import { sh } from "../need.ts";

export type TreeOptions = {
  /** Regular files in all. */
  readonly files: number;
  /** Of them in one large directory. */
  readonly crowd: number;
  /** In bytes; what ext2 with 1 KiB blocks can address is 16 GiB. */
  readonly sparseSize: number;
};

const ODD_NAMES = [
  Buffer.from([0xff, 0xfe, 0x80]), // not UTF-8
  Buffer.from([0x61, 0xc3]), // cut off in the middle of a character
  Buffer.from([0xed, 0xa0, 0x80]), // a surrogate
  Buffer.from("new\nline"),
  Buffer.from("\x1b[31mred\x07"),
  Buffer.from("-rf"),
  Buffer.from("--help"),
  Buffer.from(" "),
  Buffer.from("..."),
  Buffer.from(".hidden"),
  Buffer.from("ünïcødé 漢字 🐧"),
  Buffer.from("e\u0301 and \u00e9"),
  Buffer.from("\u202egpj.exe"),
  Buffer.from("back\\slash"),
  Buffer.from("'quote\"$(x)`"),
  Buffer.alloc(255, "x"),
  Buffer.concat([Buffer.alloc(254, "y"), Buffer.from([0xff])]),
];

/** Makes the tree in `root`, an empty filesystem mounted by the caller. The same everywhere, except for times of links. */
export async function makeTree(root: string, options: TreeOptions): Promise<void> {
  const random = randomSource(7);
  mkdirSync(`${root}/odd`);
  for (const name of ODD_NAMES) writeFileSync(under(`${root}/odd`, name), name);
  makeCrowds(root, options, random);
  makeContents(root, options.sparseSize);
  makeLinks(root);
  await makeSpecials(root);
  makeDeep(root);
  makeTimes(root);
}

function under(directory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), name]);
}

function makeCrowds(root: string, options: TreeOptions, random: (below: number) => number): void {
  const noise = Buffer.from(Array.from({ length: 70_000 }, () => random(256)));
  mkdirSync(`${root}/crowd`);
  for (let i = 0; i < options.crowd; i++)
    writeFileSync(`${root}/crowd/name-${i}-${"n".repeat(i % 60)}`, "");
  const rest = options.files - options.crowd;
  for (let i = 0; i < rest; i++) {
    if (i % 100 === 0) mkdirSync(`${root}/d${i / 100}`);
    // Mostly small, so that inline data, its continuation and the first blocks all come up.
    const size = i % 50 === 0 ? random(70_000) : i % 7 === 0 ? random(5000) : random(200);
    const path = `${root}/d${Math.floor(i / 100)}/f${i}`;
    writeFileSync(path, noise.subarray(0, size));
    if (i % 11 === 0) chownSync(path, 65_534 + i * 77, 70_000 + i * 131);
    if (i % 13 === 0) chmodSync(path, random(0o10000));
  }
  for (let i = 0; i < 100; i++) mkdirSync(`${root}/d0/sub${i}`);
}

function makeContents(root: string, sparseSize: number): void {
  const dir = `${root}/contents`;
  mkdirSync(dir);
  const write = (name: string, size: number, places: readonly number[], length = 5000) => {
    const fd = openSync(`${dir}/${name}`, "w");
    ftruncateSync(fd, size);
    for (const at of places)
      writeSync(fd, Buffer.alloc(Math.min(length, size - at), `${name}@${at};`), 0, null, at);
    closeSync(fd);
  };
  write("empty", 0, []);
  write("all-hole", 1_000_003, []);
  write("hole-middle", 3_000_000, [0, 2_900_000]);
  write("hole-end", 3_000_001, [1]);
  write("large-sparse", sparseSize, [0, 70_000, 5_000_000, 700_000_000, sparseSize - 5000]);
  // Every other block: as many extents as there are blocks, so that the tree has leaves.
  write(
    "fragments",
    16_000_000,
    Array.from({ length: 900 }, (_, i) => i * 16_384 + 8192),
    4096,
  );
  write("solid", 9_000_000, [0], 9_000_000);
  for (const size of [1, 59, 60, 61, 100, 159, 160, 161, 200, 1023, 1024, 4095, 4096, 4097]) {
    write(`size-${size}`, size, [0]);
  }
}

/** Only where the filesystem can: not ext2 and ext3. */
export function makeUnwritten(root: string): void {
  sh(`
    cd '${root}/contents'
    fallocate -l 2M unwritten
    fallocate -l 3M partly && printf data | dd of=partly bs=1 seek=1000000 conv=notrunc status=none
    echo start > beyond-end && fallocate -n -l 5M beyond-end
    cp solid punched && fallocate -p -o 1000000 -l 3000000 punched
    cp solid zeroed && fallocate -z -o 2000000 -l 100000 zeroed
  `);
}

function makeLinks(root: string): void {
  const dir = `${root}/links`;
  mkdirSync(dir);
  writeFileSync(`${dir}/origin`, "linked");
  for (let i = 0; i < 20; i++) linkSync(`${dir}/origin`, `${dir}/hard${i}`);
  for (const length of [1, 58, 59, 60, 61, 100, 150, 200, 1000]) {
    symlinkSync("t".repeat(length), `${dir}/soft-${length}`);
  }
  symlinkSync("/absolute/../path", `${dir}/absolute`);
  symlinkSync(Buffer.from([0xff, 0x0a, 0x41]), `${dir}/odd-target`);
  symlinkSync("loop", `${dir}/loop`);
  lchownSync(`${dir}/loop`, 100_000, 200_000);
}

async function makeSpecials(root: string): Promise<void> {
  // XFS has 18 bits for the minor number.
  const dir = `${root}/specials`;
  mkdirSync(dir);
  sh(`
    cd '${dir}'
    mkfifo fifo
    mknod old-char c 5 1; mknod old-block b 202 16
    mknod new-char c 511 70000; mknod new-block b 300 262143; mknod minor b 8 256; mknod zero c 0 0
  `);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${dir}/socket`, resolve));
  // Closing unlinks the socket's name, so another one is kept.
  linkSync(`${dir}/socket`, `${dir}/kept-socket`);
  await new Promise((resolve) => server.close(resolve));
}

function makeDeep(root: string): void {
  let path = `${root}/deep`;
  mkdirSync(path);
  for (let i = 0; i < 60; i++) mkdirSync((path += `/level-${i}-${"p".repeat(30)}`));
  writeFileSync(`${path}/bottom`, "deep");
}

function makeTimes(root: string): void {
  const dir = `${root}/times`;
  mkdirSync(dir);
  const times = [
    0,
    1,
    1_600_000_000.123456,
    2 ** 31 - 1,
    2 ** 31,
    4_102_444_800.5,
    2 ** 33,
    -1,
    -(2 ** 31),
  ];
  for (const [i, time] of times.entries()) {
    writeFileSync(`${dir}/t${i}`, "");
    utimesSync(`${dir}/t${i}`, time, time);
  }
}

/**
 * dom0 of a lab host as a `Host`: what domus would do there is done from here, with the code as it is in this checkout.
 * Devices are read in dom0 through its page cache, as domus would read them.
 */
import type { LabHost } from "../../lab/host.ts";
import { quote } from "../../lab/ssh.ts";
import { ioFailure, missing } from "../../src/base/failure.ts";
import { assertInside } from "../../src/base/range.ts";
import { cachedSource } from "../../src/disk/cache.ts";
import type { BlockDevice } from "../../src/disk/source.ts";
import type { Host, PathKind } from "../../src/host/host.ts";

export function labDom0(lab: LabHost): Host {
  const text = async (command: string) => (await lab.output(command)).trim();
  return {
    name: lab.name,
    live: true,
    async run(argv) {
      const ran = await lab.run(`LC_ALL=C ${argv.map(quote).join(" ")}`);
      if (ran.code === 127) throw missing([lab.name], `program ${argv[0]}`);
      return { argv, exitCode: ran.code, stdout: ran.stdout, stderr: ran.stderr };
    },
    openBlock: (path) => openOver(lab, path),
    async readFile(path) {
      return Buffer.from(await lab.output(`base64 -w0 ${quote(path)}`), "base64");
    },
    async list(path) {
      return (await text(`ls -1A ${quote(path)}`)).split("\n").filter((name) => name !== "");
    },
    async kind(path) {
      const word = quote(path);
      return (await text(
        `if [ -b ${word} ]; then echo block-device; elif [ -f ${word} ]; then echo file
         elif [ -d ${word} ]; then echo directory; elif [ -e ${word} ]; then echo other; else echo missing; fi`,
      )) as PathKind;
    },
    realPath: (path) => text(`readlink -f ${quote(path)}`),
  };
}

/** A command costs more than what it reads. */
const READ_BYTES = 131_072;

async function openOver(lab: LabHost, path: string): Promise<BlockDevice> {
  const size = Number(await lab.output(`blockdev --getsize64 ${quote(path)}`));
  const where = [path];
  const flags = "iflag=skip_bytes,count_bytes status=none bs=64K";
  const device: BlockDevice = {
    size,
    where,
    blockSize: 512,
    async read(offset, length) {
      assertInside(where, size, { offset, length });
      const command = `dd if=${quote(path)} skip=${offset} count=${length} ${flags} | base64 -w0`;
      const bytes = Buffer.from(await lab.output(command), "base64");
      if (bytes.length !== length) throw ioFailure(where, `read ${length} bytes`, "short read");
      return bytes;
    },
    async *extents() {
      if (size > 0) yield { offset: 0, length: size };
    },
    async [Symbol.asyncDispose]() {},
  };
  return { ...device, ...cachedSource(device, { blockSize: READ_BYTES }) };
}

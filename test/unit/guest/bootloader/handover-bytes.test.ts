/** Copying: what is written late, while the next piece is read, is still what was read. */
import { randomFillSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { openGuestFile } from "../../../../src/guest/bootloader/guest-file.ts";
import { writeRamdisk } from "../../../../src/guest/bootloader/handover-bytes.ts";
import type { Out } from "../../../../src/guest/bootloader/handover-bytes.ts";
import type { FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { memoryFs } from "../../../support/memory-fs.ts";

const MIB = 1 << 20;

/** Reads as readers of real filesystems do: into the array that it is given. */
function readingInto(fs: FileSystem): FileSystem {
  return {
    ...fs,
    async readInto(file, offset, into, signal) {
      into.set(await fs.read(file, offset, into.length, signal));
      return into;
    },
  };
}

async function guestFile(content: Uint8Array) {
  const fs = readingInto(memoryFs({ boot: { "initrd.img": content } }));
  return openGuestFile({ volume: { fs, vdev: "xvda", diskIndex: 0 }, path: "/boot/initrd.img" });
}

/** Takes the bytes of a piece some turns after it was handed over, as the system's threads may. */
function lateOut() {
  let parts: Uint8Array[] = [];
  const out: Out = {
    async write(chunk) {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => void setImmediate(resolve));
      parts.push(Uint8Array.from(chunk));
    },
    restart: async () => void (parts = []),
  };
  return { out, bytes: () => Buffer.concat(parts) };
}

test.each([0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 4321])("%d bytes", async (size) => {
  const content = randomFillSync(new Uint8Array(size));
  const { out, bytes } = lateOut();
  const files = [await guestFile(content)];
  await writeRamdisk({ files, as: "it is", lead: false, watchMembers: false }, out);
  expect(bytes().equals(content)).toBe(true);
});

test("a second member far behind is seen, and all is written again behind an empty archive", async () => {
  const noise = randomFillSync(new Uint8Array(3 * MIB));
  const content = Buffer.concat([gzipSync(noise), gzipSync("second")]);
  const { out, bytes } = lateOut();
  const files = [await guestFile(content)];
  const remarks = await writeRamdisk({ files, as: "it is", lead: false, watchMembers: true }, out);
  expect(remarks).toHaveLength(1);
  expect(bytes().subarray(0, 6).toString()).toBe("070701");
  expect(bytes().subarray(-content.length).equals(content)).toBe(true);
});

test("a write that fails ends the copy, and no other is begun", async () => {
  let writes = 0;
  const out: Out = {
    async write() {
      writes += 1;
      await new Promise((resolve) => void setImmediate(resolve));
      if (writes === 2) throw ioFailure(["out"], "write", "ENOSPC");
    },
    restart: async () => {},
  };
  const files = [await guestFile(new Uint8Array(4 * MIB))];
  const plan = { files, as: "it is", lead: false, watchMembers: true } as const;
  await expect(writeRamdisk(plan, out)).rejects.toThrow("ENOSPC");
  expect(writes).toBe(2);
});

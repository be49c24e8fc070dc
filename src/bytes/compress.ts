/** Packing, for the one thing that domus packs: an initramfs in a format that its kernel unpacks. */
import { constants, createGzip } from "node:zlib";
import { MIB } from "../base/units.ts";

/** One gzip member of all that `input` yields. Memory is bounded: it waits for its reader. */
export async function* packGzip(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  // Fast rather than small: the result lives until the guest has unpacked it.
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: MIB });
  const feeding = feed(input, gzip);
  try {
    for await (const chunk of gzip) {
      const { buffer, byteOffset, byteLength } = chunk as Buffer<ArrayBuffer>;
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
    await feeding;
  } finally {
    gzip.destroy();
    await feeding.catch(() => {});
  }
}

async function feed(
  input: AsyncIterable<Uint8Array>,
  gzip: ReturnType<typeof createGzip>,
): Promise<void> {
  try {
    for await (const chunk of input) {
      if (gzip.destroyed) return;
      if (!gzip.write(chunk)) await roomOrEnd(gzip);
    }
    gzip.end();
  } catch (error) {
    // The reader gets it: a failure of the input is a failure of the whole.
    gzip.destroy(error as Error);
    throw error;
  }
}

function roomOrEnd(gzip: ReturnType<typeof createGzip>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      gzip.off("drain", done);
      gzip.off("close", done);
      resolve();
    };
    gzip.on("drain", done);
    gzip.on("close", done);
  });
}

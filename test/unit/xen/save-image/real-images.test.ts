/**
 * What real Xen hosts saved. Of each image the corpus has the headers, found by a walk of their own, and how many pages
 * Xen counts in it; what lies between reads as zeroes here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSaveImage } from "../../../../src/xen/save-image/save-image.ts";
import type { ImageBytes } from "../../../../src/xen/save-image/image-bytes.ts";

const CORPUS = join(import.meta.dirname, "..", "..", "..", "corpus", "save-image");

type Skeleton = {
  readonly sizeBytes: number;
  readonly pages: number;
  readonly pieces: readonly (readonly [offset: number, hex: string])[];
};

function bytesOf({ sizeBytes, pieces }: Skeleton, size = sizeBytes): ImageBytes {
  const kept = pieces.map(([at, hex]) => ({ at, bytes: Buffer.from(hex, "hex") }));
  return {
    size,
    where: ["image"],
    async read(offset, length) {
      if (offset < 0 || offset + length > size) throw new Error("read outside of the image");
      const out = new Uint8Array(length);
      for (const { at, bytes } of kept) {
        const from = Math.max(at, offset);
        const to = Math.min(at + bytes.length, offset + length);
        if (from < to) out.set(bytes.subarray(from - at, to - at), from - offset);
      }
      return out;
    },
  };
}

describe.each(readdirSync(CORPUS))("%s", (name) => {
  const skeleton = JSON.parse(readFileSync(join(CORPUS, name), "utf8")) as Skeleton;
  const [kind = "", version = ""] = name.replace(/\.json$/, "").split("-");
  const [major, minor] = version.split(".").map(Number);

  test("is whole, and says what Xen's own tools say", async () => {
    const image = await readSaveImage(bytesOf(skeleton));
    expect(image).toMatchObject({
      format: "xl",
      config: {
        form: "json",
        guest: {
          name: kind === "pv" ? "pandora" : "hydra",
          type: kind,
          uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          memoryKib: 96 * 1024,
        },
      },
      stream: {
        xen: { major, minor },
        domainType: kind === "pv" ? "pv" : "hvm",
        pages: skeleton.pages,
      },
      end: { kind: "complete", trailingBytes: 0 },
    });
    expect([...image!.stream!.unknownRecords]).toEqual([]);
  });

  test("is cut off when its file is shorter", async () => {
    for (const less of [1, 8, 16, 4096, skeleton.sizeBytes >> 1, skeleton.sizeBytes - 1024]) {
      const image = await readSaveImage(bytesOf(skeleton, skeleton.sizeBytes - less));
      expect(image?.end.kind, `${less} bytes less`).toBe("cut-off");
    }
  });
});

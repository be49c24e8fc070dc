import { describe, expect, test } from "vitest";
import { detectBzImage, locatePayload, protocolText } from "../../../../src/boot/kernel/bzimage.ts";
import { isPe, parsePeSections } from "../../../../src/boot/kernel/pe.ts";
import { bzImageFile, peFile } from "../../../support/elf-writer.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const WHERE = ["vmlinuz", "payload"];
const payload = Buffer.from("the packed kernel");
const locate = (file: Uint8Array) => locatePayload(file, detectBzImage(file)!, WHERE);

describe("bzImage", () => {
  test("its header", () => {
    expect(
      detectBzImage(bzImageFile({ payload, release: "5.10.0-32-686-pae (x) #1", xloadflags: 4 })),
    ).toEqual({
      bootProtocol: 0x20f,
      release: "5.10.0-32-686-pae (x) #1",
      commandLineLimit: 2047,
      bits: 32,
      payloadOffset: 5 * 512 + 0x40,
      payloadLength: payload.length,
    });
    expect(detectBzImage(Buffer.alloc(4096))).toBeUndefined();
    expect(detectBzImage(bzImageFile({ payload }).subarray(0, 0x263))).toBeUndefined();
  });

  test("fields that its protocol does not have are not read", () => {
    const image = detectBzImage(bzImageFile({ payload, version: 0x205 }));
    expect(image).not.toHaveProperty("commandLineLimit");
    expect(image).not.toHaveProperty("bits");
  });

  test("a release pointer that leads into the packed kernel is not followed", () => {
    const file = bzImageFile({ payload, setupSects: 1, release: "6.1.0" });
    expect(detectBzImage(file)?.release).toBe(undefined);
    file.writeUInt16LE(0x1ff, 0x20e);
    file.write("6.1.0\0", 0x3ff, "latin1");
    expect(detectBzImage(file)?.release).toBe("6.1.0");
    file.write("no version", 0x3ff, "latin1");
    expect(detectBzImage(file)).not.toHaveProperty("release");
  });

  test("its payload", () => {
    expect(locate(bzImageFile({ payload }))).toEqual(payload);
    // As Xen has it: no sectors of setup, not the four that boot.rst makes of 0.
    const none = bzImageFile({ payload });
    none[0x1f1] = 0;
    expect(detectBzImage(none)?.payloadOffset).toBe(512 + 0x40);
  });

  test("a payload that does not lie in the file", () => {
    const file = bzImageFile({ payload });
    const start = 5 * 512 + 0x40;
    expect(locate(file.subarray(0, start + payload.length))).toEqual(payload);
    expect(() => locate(file.subarray(0, start + payload.length - 1))).toThrow(
      `found a file of ${start + payload.length - 1} bytes, expected at least ${start + payload.length}`,
    );
    expect(() => locate(bzImageFile({ payload, payloadLength: 0xffffffff }))).toThrow(
      "vmlinuz > payload: found a file",
    );
  });

  test("an old protocol", () => {
    expect(() => locate(bzImageFile({ payload, version: 0x207 }))).toThrow(
      "boot protocol 2.07 (before 2.08)",
    );
    expect(protocolText(0x20f)).toBe("2.15");
  });

  test("damage", async () => {
    const run = await survivesMutation([bzImageFile({ payload })], (bytes) => {
      const image = detectBzImage(bytes);
      if (image) locatePayload(bytes, image, WHERE);
    });
    expect(run.failures).toBeGreaterThan(0);
  });
});

describe("PE", () => {
  const linux = Buffer.from("a kernel");
  const file = peFile({ ".osrel": Buffer.from("ID=debian\n"), ".linux": linux });

  test("its sections, without their padding", () => {
    expect(isPe(file)).toBe(true);
    expect(parsePeSections(file, WHERE).map(({ name, bytes }) => [name, bytes])).toEqual([
      [".osrel", Buffer.from("ID=debian\n")],
      [".linux", linux],
    ]);
  });

  test("what is none", () => {
    expect(isPe(Buffer.from("MZ"))).toBe(false);
    const lost = Buffer.from(file);
    lost.writeUInt32LE(0xffffffff, 0x3c);
    expect(isPe(lost)).toBe(false);
  });

  test("damage", async () => {
    const cut = file.subarray(0, file.length - 512);
    expect(() => parsePeSections(cut, WHERE)).toThrow("payload > .linux: found a file of");
    const many = Buffer.from(file);
    many.writeUInt16LE(97, 0x86);
    expect(() => parsePeSections(many, WHERE)).toThrow("97 sections");
    await survivesMutation([file], (bytes) => isPe(bytes) && parsePeSections(bytes, WHERE));
  });
});

/** The packed payload of a bzImage, for feeding it to xz itself (linux: Documentation/arch/x86/boot.rst). */
export function readBzImagePayload(image: Buffer): Uint8Array {
  const setupSectors = image.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  return image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
}

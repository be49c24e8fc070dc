/** A fuzzer that seals wrongly tests nothing behind checksums, and nobody would see it. */
import { describe, expect, test } from "vitest";
import { readMetadataArea } from "../../../../src/disk/lvm/metadata-area.ts";
import { parseMdSuperblock } from "../../../../src/disk/md/superblock.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { anatomy, damage } from "../../../../tools/fuzz/damage.ts";
import { holds, renewSeals } from "../../../../tools/fuzz/seals/seal.ts";
import type { Patch, Seal } from "../../../../tools/fuzz/seals/seal.ts";
import { lvmSeals, mdSeals } from "../../../../tools/fuzz/seals/tables.ts";
import { lvmId, physicalVolume } from "../../../support/lvm.ts";
import { mdMember } from "../../../support/md.ts";
import { randomSource } from "../../../support/mutate.ts";

const AREA = { offset: 4096, size: 32_768 };
const volume = () =>
  Uint8Array.from(
    physicalVolume({
      size: 65_536,
      uuid: lvmId("A"),
      areas: [{ ...AREA, text: 'vg0 { id = "x" seqno = 1 }' }],
    }),
  );

/** Writes a byte, seals again, and gives the places that were written for that. */
function change(input: Uint8Array, seals: readonly Seal[], at: number): number[] {
  input[at] = input[at]! ^ 1;
  const places: number[] = [];
  renewSeals(input, seals, [{ at, length: 1 }], ({ at: place, bytes }: Patch) => {
    input.set(bytes, place);
    places.push(place);
  });
  return places;
}

describe("seals", () => {
  test("of LVM2: a changed text gives its header another checksum, and that one its own", async () => {
    const input = volume();
    const seals = lvmSeals(input);
    expect(seals).toHaveLength(3);
    expect(seals.every((seal) => holds(input, seal))).toBe(true);
    const text = Buffer.from(input.buffer).indexOf("seqno");
    expect(change(input, seals, text)).toEqual([AREA.offset + 56, AREA.offset]);
    const area = await readMetadataArea(memorySource(input), AREA);
    expect(Buffer.from(area.text!).toString()).toContain("reqno");
  });

  test.each(["0.90", "1.2"] as const)("of md %s", (version) => {
    const input = mdMember({ version, size: 1 << 20, content: new Uint8Array(65_536) });
    const seals = mdSeals(input);
    expect(seals.map((seal) => holds(input, seal))).toEqual([true]);
    const at = seals[0]!.covers[0]!.at;
    const name = at + (version === "1.2" ? 32 : 40);
    change(input, seals, name);
    const parsed = parseMdSuperblock(input.subarray(at, at + 4096), at, ["md"]);
    expect(parsed).toBeDefined();
  });

  test("nothing is written when nothing covered was damaged", () => {
    const input = volume();
    expect(change(input, lvmSeals(input), 60_000)).toEqual([]);
  });
});

test("damage is undone with its seals", () => {
  const input = volume();
  const before = Uint8Array.from(input);
  const body = anatomy([], lvmSeals(input));
  let sealed = 0;
  for (let seed = 1; seed < 200; seed++) {
    const wound = damage(input, body, randomSource(seed));
    if (wound.what.endsWith("sealed")) sealed += 1;
    wound.undo();
    expect(Buffer.compare(input, before)).toBe(0);
  }
  expect(sealed).toBeGreaterThan(100);
});

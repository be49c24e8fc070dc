/** Thin metadata against the tools of those who made it: thin_restore writes, thin_delta compares. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { differingBlocks, findMappingSince } from "../../../../src/disk/dm/thin-changes.ts";
import { readThinMetadata, readThinVolume } from "../../../../src/disk/dm/thin-metadata.ts";
import { openLocalBlock } from "../../../../src/host/local/block.ts";
import { EMPTY, insert, mapping, PoolWriter, remove } from "../../../support/dm.ts";
import { randomSource } from "../../../support/mutate.ts";
import { need, scratch, sh } from "../../../support/need.ts";

/** What domus finds to differ between volumes 1 and 2. */
async function ours(file: string, snapshot = false): Promise<number[]> {
  await using device = await openLocalBlock(file, [file]);
  const thin = await readThinMetadata(device, { snapshot });
  const [left, right] = [await readThinVolume(thin, 1), await readThinVolume(thin, 2)];
  const found: number[] = [];
  for await (const piece of differingBlocks(left.mappings, right.mappings)) found.push(...piece);
  return found;
}

/** The same by thin_delta. */
function theirs(file: string, options = ""): number[] {
  const text = sh(`thin_delta ${options} --snap1 1 --snap2 2 ${file}`).toString();
  const runs = text.matchAll(/<(?:different|left_only|right_only) begin="(\d+)" length="(\d+)"/g);
  return [...runs].flatMap(([, begin, length]) =>
    Array.from({ length: Number(length) }, (_, at) => Number(begin) + at),
  );
}

type Entry = { readonly block: number; readonly data: number; readonly time: number };

function deviceXml(id: number, entries: readonly Entry[]): string {
  const mappings = entries.map(
    ({ block, data, time }) =>
      `<single_mapping origin_block="${block}" data_block="${data}" time="${time}"/>\n`,
  );
  const head = `dev_id="${id}" mapped_blocks="${entries.length}" transaction="0"`;
  return `<device ${head} creation_time="7" snap_time="7">\n${mappings.join("")}</device>\n`;
}

test("metadata that thin_restore wrote", async () => {
  need("thin_restore", "thin_delta");
  const random = randomSource(4);
  for (const [span, step] of [
    [200, 1],
    [60_000, 3],
    [1_000_000, 50],
  ] as const) {
    const file = join(scratch(), "metadata");
    let data = 0;
    const base: Entry[] = [];
    for (let block = random(step + 1); block < span; block += 1 + random(2 * step)) {
      base.push({ block, data: data++, time: random(7) });
    }
    const changed = base.flatMap((entry) => {
      const kind = random(20);
      if (kind === 0) return [];
      return [kind === 1 ? { ...entry, data: data++, time: 7 } : entry];
    });
    const last = { block: span + 5, data: data++, time: 9 };
    const text = `<superblock uuid="" time="9" transaction="3" flags="0" version="2" data_block_size="128" nr_data_blocks="${data}">
${deviceXml(1, base)}${deviceXml(2, [...changed, last])}</superblock>`;
    writeFileSync(`${file}.xml`, text);
    sh(`truncate -s 16M ${file}; thin_restore -i ${file}.xml -o ${file}`);
    const found = await ours(file);
    expect(found).toEqual(theirs(file));
    expect(found.at(-1)).toBe(span + 5);
    expect(found.length).toBeGreaterThan(base.length / 20);
    await using device = await openLocalBlock(file, [file]);
    const thin = await readThinMetadata(device, { snapshot: false });
    const [left, right] = [await readThinVolume(thin, 1), await readThinVolume(thin, 2)];
    expect([left.mappedBlocks, right.mappedBlocks]).toEqual([base.length, changed.length + 1]);
    expect(left.creationTime).toBe(7);
    expect(await findMappingSince(left.mappings, 7)).toBe(undefined);
    const young = [...changed, last].find(({ time }) => time >= 7);
    expect(await findMappingSince(right.mappings, 7)).toBe(young?.block);
  }
});

test("volumes that share nodes, as the unit tests make them, are right to thin_delta", async () => {
  need("thin_delta");
  const random = randomSource(9);
  let base = EMPTY;
  for (let block = 0; block < 3000; block += 1 + random(2)) {
    base = insert(base, block, mapping(block + 10_000, 1), 21);
  }
  let other = base;
  for (let i = 0; i < 40; i++) {
    const block = random(3100);
    other =
      random(3) === 0 ? remove(other, block) : insert(other, block, mapping(90_000 + i, 2), 21);
  }
  const volumes = [
    { thinId: 1, mappings: base },
    { thinId: 2, mappings: other },
  ];
  const file = join(scratch(), "metadata");
  writeFileSync(file, new PoolWriter({ volumes, metadataBlocks: 1024, places: 21 }).bytes);
  const found = await ours(file, true);
  expect(found.length).toBeGreaterThan(20);
  // Of a metadata snapshot it does not read the space maps, which these have not.
  expect(found).toEqual(theirs(file, "--metadata-snap"));
});

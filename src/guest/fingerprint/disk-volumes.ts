/** The volumes that a fingerprint of a disk is about. */
import type { Volume } from "../../disk/content.ts";

/** Of a disk; what is on further ones shows in none of its regions. */
export const MAX_VOLUMES = 64;

/** Characters. LVM has 128 for a group and a volume each, but the text on the disk can have more. */
const MAX_NAME = 300;

export type NamedVolume = { readonly name: string; readonly volume: Volume };

/** The disk `index` of `trees`, its partitions, and what was put together of which it has the first part, each once. */
export function volumesOf(
  index: number,
  trees: readonly Volume[],
  assembled: readonly Volume[],
): NamedVolume[] {
  const homes = new Map<Volume, number>();
  const settle = (volume: Volume, home: number) => {
    for (const one of [volume, ...volume.children]) homes.set(one, home);
  };
  for (const [home, tree] of trees.entries()) settle(tree, home);
  for (const volume of assembled) {
    const under = volume.assembly?.under ?? [];
    settle(volume, Math.min(...under.map((member) => homes.get(member) ?? Infinity)));
  }
  const tree = trees[index]!;
  const own = assembled.filter((volume) => homes.get(volume) === index);
  const named = [
    { name: tree.name, volume: tree },
    ...tree.children.map((volume) => ({ name: volume.name, volume })),
    ...own.flatMap((made) => [
      { name: made.name, volume: made },
      ...made.children.map((volume) => ({ name: `${made.name} ${volume.name}`, volume })),
    ]),
  ];
  return unique(named).slice(0, MAX_VOLUMES);
}

/** Two groups can have one name. */
function unique(volumes: readonly NamedVolume[]): NamedVolume[] {
  const counts = new Map<string, number>();
  return volumes.map(({ name: full, volume }) => {
    const name = full.slice(0, MAX_NAME);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return { name: count === 1 ? name : `${name} (${count})`, volume };
  });
}

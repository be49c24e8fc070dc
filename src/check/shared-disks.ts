/** Disks that this guest and another one both have, where one of them writes. */
import type { GuestFacts } from "./facts.ts";
import { otherGuests } from "./host-around.ts";
import type { NeighbourDisk } from "./host-around.ts";

export type SharedDisk = {
  readonly disk: NeighbourDisk;
  /** `mail (as xvdb)` */
  readonly users: readonly string[];
  /** The whole disk is swap space. */
  readonly isSwap: boolean;
};

export function sharedDisks({ around, disks }: GuestFacts): SharedDisk[] {
  if (!around) return [];
  const others = otherGuests(around);
  return around.self.disks.flatMap((disk) => {
    const users = others.flatMap((guest) =>
      guest.disks
        .filter(({ key, readonly }) => key === disk.key && !(readonly && disk.readonly))
        .map(({ vdev }) => `${guest.name} (as ${vdev})`),
    );
    if (users.length === 0) return [];
    const [whole] = disks.find(({ spec }) => spec.vdev === disk.vdev)?.volumes ?? [];
    return [{ disk, users, isSwap: whole?.format === "swap" }];
  });
}

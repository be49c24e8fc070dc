/** A subvolume's tree with changes that are kept in memory: what the replay of a log works on, and what is read after it. */
import { compareKeys, ITEM } from "../key.ts";
import type { Key } from "../key.ts";
import type { Item } from "../tree-block.ts";
import type { ItemTree, KeyRange } from "../tree.ts";

export type OverlayTree = ItemTree & {
  put(key: Key, bytes: Uint8Array): void;
  remove(key: Key): void;
};

/** `undefined` for an item that was taken out. */
type Change = { readonly key: Key; readonly item: Item | undefined };

/** The changes to the items of one object. */
type Changes = {
  /** By type and offset. */
  readonly exact: Map<string, Change>;
  /** By rising key. Logs are in order, so that most changes go to the end. */
  readonly ordered: Change[];
};

/** Names by hash come in no order, and are only ever looked up: they are left out of `ordered`. */
const UNORDERED: number = ITEM.DIR_ITEM;

/**
 * Ranges must lie inside one object and have no DIR_ITEM in them: changes are sorted for each object by itself. `between`
 * gives the state of the time it was called in.
 */
export function overlayTree(base: ItemTree): OverlayTree {
  const objects = new Map<bigint, Changes>();
  const find = (key: Key) => objects.get(key.objectid)?.exact.get(nameOf(key));

  function set(key: Key, bytes: Uint8Array | undefined): void {
    const changes = objects.get(key.objectid) ?? { exact: new Map(), ordered: [] };
    objects.set(key.objectid, changes);
    const where = ["log tree", `inode ${key.objectid}`];
    const change = { key, item: bytes && { key, bytes, where } };
    changes.exact.set(nameOf(key), change);
    if (key.type === UNORDERED) return;
    const { ordered } = changes;
    const at = lowerBound(ordered, key);
    ordered.splice(at, isAt(ordered, at, key) ? 1 : 0, change);
  }

  return {
    async find(key) {
      const change = find(key);
      return change ? change.item : base.find(key);
    },
    async floor(key) {
      const ours = lastAtOrBefore(objects.get(key.objectid)?.ordered ?? [], key);
      let found = await base.floor(key);
      // Ends: each turn goes before a change, and comes to none of them twice.
      while (found && find(found.key)) {
        const { objectid, type, offset } = found.key;
        found =
          offset === 0n ? undefined : await base.floor({ objectid, type, offset: offset - 1n });
      }
      if (!found || !ours) return found ?? ours;
      return compareKeys(found.key, ours.key) > 0 ? found : ours;
    },
    between(range, signal) {
      const { ordered } = objects.get(range.first.objectid) ?? { ordered: [] };
      return merged(base.between(range, signal), changesBetween(ordered, range));
    },
    put: (key, bytes) => set(key, bytes),
    remove: (key) => set(key, undefined),
  };
}

function nameOf({ type, offset }: Key): string {
  return `${type} ${offset}`;
}

/** Both rising by key; where both have a key the change counts. */
async function* merged(
  items: AsyncIterable<Item>,
  changes: readonly Change[],
): AsyncGenerator<Item> {
  let next = 0;
  for await (const item of items) {
    let isChanged = false;
    for (; next < changes.length; next++) {
      const { key, item: changed } = changes[next]!;
      const order = compareKeys(key, item.key);
      if (order > 0) break;
      isChanged ||= order === 0;
      if (changed) yield changed;
    }
    if (!isChanged) yield item;
  }
  for (const { item } of changes.slice(next)) if (item) yield item;
}

function changesBetween(changes: readonly Change[], { first, last }: KeyRange): Change[] {
  const end = lowerBound(changes, last);
  return changes.slice(lowerBound(changes, first), isAt(changes, end, last) ? end + 1 : end);
}

/** The last item that is there, of the key's object and type. */
function lastAtOrBefore(changes: readonly Change[], key: Key): Item | undefined {
  let at = lowerBound(changes, key);
  if (!isAt(changes, at, key)) at -= 1;
  for (; at >= 0 && changes[at]!.key.type === key.type; at--) {
    if (changes[at]!.item) return changes[at]!.item;
  }
  return undefined;
}

function isAt(changes: readonly Change[], at: number, key: Key): boolean {
  const change = changes[at];
  return change !== undefined && compareKeys(change.key, key) === 0;
}

/** The first change that is not before the key. */
function lowerBound(changes: readonly Change[], key: Key): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(changes[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

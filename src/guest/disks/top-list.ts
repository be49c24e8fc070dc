export type TopList<T> = {
  /** Takes note of an item if it belongs to the first ones. */
  offer(item: T): void;
  /** The first ones, in order. */
  items(): T[];
};

/** The first `limit` of any number of items in the order of `compare`, without holding the others. */
export function topList<T>(limit: number, compare: (a: T, b: T) => number): TopList<T> {
  const items: T[] = [];
  return {
    offer(item) {
      const last = items.at(-1);
      if (items.length === limit && (last === undefined || compare(item, last) >= 0)) return;
      let at = items.length;
      while (at > 0 && compare(item, items[at - 1]!) < 0) at -= 1;
      items.splice(at, 0, item);
      if (items.length > limit) items.pop();
    },
    items: () => [...items],
  };
}

/** Records in memory: what is committed survives everything, a transaction that is left is undone. */
import type { GuestEvent, ImageRecord, Operation, Records } from "../../src/host/records.ts";

type Tables = { images: ImageRecord[]; operations: Operation[]; events: GuestEvent[]; id: number };

export type RecordStore = { tables: Tables };

export function recordStore(): RecordStore {
  return { tables: { images: [], operations: [], events: [], id: 1 } };
}

/** Whom a commit is announced to: it may refuse it, before or after it is done. */
export type OnCommit = (commit: () => void) => void;

/** The records as one process has them open. */
export function fakeRecords(
  store: RecordStore,
  onCommit: OnCommit = (commit) => commit(),
): Records {
  let draft: Tables | undefined;
  const now = () => draft ?? store.tables;
  const change = <T>(work: (tables: Tables) => T): T => {
    if (draft) return work(draft);
    const own = structuredClone(store.tables);
    const result = work(own);
    onCommit(() => (store.tables = own));
    return result;
  };
  return {
    writable: true,
    images: () =>
      structuredClone(now().images).toSorted((a, b) => b.savedAtMs - a.savedAtMs || b.id - a.id),
    addImage: (image) =>
      change((tables) => {
        const row = { ...structuredClone(image), id: tables.id++ };
        tables.images.push(row);
        return structuredClone(row);
      }),
    changeImage: (id, more) =>
      change((tables) => {
        const at = tables.images.findIndex((one) => one.id === id);
        if (at < 0) throw new Error(`no image ${id}`);
        tables.images[at] = { ...tables.images[at]!, ...structuredClone(more) };
      }),
    removeImage: (id) =>
      change((tables) => void (tables.images = tables.images.filter((one) => one.id !== id))),
    events: () => structuredClone(now().events),
    addEvent: (event) =>
      change((tables) => {
        tables.events.push({ ...structuredClone(event), id: tables.id++ });
        return true;
      }),
    note: () => undefined,
    setNote: () => {},
    operations: () => structuredClone(now().operations),
    beginOperation: (operation) =>
      change((tables) => {
        const row = { ...structuredClone(operation), id: tables.id++, startedAtMs: 0 };
        tables.operations.push(row);
        return structuredClone(row);
      }),
    enterStep: (id, step, data) =>
      change((tables) => {
        tables.operations = tables.operations.map((one) =>
          one.id === id ? { ...one, step, data: structuredClone(data ?? one.data) } : one,
        );
      }),
    endOperation: (id) =>
      change(
        (tables) => void (tables.operations = tables.operations.filter((one) => one.id !== id)),
      ),
    transaction(work) {
      if (draft) return work();
      const own = structuredClone(store.tables);
      draft = own;
      try {
        const result = work();
        draft = undefined;
        onCommit(() => (store.tables = own));
        return result;
      } finally {
        draft = undefined;
      }
    },
    [Symbol.dispose]: () => {},
  };
}

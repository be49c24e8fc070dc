/** What differs between two volumes of one thin pool: their maps, side by side. */
import { TreeCursor, readTreeNode } from "./btree.ts";
import type { Tree, TreeHead } from "./btree.ts";
import { parseMapping } from "./thin-metadata.ts";

/** Blocks that hand the processor back in between: a map has up to hundreds of millions. */
type Blocks = AsyncGenerator<readonly number[], void>;

const BLOCKS_AT_ONCE = 1024;

/**
 * Blocks of which the two maps do not name the same data block, ascending, in pieces. A node that both maps have at the same
 * place is not opened: volumes that were snapshots of each other share what neither has written since.
 * Failures: `corrupt`, `limit`, `io`.
 */
export async function* differingBlocks(left: Tree, right: Tree): Blocks {
  if (left.root === right.root) return;
  const a = { cursor: new TreeCursor(left), levels: await countLevels(left) };
  const b = { cursor: new TreeCursor(right), levels: await countLevels(right) };
  let differing: number[] = [];
  for (;;) {
    const step = nextStep(a, b);
    if (step === "end") break;
    if (step === "open left") await a.cursor.open();
    else if (step === "open right") await b.cursor.open();
    else if (typeof step === "number") differing.push(step);
    if (differing.length >= BLOCKS_AT_ONCE) {
      yield differing;
      differing = [];
    }
  }
  if (differing.length > 0) yield differing;
}

type Side = { readonly cursor: TreeCursor; readonly levels: number };

/** What is known without reading is done: a number is a block that differs. */
function nextStep(a: Side, b: Side): "end" | "open left" | "open right" | "same" | number {
  const left = a.cursor.head;
  const right = b.cursor.head;
  if (!left && !right) return "end";
  if (left?.block !== undefined && left.block === right?.block) {
    a.cursor.skip();
    b.cursor.skip();
    return "same";
  }
  const toOpen = sideToOpen({ left, right }, heightOf(a) >= heightOf(b));
  if (toOpen) return toOpen;
  // Both are entries now, or one is an entry below all that the other side has left.
  if (left && (!right || left.key < right.key)) return taken(a, left);
  if (right && (!left || right.key < left.key)) return taken(b, right);
  const isSame = parseMapping(left!.value!).dataBlock === parseMapping(right!.value!).dataBlock;
  a.cursor.skip();
  b.cursor.skip();
  return isSame ? "same" : left!.key;
}

function taken(side: Side, head: TreeHead): number {
  side.cursor.skip();
  return head.key;
}

/**
 * A subtree is opened when an entry of it may come first. Of two that begin alike the higher one, so that a node which both
 * trees have comes to stand at the head of both.
 */
function sideToOpen(
  { left, right }: { readonly left: TreeHead | undefined; readonly right: TreeHead | undefined },
  leftIsHigher: boolean,
): "open left" | "open right" | undefined {
  const leftOpens = left?.block !== undefined && (!right || left.key <= right.key);
  const rightOpens = right?.block !== undefined && (!left || right.key <= left.key);
  if (leftOpens && rightOpens) return leftIsHigher ? "open left" : "open right";
  if (leftOpens) return "open left";
  return rightOpens ? "open right" : undefined;
}

function heightOf(side: Side): number {
  return side.levels - side.cursor.depth;
}

/** A tree's leaves are all on one level; a tree of which that is not so is only compared more slowly. */
async function countLevels(tree: Tree): Promise<number> {
  let levels = 1;
  let node = await readTreeNode(tree, tree.root);
  // A tree that never ends is found out by the cursor: it has its limit of levels.
  for (; !node.isLeaf && node.count > 0 && levels < 32; levels++) {
    node = await readTreeNode(tree, node.child(0));
  }
  return levels;
}

/**
 * The first block whose mapping is not older than `time`, if there is one. Reads the whole map: 16 bytes a mapped block.
 * Failures: `corrupt`, `limit`, `io`.
 */
export async function findMappingSince(tree: Tree, time: number): Promise<number | undefined> {
  const cursor = new TreeCursor(tree);
  for (let head = cursor.head; head; head = cursor.head) {
    if (head.value === undefined) await cursor.open();
    else if (parseMapping(head.value).time >= time) return head.key;
    else cursor.skip();
  }
  return undefined;
}

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseKeys } from "../../../../src/pygrub/menu/keys.ts";
import { firstState, press, tick } from "../../../../src/pygrub/menu/menu.ts";
import type { MenuState, MenuStep } from "../../../../src/pygrub/menu/menu.ts";
import { drawMenu } from "../../../../src/pygrub/menu/screen.ts";

const items = [
  { title: "Debian", args: "root=/dev/xvda1 ro" },
  { title: "Old", args: "single", problem: "/boot/vmlinuz.old is not there" },
  { title: "Rescue", args: "" },
];

/** Half of it control characters and what is next to them. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0x70 }), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes).replaceAll("\x02", "\x1b["));

/** Types into the menu until it decides. */
function type(text: string, state: MenuState = firstState({ items, chosen: 0 })): MenuStep {
  let step: MenuStep = { kind: "go on", state };
  for (const key of parseKeys(text).keys) {
    if (step.kind === "boot") return step;
    step = press(step.state, key);
  }
  return step;
}

const UP = "\x1b[A";
const DOWN = "\x1b[B";

describe("menu", () => {
  test("Enter starts the default", () => {
    expect(type("\r")).toEqual({ kind: "boot", index: 0 });
    expect(type("\n", firstState({ items, chosen: 2 }))).toEqual({ kind: "boot", index: 2 });
  });

  test("arrows of both kinds, and no further than the ends", () => {
    expect(type(`${DOWN}\x1bOB${DOWN}${DOWN}\r`)).toEqual({ kind: "boot", index: 2 });
    expect(type(`${DOWN}${DOWN}${UP}${UP}${UP}\r`)).toEqual({ kind: "boot", index: 0 });
    expect(type("\x1b[6~\r")).toEqual({ kind: "boot", index: 2 });
  });

  test("an entry that cannot be started says why and does not start", () => {
    const step = type(`${DOWN}\r`);
    expect(step).toMatchObject({
      kind: "go on",
      state: { message: expect.stringContaining("vmlinuz.old") },
    });
    expect(type(`${DOWN}\r${UP}\r`)).toEqual({ kind: "boot", index: 0 });
  });

  test("arguments are edited, or not after all", () => {
    expect(type("a single\r")).toEqual({
      kind: "boot",
      index: 0,
      args: "root=/dev/xvda1 ro single",
    });
    expect(type("ab\x15x\r")).toEqual({ kind: "boot", index: 0, args: "x" });
    expect(type("a\x01\x1b[C\x7fR\x1b[3~O\r")).toEqual({
      kind: "boot",
      index: 0,
      args: "ROot=/dev/xvda1 ro",
    });
    expect(type("a\x1b[D\x1b[D\x0b\r")).toEqual({
      kind: "boot",
      index: 0,
      args: "root=/dev/xvda1 ",
    });
    const edit = type("ahello");
    if (edit.kind !== "go on") throw new Error("decided");
    expect(press(edit.state, { name: "escape" })).toMatchObject({ state: { selected: 0 } });
    expect(
      type("\r", (press(edit.state, { name: "escape" }) as { state: MenuState }).state),
    ).toEqual({
      kind: "boot",
      index: 0,
    });
  });

  test("the clock runs out, and any key stops it", () => {
    let step: MenuStep = {
      kind: "go on",
      state: firstState({ items, chosen: 2, timeoutSeconds: 2 }),
    };
    step = tick(step.state);
    expect(step).toMatchObject({ kind: "go on", state: { secondsLeft: 1 } });
    if (step.kind === "go on") expect(tick(step.state)).toEqual({ kind: "boot", index: 2 });
    const stopped = press(firstState({ items, chosen: 2, timeoutSeconds: 2 }), { name: "up" });
    if (stopped.kind === "go on") expect(tick(stopped.state)).toEqual(stopped);
    expect(firstState({ items, chosen: 0, timeoutSeconds: -1 }).secondsLeft).toBeUndefined();
  });

  test("no keys break it, and what it shows fits and holds no control characters", () => {
    const nasty = [...items, { title: "\x1b[2J\x07evil\u202e", args: "\x1b]0;x\x07" }];
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 120 }), (text, columns) => {
        let state = firstState({ items: nasty, chosen: 3 });
        for (const key of parseKeys(text).keys) {
          const step = press(state, key);
          if (step.kind === "boot") break;
          state = step.state;
        }
        const size = { columns, rows: columns };
        const { lines, cursor } = drawMenu(state, "/dev/vg/\x1b[31mdisk", size);
        const width = Math.max(20, columns);
        return (
          lines.every((line) => line.length <= width && !/\p{Cc}/u.test(line)) &&
          (!cursor || (cursor.column < width && cursor.line < lines.length))
        );
      }),
    );
  });

  test("a long menu shows the part around the mark", () => {
    const many = Array.from({ length: 100 }, (_, index) => ({ title: `entry ${index}`, args: "" }));
    const screen = drawMenu(firstState({ items: many, chosen: 70 }), "disk", {
      columns: 40,
      rows: 15,
    });
    expect(screen.lines.length).toBeLessThanOrEqual(15);
    expect(screen.lines[screen.marked!]).toContain("entry 70");
  });
});

describe("keys", () => {
  test("a sequence cut in two is waited for, an escape alone is the Escape key", () => {
    expect(parseKeys("a\x1b[")).toEqual({ keys: [{ name: "text", text: "a" }], rest: "\x1b[" });
    expect(parseKeys("\x1b[1")).toEqual({ keys: [], rest: "\x1b[1" });
    expect(parseKeys("\x1b[1;5C").keys).toEqual([{ name: "other" }]);
    expect(parseKeys("\x1bx").keys).toEqual([{ name: "escape" }, { name: "text", text: "x" }]);
  });
});

/** Shows the menu on a terminal and waits for a decision. */
import type { ReadStream, WriteStream } from "node:tty";
import type { BootMenu } from "../../guest/bootloader/read-menu.ts";
import type { Choice } from "../../guest/bootloader/prepare-boot.ts";
import { parseKeys } from "./keys.ts";
import { firstState, press, tick } from "./menu.ts";
import type { MenuState, MenuStep } from "./menu.ts";
import { drawMenu } from "./screen.ts";
import type { Screen } from "./screen.ts";

/** `output` is process.stdout: no other stream of Node.js learns that its window has another size. */
export type Terminal = { readonly input: ReadStream; readonly output: WriteStream };

/** What libxl's pty is, where nobody has set its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };
/**
 * Where the configuration has no timeout, GRUB waits for ever. A guest that reboots at night has nobody at its console, so
 * only a timeout of -1, which somebody has written down, does that here.
 */
const UNSAID_SECONDS = 10;
/** A terminal sends a key's sequence at once: an escape that nothing follows in this time is the Escape key. */
const ESCAPE_MS = 100;

/** Rejects when `signal` is aborted, and on Ctrl-C; the terminal is put back as it was in every case. */
export async function runMenu(
  menu: BootMenu,
  disk: string,
  { input, output }: Terminal,
  signal: AbortSignal,
): Promise<Choice> {
  let state = firstState({
    items: menu.entries,
    chosen: menu.chosen,
    timeoutSeconds: menu.timeoutSeconds ?? UNSAID_SECONDS,
  });
  // `timeout=0` is a wish not to be asked.
  if (state.secondsLeft === 0) return { index: menu.chosen };
  let shown: Screen | undefined;
  const draw = (now: MenuState, before?: Screen) => {
    const size = {
      columns: output.columns || DEFAULT_SIZE.columns,
      rows: output.rows || DEFAULT_SIZE.rows,
    };
    shown = drawMenu(now, disk, size);
    output.write(before ? changes(before, shown) : ansi(shown));
  };
  const { promise, resolve, reject } = Promise.withResolvers<Choice>();
  const take = (step: MenuStep, before?: Screen) => {
    if (step.kind === "go on") {
      if (before && step.state === state) return;
      state = step.state;
      draw(state, before);
    } else resolve({ index: step.index, ...(step.args !== undefined && { args: step.args }) });
  };
  let held = "";
  let escape: NodeJS.Timeout | undefined;
  const feed = (text: string, isWhole: boolean) => {
    const { keys, rest } = parseKeys(text);
    held = isWhole ? "" : rest;
    for (const key of isWhole && rest !== "" ? [...keys, { name: "escape" } as const] : keys) {
      if (key.name === "interrupt") reject(new Error("interrupted"));
      else take(press(state, key));
    }
    if (held !== "") escape = setTimeout(() => feed(held, true), ESCAPE_MS);
  };
  const onData = (data: Buffer) => {
    clearTimeout(escape);
    feed(held + data.toString("utf8"), false);
  };
  const onResize = () => draw(state);
  const onAbort = () => reject(signal.reason as Error);
  // A key draws the whole again, for who has come to the console later; the clock only what it changes: libxl keeps
  // all of it in a log.
  const clock = setInterval(() => take(tick(state), shown), 1000);
  signal.addEventListener("abort", onAbort);
  input.setRawMode(true);
  input.on("data", onData);
  output.on("resize", onResize);
  // The console was closed: nobody is there to choose.
  input.once("end", () => resolve({ index: menu.chosen }));
  draw(state);
  try {
    return await promise;
  } finally {
    clearInterval(clock);
    clearTimeout(escape);
    signal.removeEventListener("abort", onAbort);
    input.off("data", onData);
    output.off("resize", onResize);
    input.setRawMode(false);
    input.pause();
    input.unref();
    output.write("\x1b[H\x1b[J\x1b[?25h");
  }
}

/** The lines that differ, each at its place. */
function changes(before: Screen, { lines, marked }: Screen): string {
  return lines
    .flatMap((line, index) =>
      line === before.lines[index] && (index === marked) === (index === before.marked)
        ? []
        : [`\x1b[${index + 1};1H${reversed(line, index === marked)}\x1b[K`],
    )
    .join("");
}

function reversed(line: string, isMarked: boolean): string {
  return isMarked ? `\x1b[7m${line}\x1b[0m` : line;
}

/** vt100: home, lines, clear below; reverse for the marked line. */
function ansi({ lines, marked, cursor }: Screen): string {
  const text = lines.map((line, index) => `${reversed(line, index === marked)}\x1b[K`).join("\r\n");
  const place = cursor ? `\x1b[${cursor.line + 1};${cursor.column + 1}H\x1b[?25h` : "\x1b[?25l";
  return `\x1b[H${text}\x1b[J${place}`;
}

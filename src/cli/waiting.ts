/** Says that something is waited for: a line that counts on a terminal, one every 10 s elsewhere. */
import type { Output } from "./output.ts";

const EVERY_S = 10;

/** Called every second or so with the seconds that have passed; `text` is made of them. */
export function waitingText(
  out: Pick<Output, "live" | "progress" | "say">,
  text: (seconds: number) => string,
): (seconds: number) => void {
  let said = 0;
  return (seconds) => {
    if (out.live) out.progress(text(seconds));
    else if (seconds >= said + EVERY_S) {
      said = seconds - (seconds % EVERY_S);
      out.say(text(seconds));
    }
  };
}

/** A number of seconds on the command line. */
export function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error("a whole number of seconds, such as 120");
  return Number(text);
}

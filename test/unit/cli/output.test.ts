import { expect, test } from "vitest";
import { terminalOutput } from "../../../src/cli/output.ts";

/** What a terminal of so many columns is sent; without columns it is none. */
function terminal(columns?: number) {
  const sent: string[] = [];
  const stream = {
    isTTY: columns !== undefined,
    columns,
    write: (chunk: string) => sent.push(chunk) > 0,
  } as unknown as NodeJS.WriteStream;
  return { sent, out: terminalOutput(stream, stream, { NO_COLOR: "1" }) };
}

test("progress is one line, cut to the terminal, and gone before anything else is printed", () => {
  const { sent, out } = terminal(12);
  out.progress("checking 1 of 100");
  out.progress("checking 2 of 100");
  out.say("Talk");
  out.result("Result");
  expect(sent).toEqual([
    "\r\u001b[Kchecking 1 ",
    "\r\u001b[Kchecking 2 ",
    "\r\u001b[K",
    "Talk\n",
    "Result\n",
  ]);
});

test.each([1, 2, 19])("a terminal of %i columns", (columns) => {
  const { sent, out } = terminal(columns);
  out.progress("checking 1 of 100");
  expect(sent[0]!.slice(4).length).toBeLessThanOrEqual(Math.max(1, columns - 1));
});

test("an empty progress takes the line away", () => {
  const { sent, out } = terminal(80);
  out.progress("checking");
  out.progress("");
  out.result("Result");
  expect(sent).toEqual(["\r\u001b[Kchecking", "\r\u001b[K", "Result\n"]);
});

test("no progress where nobody looks on", () => {
  const { sent, out } = terminal();
  out.progress("checking 1 of 100");
  out.progress("");
  expect(sent).toEqual([]);
});

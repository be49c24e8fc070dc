/**
 * What a guest writes to its console, as lines of text. The bytes are a terminal's, from somebody who may mean harm: escape
 * sequences are taken out (ECMA-48), and nothing that they say is done but this: what moves the cursor elsewhere ends a line.
 */
import { decodeText } from "../../bytes/text.ts";

/** A line that is longer is cut into several: a prompt may stand at the end of anything. */
const MAX_LINE_BYTES = 1000;
/** Of an escape sequence. One that is longer was none, or does not end: what follows is text again. */
const MAX_SEQUENCE_BYTES = 256;

const [BEL, BACKSPACE, TAB, LINE_FEED, RETURN, ESCAPE] = [0x07, 0x08, 0x09, 0x0a, 0x0d, 0x1b];
/** Final bytes of control sequences that put the cursor somewhere, or clear the screen. */
const MOVES = new Set(Buffer.from("ABEFGHJdf"));

/** `text`; behind ESC; in a control sequence (`ESC [`); in a string such as a title (`ESC ]`), and behind an ESC in it. */
type State = "text" | "escape" | "control" | "string" | "string-escape";

/** A class for the line that is not ended yet. */
export class ConsoleLines {
  readonly #line = new Uint8Array(MAX_LINE_BYTES);
  #length = 0;
  #state: State = "text";
  #sequenceBytes = 0;
  #returned = false;

  /** The lines that end in these bytes, without those that are empty. */
  feed(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    for (const byte of bytes) {
      if (this.#state === "text") this.#takeText(byte, lines);
      else this.#takeSequence(byte, lines);
    }
    return lines;
  }

  /** The line that has no end yet: a prompt. */
  get rest(): string {
    return decodeText(this.#line.subarray(0, this.#length));
  }

  #takeText(byte: number, lines: string[]): void {
    if (byte === RETURN) {
      this.#returned = true;
      return;
    }
    // What is written over a line after a carriage return is another one.
    if (this.#returned || byte === LINE_FEED) this.#endLine(lines);
    if (byte === ESCAPE) {
      this.#state = "escape";
      this.#sequenceBytes = 0;
    } else if (byte === BACKSPACE) this.#length = Math.max(0, this.#length - 1);
    else if (byte === TAB) this.#put(0x20, lines);
    else if (byte >= 0x20 && byte !== 0x7f) this.#put(byte, lines);
  }

  #takeSequence(byte: number, lines: string[]): void {
    this.#sequenceBytes += 1;
    // No terminal would end a sequence here, but lines matter more than titles.
    if (byte === LINE_FEED || this.#sequenceBytes > MAX_SEQUENCE_BYTES) {
      this.#state = "text";
      this.#takeText(byte, lines);
      return;
    }
    switch (this.#state) {
      case "escape":
        if (byte === 0x5b) this.#state = "control";
        // DCS, SOS, OSC, PM, APC
        else if ([0x50, 0x58, 0x5d, 0x5e, 0x5f].includes(byte)) this.#state = "string";
        // Intermediate bytes, as in `ESC ( B`, which chooses a character set.
        else if (byte < 0x20 || byte > 0x2f) this.#state = "text";
        break;
      case "control":
        if (byte < 0x40 || byte > 0x7e) break;
        this.#state = "text";
        if (MOVES.has(byte)) this.#endLine(lines);
        // Cursor forward: a blank, as some write them.
        else if (byte === 0x43) this.#put(0x20, lines);
        break;
      case "string":
        if (byte === BEL) this.#state = "text";
        else if (byte === ESCAPE) this.#state = "string-escape";
        break;
      case "string-escape":
        this.#state = byte === 0x5c ? "text" : "string";
        break;
      case "text":
        break;
    }
  }

  #put(byte: number, lines: string[]): void {
    if (this.#length === MAX_LINE_BYTES) this.#endLine(lines);
    this.#line[this.#length] = byte;
    this.#length += 1;
  }

  #endLine(lines: string[]): void {
    const text = this.rest.trimEnd();
    if (text !== "") lines.push(text);
    this.#length = 0;
    this.#returned = false;
  }
}

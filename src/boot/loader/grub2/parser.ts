/**
 * GRUB script to commands (grammar of grub-core/script/parser.y).
 *
 * GRUB reads a statement at a time, runs it, and goes on with the next line when one is in error. So does this:
 * `parseStatement` gives one line's worth of commands (or a syntax failure) and where to go on.
 *
 * What differs from a shell: there is no `&&`, `||`, pipe or redirection; a block may not be empty; `function` is
 * possible only outside of blocks; `}` of a function needs a `;` or a line end before it, that of a menu entry not.
 */
import { FailureError, overLimit } from "../../../base/failure.ts";
import type { Failure } from "../../../base/failure.ts";
import { isName, Lexer } from "./lexer.ts";
import type { Token } from "./lexer.ts";
import { positionOf } from "./source.ts";
import type { Block, Source } from "./source.ts";
import type { Word } from "./word.ts";

export type Clause = { readonly condition: readonly Command[]; readonly body: readonly Command[] };

export type Command =
  | {
      readonly kind: "simple";
      readonly words: readonly Word[];
      /** The text between the braces, to be parsed when it is run. */
      readonly block?: Block;
      /** Line in the file. */
      readonly line: number;
    }
  | {
      readonly kind: "if";
      /** `if`, then each `elif`. */
      readonly clauses: readonly Clause[];
      readonly otherwise: readonly Command[];
    }
  | {
      readonly kind: "for";
      readonly name: string;
      readonly words: readonly Word[];
      readonly body: readonly Command[];
    }
  | {
      readonly kind: "while";
      /** `until`: goes on while the condition fails. */
      readonly until: boolean;
      readonly condition: readonly Command[];
      readonly body: readonly Command[];
    };

export type FunctionDefinition = { readonly name: string; readonly body: readonly Command[] };

export type Statement = {
  /** GRUB defines these while it parses, so before any of `commands` runs, and even when an error follows. */
  readonly functions: readonly FunctionDefinition[];
  readonly commands: readonly Command[];
  readonly failure?: Failure;
  /** Offset of the line after the statement. */
  readonly next: number;
};

/**
 * How deep blocks, conditions and loops may be nested: the parser calls itself, so this bounds the stack. Real
 * configurations stay below 10; GRUB's own parser gives up at about 1,000.
 */
const MAX_NESTING = 100;

/** Words of one command, for memory's sake. */
const MAX_WORDS = 20_000;

export function parseStatement(source: Source, at: number): Statement {
  const lexer = new Lexer(source, at);
  const functions: FunctionDefinition[] = [];
  try {
    const parser = new Parser(source, lexer, functions);
    return { functions, commands: parser.script(), next: lexer.limit };
  } catch (error) {
    if (!(error instanceof FailureError) || error.failure.kind !== "syntax") throw error;
    return { functions, commands: [], failure: error.failure, next: lexer.limit };
  }
}

class Parser {
  readonly #source: Source;
  readonly #lexer: Lexer;
  readonly #functions: FunctionDefinition[];
  #token: Token;
  #depth = 0;

  constructor(source: Source, lexer: Lexer, functions: FunctionDefinition[]) {
    this.#source = source;
    this.#lexer = lexer;
    this.#functions = functions;
    this.#token = lexer.next();
  }

  script(): Command[] {
    const commands: Command[] = [];
    this.#newlines();
    while (this.#token.kind !== "end") {
      if (this.#isKeyword("function")) this.#function();
      else commands.push(this.#command());
      if (this.#token.kind !== ";" && this.#token.kind !== "newline")
        throw this.#unexpected("`;` or the end of the line");
      this.#advance();
      this.#newlines();
    }
    return commands;
  }

  #advance(): void {
    this.#token = this.#lexer.next();
  }

  /** Goes on over the end of the line from here on; before the next token is read, or it would be "end". */
  #enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_NESTING)
      throw overLimit(this.#source.where, "nesting of blocks", String(MAX_NESTING));
    this.#lexer.open += 1;
    this.#advance();
  }

  #leave(): void {
    this.#depth -= 1;
    this.#lexer.open -= 1;
    this.#advance();
  }

  #isKeyword(text: string): boolean {
    return this.#token.kind === "keyword" && this.#token.word.text === text;
  }

  #expectKeyword(text: string): void {
    if (!this.#isKeyword(text)) throw this.#unexpected(`\`${text}\``);
  }

  #newlines(): void {
    while (this.#token.kind === "newline") this.#advance();
  }

  /** One `;` or line end, then any number of line ends. */
  #delimiters(expected: string): void {
    if (this.#token.kind !== ";" && this.#token.kind !== "newline")
      throw this.#unexpected(expected);
    this.#advance();
    this.#newlines();
  }

  #unexpected(expected: string): FailureError {
    const token = this.#token;
    const found =
      token.kind === "word" || token.kind === "keyword"
        ? `\`${token.word.text.slice(0, 60)}\``
        : token.kind === "newline" || token.kind === "end"
          ? "the end of the line"
          : `\`${token.kind}\``;
    return this.#lexer.fail(token.start, found, expected);
  }

  /** A list of commands that ends before `}` or one of the keywords; the delimiter before that is taken. */
  #commands(ends: (token: Token) => boolean): Command[] {
    this.#newlines();
    const commands = [this.#command()];
    for (;;) {
      if (this.#token.kind !== ";" && this.#token.kind !== "newline") return commands;
      this.#delimiters("a command");
      if (ends(this.#token)) return commands;
      commands.push(this.#command());
    }
  }

  /** As `#commands`, and the list must end in one of `keywords`, after a delimiter. */
  #commandsBefore(...keywords: string[]): Command[] {
    let delimited = false;
    const commands = this.#commands((token) => {
      delimited = token.kind === "keyword" && keywords.includes(token.word.text);
      return delimited;
    });
    if (!delimited)
      throw this.#unexpected(`\`;\` or a line end, then \`${keywords.join("`, `")}\``);
    return commands;
  }

  #command(): Command {
    if (this.#token.kind === "word") return this.#simple();
    if (this.#isKeyword("if")) return this.#if();
    if (this.#isKeyword("for")) return this.#for();
    if (this.#isKeyword("while") || this.#isKeyword("until")) return this.#while();
    throw this.#unexpected("a command");
  }

  #simple(): Command {
    const { line } = positionOf(this.#source, this.#token.start);
    const words = this.#words();
    if (this.#token.kind !== "{") return { kind: "simple", words, line };
    return { kind: "simple", words, line, block: this.#block() };
  }

  #words(): Word[] {
    const words: Word[] = [];
    while (this.#token.kind === "word" || this.#token.kind === "keyword") {
      words.push(this.#token.word);
      if (words.length > MAX_WORDS)
        throw overLimit(this.#source.where, "number of words in a command", String(MAX_WORDS));
      this.#advance();
    }
    return words;
  }

  #block(): Block {
    const start = this.#token.end;
    this.#enter();
    this.#commands((token) => token.kind === "}");
    if (this.#token.kind !== "}") throw this.#unexpected("`}`");
    const end = this.#token.start;
    this.#leave();
    return { source: this.#source, start, end };
  }

  #if(): Command {
    this.#enter();
    const command = this.#ifClause();
    this.#expectKeyword("fi");
    this.#leave();
    return command;
  }

  /** From after `if` or `elif`; a chain of `elif` is a loop here so that its length costs no stack. */
  #ifClause(): Command {
    const clauses: Clause[] = [];
    let otherwise: Command[] = [];
    for (;;) {
      const condition = this.#commandsBefore("then");
      this.#advance();
      const body = this.#commandsBefore("elif", "else", "fi");
      clauses.push({ condition, body });
      if (this.#isKeyword("fi")) break;
      const last = this.#isKeyword("else");
      this.#advance();
      if (last) {
        otherwise = this.#commandsBefore("fi");
        break;
      }
    }
    return { kind: "if", clauses, otherwise };
  }

  #for(): Command {
    this.#advance();
    const token = this.#token;
    if (token.kind !== "word" || !isName(token.word)) throw this.#unexpected("a variable name");
    this.#enter();
    this.#expectKeyword("in");
    this.#advance();
    const words = this.#words();
    this.#delimiters("`;` or the end of the line");
    this.#expectKeyword("do");
    this.#advance();
    const body = this.#commandsBefore("done");
    this.#leave();
    return { kind: "for", name: token.word.text, words, body };
  }

  #while(): Command {
    const until = this.#isKeyword("until");
    this.#enter();
    const condition = this.#commandsBefore("do");
    this.#advance();
    const body = this.#commandsBefore("done");
    this.#leave();
    return { kind: "while", until, condition, body };
  }

  #function(): void {
    this.#advance();
    const token = this.#token;
    if (token.kind !== "word" || !isName(token.word)) throw this.#unexpected("a function name");
    this.#enter();
    this.#newlines();
    if (this.#token.kind !== "{") throw this.#unexpected("`{`");
    this.#advance();
    let delimited = false;
    const body = this.#commands((next) => (delimited = next.kind === "}"));
    if (!delimited) throw this.#unexpected("`;` or a line end, then `}`");
    this.#functions.push({ name: token.word.text, body });
    this.#leave();
  }
}

/** domus in a lab host's dom0, as a person types it. */
import { expect } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import type { ExitCode } from "../../src/cli/exit-codes.ts";

/** What it says on either stream; line ends do not count. */
export type Said = { readonly code: number; readonly text: string };

export type LabDomus = {
  say(words: string): Promise<Said>;
  /** It has to end with that exit code. */
  ends(words: string, wanted: ExitCode): Promise<string>;
  /** It has to end with 0. */
  done(words: string): Promise<string>;
  /** It has to refuse for safety. */
  refused(words: string): Promise<string>;
};

/** The command starts slowly on an emulated processor, and what it starts does, too. */
export const PATIENT = { timeoutMs: 600_000 };

export function labDomus(host: LabHost): LabDomus {
  const say = async (words: string) => {
    const { code, stdout, stderr } = await host.run(`domus ${words}`, PATIENT);
    return { code, text: `${stdout}${stderr}`.replaceAll(/\s+/g, " ") };
  };
  const ends = async (words: string, wanted: ExitCode) => {
    const { code, text } = await say(words);
    expect(code, `domus ${words}: ${text}`).toBe(wanted);
    return text;
  };
  return {
    say,
    ends,
    done: (words) => ends(words, EXIT.done),
    refused: (words) => ends(words, EXIT.refused),
  };
}

import { readFile } from "node:fs/promises";

/**
 * A short file such as an attribute in /sys, without blanks at both ends. Undefined when there is none, when it is empty, and when
 * it is not for us to read.
 */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim() || undefined;
  } catch {
    return undefined;
  }
}

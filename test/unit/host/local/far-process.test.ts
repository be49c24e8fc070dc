import { expect, test } from "vitest";
import { optionsForFile } from "../../../../src/host/local/far-process.ts";

test.each([
  [["--no-warnings", "-e", "sync()", "--max-old-space-size=99"]],
  [["--no-warnings", "--input-type=module", "--eval", "sync()", "--max-old-space-size=99"]],
  [["--no-warnings", "--input-type", "module", "--eval=a\nb", "--max-old-space-size=99"]],
  [["--no-warnings", "-pe", "sync()", "--max-old-space-size=99"]],
])("what starts domus again does not run the text that uses it: %j", (options) => {
  expect(optionsForFile(options)).toEqual(["--no-warnings", "--max-old-space-size=99"]);
});

import { expect, test } from "vitest";
import { parseSettings } from "../../../src/guest/bootloader/settings.ts";

test("a wish, comments, blank lines", () => {
  expect(parseSettings("# what we want\n\nrepair = never # for now\n")).toEqual({
    repair: "never",
    problems: [],
  });
  expect(parseSettings("")).toEqual({ repair: "auto", problems: [] });
});

test("a spelling mistake changes nothing and is told", () => {
  const { repair, problems } = parseSettings("repair=allways\nrepiar=never\n=\n");
  expect(repair).toBe("auto");
  expect(problems).toHaveLength(3);
  expect(problems[0]).toContain("line 1");
});

import { expect, test } from "vitest";
import { parseSettings } from "../../../src/guest/bootloader/settings.ts";

test("a wish, comments, blank lines", () => {
  expect(parseSettings("# what we want\n\nrepair = never # for now\n")).toEqual({
    repair: "never",
    waitingImage: "refuse",
    problems: [],
  });
  expect(parseSettings("waiting-image = warn")).toMatchObject({ waitingImage: "warn" });
  expect(parseSettings("")).toEqual({ repair: "auto", waitingImage: "refuse", problems: [] });
});

test("a spelling mistake changes nothing and is told", () => {
  const mistakes = "repair=allways\nrepiar=never\n=\nrepair=warn\nwaiting-image=never\n";
  const { repair, waitingImage, problems } = parseSettings(mistakes);
  expect([repair, waitingImage]).toEqual(["auto", "refuse"]);
  expect(problems).toHaveLength(5);
  expect(problems[0]).toContain("line 1");
});

import { describe, expect, test } from "vitest";
import { evaluateMenu } from "../../../../src/boot/loader/grub-legacy/loader.ts";
import { evaluate, volume } from "./grub2/run.ts";

const MENU = `
menuentry 'one' { linux /k 1; }
submenu 'more' { menuentry 'two' { linux /k 2; }; }
`;

async function codes(head: string): Promise<string[]> {
  const { findings } = await evaluate(`set timeout=5\n${head}\n${MENU}`);
  return findings.map(({ code, what }) => `${code}: ${what}`);
}

describe("a default that points nowhere", () => {
  test.each([
    ["set default=7", `default="7" in grub.cfg line 2`],
    ["set default='Debian 5.10'", `default="Debian 5.10" in grub.cfg line 2`],
    ["set default='1>three'", `default="1>three" in grub.cfg line 2`],
  ])("GRUB 2: %s", async (head, said) => {
    expect(await codes(head)).toEqual([`grub-default: GRUB's default points nowhere: ${said}.`]);
  });

  test.each(["", "set default=1", "set default=one", "set default=", "set default='1>two'"])(
    "nothing is said of GRUB 2's %j",
    async (head) => expect(await codes(head)).toEqual([]),
  );

  test("GRUB legacy", async () => {
    const path = "/boot/grub/menu.lst";
    const told = async (head: string) => {
      const first = volume({ "/k": "", [path]: `${head}\ntimeout 5\ntitle a\nkernel /k\n` });
      const { findings } = await evaluateMenu({ volume: first, path, volumes: [first] });
      return findings.map(({ code }) => code);
    };
    expect(await told("default 3")).toEqual(["grub-default"]);
    expect(await told("default 0")).toEqual([]);
    expect(await told("")).toEqual([]);
  });
});

import { expect, test } from "vitest";
import { withoutPasswords } from "../../../src/xen/config-passwords.ts";

test("passwords are taken out of a config, and nothing else", () => {
  const text = [
    'name = "web1" # vncpasswd is below',
    "vncpasswd = \"geheim, 'x' ]\"",
    "spicepasswd='s3cret'",
    "vfb = [ \"type=vnc,vncunused=1,vncpasswd=geheim,keymap=de\", 'vncpasswd=last' ]",
    'vncpasswd="a"; vncpasswd="b"',
    'vncpasswd = "with \\" in it"',
    'vncpasswd = "never closed',
  ].join("\n");
  expect(withoutPasswords(text)).toBe(
    [
      'name = "web1" # vncpasswd is below',
      'vncpasswd = ""',
      "spicepasswd=''",
      "vfb = [ \"type=vnc,vncunused=1,vncpasswd=,keymap=de\", 'vncpasswd=' ]",
      'vncpasswd=""; vncpasswd=""',
      'vncpasswd = ""',
      'vncpasswd = ""',
    ].join("\n"),
  );
  expect(withoutPasswords("x".repeat(1_000_000))).toHaveLength(1_000_000);
});

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { treeHost } from "../../../src/host/local/tree-host.ts";
import { scratch } from "../../support/need.ts";

function tree(): string {
  const dir = scratch();
  mkdirSync(join(dir, "etc/xen/auto"), { recursive: true });
  writeFileSync(join(dir, "etc/xen/a.cfg"), "name = 'a'\n");
  symlinkSync("/etc/xen/a.cfg", join(dir, "etc/xen/auto/a.cfg"));
  symlinkSync("/etc", join(dir, "absolute"));
  symlinkSync("../../../../../../../../etc", join(dir, "upwards"));
  symlinkSync("loop", join(dir, "loop"));
  return dir;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("an absolute symlink stays inside the tree", async () => {
  const host = treeHost(tree());
  expect(text(await host.readFile("/etc/xen/auto/a.cfg"))).toBe("name = 'a'\n");
  expect(await host.realPath("/etc/xen/auto/a.cfg")).toBe("/etc/xen/a.cfg");
  expect(await host.list("/absolute/xen")).toEqual(["a.cfg", "auto"]);
});

test("no path and no link leads out of the tree", async () => {
  const host = treeHost(tree());
  // /etc/passwd is on every machine that runs this, and not in the tree.
  for (const path of ["/upwards/passwd", "/../../../../../../etc/passwd", "../../../etc/passwd"]) {
    const read = await attempt(() => host.readFile(path));
    expect(read).toMatchObject({ ok: false, failure: { kind: "io", errno: "ENOENT" } });
  }
});

test("a loop of links ends", async () => {
  const host = treeHost(tree());
  expect(await attempt(() => host.readFile("/loop"))).toMatchObject({ failure: { kind: "limit" } });
  expect(await host.kind("/loop")).toBe("missing");
});

test("nothing is run", async () => {
  const ran = await attempt(() => treeHost(tree()).run(["true"]));
  expect(ran).toMatchObject({ ok: false, failure: { kind: "missing" } });
});

test("a file above the limit is not read", async () => {
  const read = await attempt(() => treeHost(tree()).readFile("/etc/xen/a.cfg", 4));
  expect(read).toMatchObject({ ok: false, failure: { kind: "limit" } });
});

import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { editConfig } from "../../../src/xen/config-edit.ts";
import type { ConfigEdit } from "../../../src/xen/config-edit.ts";
import { settingsOf } from "../../../src/xen/config-settings.ts";
import { parseConfig, printConfig } from "../../../src/xen/config-syntax.ts";
import { configShapes } from "../../support/config-shapes.ts";

const SHAPES = configShapes(300);

const lines = (text: string) => text.split("\n");
const listOf = (text: string, key: string) => {
  const value = settingsOf(parseConfig(text)).get(key)?.value;
  return value?.kind === "list"
    ? value.items.map((item) => (item.kind === "string" ? item.text : "a list"))
    : undefined;
};

/** Lines that are in one and not in the other, each side in its order. */
function changedLines(before: string, after: string): { gone: string[]; come: string[] } {
  const rest = lines(after);
  const gone: string[] = [];
  for (const line of lines(before)) {
    const at = rest.indexOf(line);
    if (at < 0) gone.push(line);
    else rest.splice(at, 1);
  }
  return { gone, come: rest };
}

const DISKS = `# head
name = "web1"   # the shop
disk = [
    'phy:/dev/vg0/web1,xvda,w',   # root
    'phy:/dev/vg0/swap,xvdb,w'    # swap
]
vif = ['bridge=xenbr0']; memory = 512
`;

describe("an entry", () => {
  test("comes on a line of its own, as the others have", () => {
    const edits: ConfigEdit[] = [{ kind: "add", key: "disk", entry: "/dev/vg0/data,raw,xvdc,rw" }];
    expect(editConfig(DISKS, edits)).toBe(
      DISKS.replace("xvdb,w'    # swap\n", "xvdb,w',    # swap\n    '/dev/vg0/data,raw,xvdc,rw'\n"),
    );
  });

  test("comes behind the others on their line", () => {
    const edits: ConfigEdit[] = [{ kind: "add", key: "vif", entry: "bridge=xenbr1" }];
    expect(editConfig(DISKS, edits)).toBe(
      DISKS.replace("['bridge=xenbr0']", "['bridge=xenbr0', 'bridge=xenbr1']"),
    );
    expect(editConfig("vif = [ ]\n", edits)).toBe("vif = [ 'bridge=xenbr1' ]\n");
    expect(editConfig("vif=[]", edits)).toBe("vif=[ 'bridge=xenbr1' ]");
    expect(editConfig('vif=["a",]', edits)).toBe('vif=["a", "bridge=xenbr1",]');
    expect(editConfig("name='a'", edits)).toBe("name='a'\nvif = [ 'bridge=xenbr1' ]\n");
  });

  test("goes with its line and that line's comment", () => {
    const without = (entry: number) => editConfig(DISKS, [{ kind: "remove", key: "disk", entry }]);
    expect(without(0)).toBe(DISKS.replace("    'phy:/dev/vg0/web1,xvda,w',   # root\n", ""));
    expect(listOf(without(1), "disk")).toEqual(["phy:/dev/vg0/web1,xvda,w"]);
    expect(without(1)).toContain("# root\n]");
  });

  test("goes alone from a line with others", () => {
    const text = "disk = [ 'a,raw,xvda', 'b,raw,xvdb', 'c,raw,xvdc' ] # three\n";
    const without = (entry: number) => editConfig(text, [{ kind: "remove", key: "disk", entry }]);
    expect(without(0)).toBe("disk = [ 'b,raw,xvdb', 'c,raw,xvdc' ] # three\n");
    expect(without(1)).toBe("disk = [ 'a,raw,xvda', 'c,raw,xvdc' ] # three\n");
    expect(without(2)).toBe("disk = [ 'a,raw,xvda', 'b,raw,xvdb' ] # three\n");
  });

  test("of a += is counted with the others", () => {
    const text = "disk = [ 'a' ]\ndisk += [\n  'b',\n  'c',\n]\n";
    expect(editConfig(text, [{ kind: "replace", key: "disk", entry: 2, by: "d" }])).toBe(
      text.replace("'c'", "'d'"),
    );
    expect(editConfig(text, [{ kind: "remove", key: "disk", entry: 1 }])).toBe(
      text.replace("  'b',\n", ""),
    );
  });

  test("several at once are those of the text that was given", () => {
    const text = "disk = [ 'a', 'b', 'c' ]\n";
    const edits: ConfigEdit[] = [
      { kind: "remove", key: "disk", entry: 0 },
      { kind: "add", key: "disk", entry: "d" },
      { kind: "remove", key: "disk", entry: 2 },
    ];
    expect(listOf(editConfig(text, edits), "disk")).toEqual(["b", "d"]);
  });
});

describe("a value", () => {
  test("keeps its quotes; what += joined on goes", () => {
    expect(editConfig(DISKS, [{ kind: "set", key: "memory", value: 1024 }])).toBe(
      DISKS.replace("512", "1024"),
    );
    expect(editConfig("memory='512'\n", [{ kind: "set", key: "memory", value: 1024 }])).toBe(
      "memory='1024'\n",
    );
    const text = "extra = 'ro'  # first\nextra += ' quiet'\nname='a'";
    expect(editConfig(text, [{ kind: "set", key: "extra", value: "it's" }])).toBe(
      "extra = 'it\\'s'  # first\nname='a'",
    );
  });

  test("that comes later than another of the same key is the one", () => {
    expect(editConfig("memory=1\nmemory=2\n", [{ kind: "set", key: "memory", value: 3 }])).toBe(
      "memory=1\nmemory=3\n",
    );
  });
});

test("what cannot be changed safely is refused", () => {
  const refusedBy = (text: string, edit: ConfigEdit) =>
    !attemptSync(() => editConfig(text, [edit])).ok;
  expect(refusedBy("import os\n", { kind: "set", key: "memory", value: 1 })).toBe(true);
  expect(refusedBy("disk = 'a'\n", { kind: "add", key: "disk", entry: "b" })).toBe(true);
  expect(refusedBy("disk = ['a']\n", { kind: "set", key: "disk", value: "b" })).toBe(true);
  expect(refusedBy("disk = ['a']\n", { kind: "remove", key: "disk", entry: 1 })).toBe(true);
  expect(refusedBy("", { kind: "set", key: "name", value: "a\nmemory=1" })).toBe(true);
});

describe("300 configs", () => {
  test("are all xl's syntax, and print as they are", () => {
    for (const { text, seed } of SHAPES) {
      const file = parseConfig(text);
      expect(file.problems, `${seed}:\n${text}`).toEqual([]);
      expect(printConfig(file)).toBe(text);
      expect(JSON.stringify(parseConfig(printConfig(file)))).toBe(JSON.stringify(file));
    }
  });

  test("get a disk: one line more, or the line of the list", () => {
    for (const { text, seed } of SHAPES) {
      const entry = "/dev/vg0/new,raw,xvdz,rw";
      const after = editConfig(text, [{ kind: "add", key: "disk", entry }]);
      expect(listOf(after, "disk")?.at(-1), `${seed}:\n${text}\n${after}`).toBe(entry);
      const { gone, come } = changedLines(text, after);
      expect(gone.length, `${seed}:\n${text}\n${after}`).toBeLessThanOrEqual(1);
      expect(come.length, `${seed}:\n${text}\n${after}`).toBeLessThanOrEqual(2);
    }
  });

  test("lose each of their disks: no line but its own, and the one with the comma before it", () => {
    for (const { text, seed } of SHAPES) {
      for (const [entry, gone] of (listOf(text, "disk") ?? []).entries()) {
        const after = editConfig(text, [{ kind: "remove", key: "disk", entry }]);
        const label = `${seed}, entry ${entry}:\n${text}\n${after}`;
        expect(listOf(after, "disk"), label).toEqual(
          listOf(text, "disk")!.filter((_, at) => at !== entry),
        );
        expect(changedLines(text, after).gone.length, label).toBeLessThanOrEqual(3);
        expect(gone).toBeDefined();
      }
    }
  });

  test("lose what they got: the same text again where lines were added", () => {
    for (const { text, seed } of SHAPES) {
      const after = editConfig(text, [{ kind: "add", key: "vif", entry: "bridge=br9" }]);
      const entry = listOf(after, "vif")!.length - 1;
      const again = editConfig(after, [{ kind: "remove", key: "vif", entry }]);
      expect(listOf(again, "vif"), `${seed}:\n${text}\n${again}`).toEqual(
        listOf(text, "vif") ?? [],
      );
    }
  });

  test("get a value: one line", () => {
    for (const { text, seed } of SHAPES) {
      const after = editConfig(text, [{ kind: "set", key: "memory", value: 4096 }]);
      const value = settingsOf(parseConfig(after)).get("memory")?.value;
      expect(value, `${seed}`).toMatchObject({ text: "4096" });
      expect(changedLines(text, after).gone.length, `${seed}:\n${after}`).toBe(1);
    }
  });
});

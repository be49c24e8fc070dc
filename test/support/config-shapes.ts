/** Configs as people have them: every form of the grammar, comments in odd places, leftovers of xm; made from a seed. */
import { randomSource } from "./mutate.ts";

export type ConfigShape = { readonly text: string; readonly seed: number };

export function configShapes(count: number): ConfigShape[] {
  return Array.from({ length: count }, (_, seed) => ({ seed, text: configShape(seed) }));
}

const COMMENTS = [
  "# a comment",
  "#no blank before it",
  '# disk = [ "old" ]',
  "# 'quoted' and [ brackets ], commas",
  "##########",
  "#",
];

function configShape(seed: number): string {
  const random = randomSource(seed + 1);
  const pick = <T>(of: readonly T[]): T => of[random(of.length)]!;
  const quote = () => pick(["'", '"']);
  const word = (text: string) => {
    const mark = quote();
    return `${mark}${text.replaceAll("\\", "\\\\").replaceAll(mark, `\\${mark}`)}${mark}`;
  };
  const equals = () => pick([" = ", "=", " =", "= ", "\t=\t", "  =  "]);
  const name = `guest${seed}`;
  const disks = Array.from({ length: random(4) }, (_, i) => {
    const vdev = `xvd${"abcd"[i]}`;
    return pick([
      `phy:/dev/vg0/${name}-${i},${vdev},w`,
      `/dev/vg0/${name}-${i},raw,${vdev},rw`,
      `file:/srv/xen/${name}-${i}.img,${vdev},w`,
      `format=qcow2,vdev=${vdev},access=ro,target=/srv/${name} ${i}.qcow2`,
      `tap:aio:/srv/it's ${i}.img,${vdev},w`,
    ]);
  });
  const vifs = Array.from({ length: random(3) }, (_, i) =>
    pick([
      `mac=00:16:3e:00:${(seed & 255).toString(16).padStart(2, "0")}:0${i},bridge=xenbr${i}`,
      `bridge=xenbr0`,
      `ip=10.0.0.${i + 2},mac=00:16:3e:01:00:0${i}`,
      ``,
    ]),
  );
  const list = (entries: readonly string[]): string => {
    const words = entries.map(word);
    const comment = () => (random(3) === 0 ? `  ${pick(COMMENTS)}` : "");
    switch (random(5)) {
      case 0:
        return `[${words.join(",")}]`;
      case 1:
        return `[ ${words.join(", ")} ]`;
      case 2:
        return `[ ${words.map((one) => `${one}, `).join("")}]`;
      case 3: {
        const lines = words.map((one, i) => {
          const comma = i < words.length - 1 || random(2) === 0 ? "," : "";
          return `    ${one}${comma}${comment()}\n`;
        });
        return `[${comment()}\n${lines.join("")}]`;
      }
      default: {
        const lines = words.map(
          (one, i) => `${one}${i < words.length - 1 ? `,${comment()}\n\t` : ""}`,
        );
        return `[ ${lines.join("")}${comment()}\n]`;
      }
    }
  };
  const statements = [
    `name${equals()}${word(name)}`,
    `memory${equals()}${pick(["512", '"512"', "0x200", "'1024'"])}`,
    `vcpus${equals()}${1 + random(4)}`,
    ...(random(3) ? [`maxmem${equals()}2048`] : []),
    ...(random(2) ? [`bootloader${equals()}${word("/usr/lib/xen/bin/pygrub")}`] : []),
    ...(random(2) ? [`extra${equals()}${word("console=hvc0")}\nextra += ${word(" quiet")}`] : []),
    ...(random(4) ? [`disk${equals()}${list(disks)}`] : []),
    ...(random(4) ? [`vif${equals()}${list(vifs)}`] : []),
    ...(random(5) === 0 ? [`disk += ${list(disks.slice(1))}`] : []),
    ...(random(6) === 0 ? [`on_xend_start = "ignore"\ndhcp="on"`] : []),
    ...(random(6) === 0 ? [`vnuma = [ [ "pnode=0", "size=512" ], [ "pnode=1", ], ]`] : []),
    ...(random(5) === 0 ? [`memory = 256\nmemory = 768`] : []),
    `on_crash${equals()}${word(pick(["restart", "preserve", "destroy"]))}`,
  ];
  let text = random(2) ? `${pick(COMMENTS)}\n` : "";
  for (const statement of statements) {
    text += pick(["", "", "  ", "\t"]) + statement;
    const end = random(8);
    if (end === 0) text += "; ";
    else if (end === 1) text += ` ;${pick(["", " "])}${pick(COMMENTS)}\n`;
    else if (end === 2) text += `   ${pick(COMMENTS)}\n\n`;
    else text += "\n";
    if (random(6) === 0) text += `${text.endsWith("\n") ? "" : "\n"}${pick(COMMENTS)}\n`;
  }
  return random(5) === 0
    ? text.replace(/\n+$/, "") + (text.trimEnd().includes("#") ? "\n" : "")
    : text;
}

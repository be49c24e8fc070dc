import type { Rule } from "../rule.ts";
import { listText } from "../remedy.ts";

export const duplicateName: Rule = {
  code: "duplicate-name",
  severity: "warning",
  summary: "Another config on this host has a guest of the same name.",
  check: ({ around, config, name }) => {
    if (!around) return [];
    const same = around.guests.filter(
      (one) => one.name === name && one.realPath !== around.self.realPath,
    );
    if (same.length === 0) return [];
    const paths = listText(same.map((one) => one.configPath));
    return [
      {
        code: "duplicate-name",
        severity: "warning",
        where: [...config.where, "name"],
        what: `There is another config for a guest named ${name}: ${paths}.`,
        why: `Only one of them can run: xl create stops with "Domain with name ... already exists" while the other does. And commands that take a name may mean either.`,
        next: `If they are two guests, give one another name=, uuid= and MAC addresses. If it is an old copy, move it out of the directory or give it a name that does not end in .cfg.`,
      },
    ];
  },
};

import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import type { Application } from "@stricli/core";
import { attachCommand, detachCommand } from "./commands/attach.ts";
import { checkCommand } from "./commands/check.ts";
import {
  diskCatCommand,
  diskCpCommand,
  diskLsCommand,
  diskPartsCommand,
  diskTreeCommand,
  diskUsageCommand,
} from "./commands/disk.ts";
import { entriesCommand } from "./commands/entries.ts";
import { explainCommand } from "./commands/explain.ts";
import { historyCommand } from "./commands/history.ts";
import { listCommand } from "./commands/list.ts";
import { pauseCommand, resumeCommand } from "./commands/pause.ts";
import { persistCommand } from "./commands/persist.ts";
import { rebootCommand } from "./commands/reboot.ts";
import { rehearseCommand } from "./commands/rehearse.ts";
import { restoreCommand } from "./commands/restore.ts";
import { saveCommand } from "./commands/save.ts";
import { showCommand } from "./commands/show.ts";
import { startCommand } from "./commands/start.ts";
import { stopCommand } from "./commands/stop.ts";
import { syncCommand } from "./commands/sync.ts";
import { watchCommand } from "./commands/watch.ts";
import type { Context } from "./context.ts";
import { argumentProblem, unknownCommand } from "./usage.ts";
import { VERSION } from "./version.ts";

const disk = buildRouteMap({
  routes: {
    parts: diskPartsCommand,
    ls: diskLsCommand,
    tree: diskTreeCommand,
    usage: diskUsageCommand,
    cat: diskCatCommand,
    cp: diskCpCommand,
  },
  docs: { brief: "Look into a guest's disks without mounting them" },
});

/** First words that another one has to follow. */
export const COMMAND_GROUPS: readonly string[] = ["disk"];

const root = buildRouteMap({
  routes: {
    check: checkCommand,
    entries: entriesCommand,
    disk,
    history: historyCommand,
    list: listCommand,
    show: showCommand,
    persist: persistCommand,
    rehearse: rehearseCommand,
    start: startCommand,
    stop: stopCommand,
    reboot: rebootCommand,
    pause: pauseCommand,
    resume: resumeCommand,
    save: saveCommand,
    restore: restoreCommand,
    attach: attachCommand,
    detach: detachCommand,
    sync: syncCommand,
    watch: watchCommand,
    explain: explainCommand,
  },
  docs: {
    brief: "Looks after the guests of a plain Xen host",
    fullDescription: [
      "domus looks after the guests of a plain Xen host: says where they are and whether they will boot, starts, saves",
      "and restores them without losing one, shows what is on their disks, and copies disks. Guests' disks are never",
      "mounted, and never written but by domus sync.",
      "",
      "  domus list               where every guest is: config, disks, save image, and whether it runs",
      "  domus check pandora      whether it will boot, and what would stop it",
      "  domus reboot pandora     when it will come back; says whether it did",
      "  domus save pandora       into an image that is offered as long as its disks are what they were",
      "  domus history --events pandora",
      "  domus disk ls pandora /boot",
      "  domus sync vg0/web1 hostb:vg0/web1",
      "  domus explain initramfs-compression",
    ].join("\n"),
  },
});

export const app: Application<Context> = buildApplication(root, {
  name: "domus",
  versionInfo: { currentVersion: VERSION },
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: false },
  localization: {
    text: {
      ...text_en,
      // The reader of our help has asked for this; stricli's own word for it is "inputs".
      briefs: { ...text_en.briefs, argumentEscapeSequence: "Everything behind it is an argument" },
      noCommandRegisteredForInput: ({ input, corrections }) => unknownCommand(input, corrections),
      exceptionWhileParsingArguments: argumentProblem,
    },
  },
});

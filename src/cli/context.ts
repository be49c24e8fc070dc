import type { CommandContext, StricliProcess } from "@stricli/core";
import type { FactsCache } from "../guest/check/facts-cache.ts";
import type { BootPorts } from "../guest/console/watch-boot.ts";
import type { LifecyclePorts } from "../guest/lifecycle/ports.ts";
import type { Host } from "../host/host.ts";
import type { KeepVerdicts, OpenGuestState } from "./guest-state.ts";
import type { Output } from "./output.ts";

/** What a command may use of the world. Tests make their own. */
export type Context = CommandContext & {
  readonly process: StricliProcess;
  readonly out: Output;
  /** `--root DIR` or this machine. */
  readonly openHost: (root: string | undefined) => Host;
  /** What was found out in earlier runs; undefined where nothing can be kept. */
  readonly openFacts: () => Promise<FactsCache | undefined>;
  /** What domus keeps of guests, for those who only look. Left out: nothing is kept. */
  readonly openState?: OpenGuestState;
  /** Of the boot checks of guests on this host. Left out: they are not kept. */
  readonly keepVerdicts?: KeepVerdicts;
  /** What commands that change guests work with, and what they watch a boot with. Left out: this machine. */
  readonly openLifecycle?: () => LifecyclePorts;
  readonly openBoot?: (host: Host) => BootPorts;
  /** Who changes guests has to be. Left out: yes. */
  readonly isRoot?: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
};

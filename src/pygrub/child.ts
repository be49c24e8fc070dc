/** The unprivileged side of `--runas`: a request on stdin, descriptors from the parent, a reply on stdout. */
import { text } from "node:stream/consumers";
import { openInheritedBlock } from "../host/local/block.ts";
import { localHost } from "../host/local/local-host.ts";
import { bootOnce } from "./boot.ts";
import { descriptorOut } from "./temp-files.ts";
import { CHILD_FDS } from "./unprivileged.ts";
import type { ChildRequest } from "./unprivileged.ts";

export async function child(): Promise<number> {
  if (process.getuid?.() === 0) throw new Error("this part of domus-pygrub does not run as root");
  const { request, mode, limitBytes } = JSON.parse(await text(process.stdin)) as ChildRequest;
  const host = {
    ...localHost(),
    // The only disk there is for this process.
    openBlock: (path: string) => openInheritedBlock(CHILD_FDS.disk, [path]),
  };
  const { kernel, ramdisk } = CHILD_FDS;
  const reply = await bootOnce({
    request,
    mode,
    host,
    signal: new AbortController().signal,
    ...(mode === "prepare" && {
      out: {
        kernel: descriptorOut(kernel, "the kernel's copy", limitBytes),
        ramdisk: descriptorOut(ramdisk, "the initramfs's copy", limitBytes),
      },
    }),
  });
  process.stdout.write(JSON.stringify(reply));
  return 0;
}

/** What domus says about images. Each code has a page in docs/reference/findings/. */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";

export function markedCorrupt(where: Where): Finding {
  return {
    code: "qcow2-marked-corrupt",
    severity: "error",
    where,
    what: "The qcow2 image is marked as corrupt.",
    why: 'QEMU found its tables wrong earlier and set the mark. It refuses to open such an image for writing ("Image is corrupt; cannot be opened read/write"), so the guest is not made.',
    next: "Keep a copy of the file. With the guest stopped: qemu-img check IMAGE says what is wrong, qemu-img check -r all IMAGE repairs it and takes the mark away. Then check the filesystems inside.",
  };
}

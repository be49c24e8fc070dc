/** Why Xen's builder refuses a kernel image, in its own words. */
import type { KernelFacts, XenRefusal } from "../boot/kernel/kernel-facts.ts";

/** False when the image could not be read: then its lack of notes says nothing, and another finding says why. */
export function wasRead(kernel: KernelFacts, refusal: XenRefusal | undefined): boolean {
  if (kernel.format === "pe") return true;
  return kernel.failure === undefined && refusal?.reason !== "format";
}

/** What `xl create` prints (xen: tools/libs/guest/xg_dom_elfloader.c, xen/common/libelf/libelf-dominfo.c). */
export function refusalMessage(refusal: XenRefusal | undefined): string {
  switch (refusal?.reason) {
    case "loader":
      return "Will only load images built for the generic loader or Linux images";
    case "xen-version":
      return "Xen will only load images built for Xen v3.0";
    case "feature":
      return "Kernel does not support unprivileged (DomU) operation";
    case "no-phys32-entry":
      return "xc_dom_parse_hvm_kernel: ELF image is not 32bit";
    case "no-notes":
    case "entry":
    case "machine":
    case "format":
    case undefined:
      return "xc_dom_find_loader: no loader found";
  }
}
